import { rawName, safeName, TakenNames } from '../../model/safe-name.ts';

/** A name that could not be shown as it is. */
export interface ChangedSpelling {
  readonly raw: string;
  readonly path: string;
}

interface Folder {
  readonly taken: TakenNames;
  readonly byRaw: Map<string, string>;
}

/** Gives the items of one source paths in its folder of the mount: the same for the same items in the same order. */
export class CatalogPaths {
  readonly #folders = new Map<string, Folder>();
  /** Items whose path tells less than their name in the source. */
  readonly changed: ChangedSpelling[] = [];

  #folder(path: string): Folder {
    let folder = this.#folders.get(path);
    if (!folder) this.#folders.set(path, (folder = { taken: new TakenNames(), byRaw: new Map() }));
    return folder;
  }

  /** The folder that stands for a group of the source. */
  #below(parent: string, raw: string): string {
    const folder = this.#folder(parent);
    let name = folder.byRaw.get(raw);
    if (name === undefined) folder.byRaw.set(raw, (name = folder.taken.take(safeName(raw), [''])));
    return `${parent}/${name}`;
  }

  /**
   * Paths of an item below `view`, one per extension, that differ in it alone.
   * @param itemPath the item's path in the source; '' is called `rootName`.
   */
  give(view: string, itemPath: string, rootName: string, extensions: readonly string[]): string[] {
    const names = (itemPath === '' ? rootName : itemPath).split('/');
    const raw = names.pop() ?? '';
    let folder = view;
    for (const name of names) folder = this.#below(folder, name);
    const stem = this.#folder(folder).taken.take(safeName(raw), extensions);
    const path = `${folder}/${stem}`;
    if (rawName(stem) !== raw || stem !== raw || names.some((name) => safeName(name) !== name))
      this.changed.push({ raw: itemPath, path: path + (extensions[0] ?? '') });
    return extensions.map((extension) => path + extension);
  }
}
