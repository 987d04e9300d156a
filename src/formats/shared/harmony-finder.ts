import { tiffExtension } from './metaxpress-name.ts';

/** Where an Index's image lies: number of its file, -1 for none on disk, or why no file is looked for. */
export type FoundImage = number | 'unsafe' | 'foreign';

const AMBIGUOUS = -2;

/**
 * Finds the files that an Index names, among those that the walk has seen and nowhere else: a URL never opens
 * anything, so it can't lead out of the plate.
 */
export class HarmonyFinder {
  readonly #folders: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Folder of the Index below the root, '' for the root. */
  readonly #home: string;
  readonly #homeFiles: ReadonlyMap<string, number>;
  /** File by {@link looseName}, whatever its folder; made when a first file isn't where the Index says. */
  #anywhere: Map<string, number> | undefined;

  /** `folders`: files by name, by path of their folder below the root. */
  constructor(folders: ReadonlyMap<string, ReadonlyMap<string, number>>, home: string) {
    this.#folders = folders;
    this.#home = home;
    this.#homeFiles = folders.get(home) ?? new Map();
  }

  /**
   * The file of a URL, relative to the Index; one that lies in another folder of the plate (V7 writes the Index
   * one level above its images, and images into one folder per well), is spelt in another case or ends `.tif` in
   * place of `.tiff` is found by its name where that is unambiguous.
   */
  find(url: string): FoundImage {
    if (isUnsafe(url)) return 'unsafe';
    const name = url.slice(url.lastIndexOf('/') + 1);
    if (tiffExtension(name) === '') return 'foreign';
    const direct =
      name === url ? this.#homeFiles.get(name) : this.#folders.get(this.#folderOf(url))?.get(name);
    if (direct !== undefined) return direct;
    this.#anywhere ??= this.#mapNames();
    const found = this.#anywhere.get(looseName(name)) ?? -1;
    return found === AMBIGUOUS ? -1 : found;
  }

  #folderOf(url: string): string {
    const steps = `${this.#home}/${url}`.split('/').slice(0, -1);
    return steps.filter((step) => step !== '' && step !== '.').join('/');
  }

  #mapNames(): Map<string, number> {
    const anywhere = new Map<string, number>();
    for (const files of this.#folders.values())
      for (const [name, file] of files) {
        const loose = looseName(name);
        anywhere.set(loose, anywhere.has(loose) ? AMBIGUOUS : file);
      }
    return anywhere;
  }
}

/** Name in lower case, without its extension. */
const looseName = (name: string): string =>
  name.slice(0, name.length - tiffExtension(name).length).toLowerCase();

/** True for a URL that means, or on some system could mean, a file outside the plate. */
function isUnsafe(url: string): boolean {
  if (url.includes('\\') || url.includes('\0') || url.startsWith('/')) return true;
  // A scheme or a drive.
  if (url.includes(':') && /^[a-z][a-z0-9+.-]*:/i.test(url)) return true;
  return url.includes('..') && url.split('/').includes('..');
}
