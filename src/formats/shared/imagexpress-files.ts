import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { ExampleTally } from './example-tally.ts';
import type { HtdFile } from './imagexpress-htd.ts';
import { type FolderPlace, isSilentFolder } from './imagexpress-places.ts';
import { isHtdName, isJunkName, parseMetaXpressName, tiffExtension } from './metaxpress-name.ts';
import type { WalkedDirectory } from './plate-walk.ts';

const join = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/** Puts each file of a plate where it belongs: a plane with its address, or an exclusion with its reason. */
export class FileSorter {
  /** Images whose names end in a GUID: the database shape. */
  guids = 0;
  readonly #builder: PlateIndexBuilder;
  readonly #unreadNames = new ExampleTally();
  readonly #strayImages = new ExampleTally();
  readonly #undecodable = new ExampleTally();
  readonly #special = new ExampleTally();

  constructor(builder: PlateIndexBuilder) {
    this.#builder = builder;
  }

  sort(
    directory: number,
    { files, path, undecodable, special, failure }: WalkedDirectory,
    place: FolderPlace,
    htds: HtdFile[],
  ): void {
    for (const name of files) this.#sortFile(directory, path, name, place, htds);
    for (const name of undecodable) this.#undecodable.add(join(path, name));
    for (const name of special) this.#special.add(join(path, name));
    if (failure)
      this.#builder.addWarning({
        kind: 'unreadable-folder',
        message: `${path} could not be listed, its images are not shown: ${failure.cause instanceof Error ? failure.cause.message : failure.message}`,
        files: [path],
      });
  }

  #sortFile(directory: number, folder: string, name: string, place: FolderPlace, htds: HtdFile[]): void {
    const builder = this.#builder;
    if (isJunkName(name)) {
      builder.addFile(directory, name, 'junk');
      return;
    }
    if (isHtdName(name)) {
      const file = builder.addFile(directory, name, 'metadata');
      htds.push({ path: join(folder, name), file });
      return;
    }
    const parsed = parseMetaXpressName(name);
    if (!parsed) {
      builder.addFile(directory, name, 'other');
      if (tiffExtension(name) !== '' && !isSilentFolder(folder)) this.#unreadNames.add(join(folder, name));
      return;
    }
    if (parsed.thumbnail) {
      builder.addFile(directory, name, 'thumbnail');
      return;
    }
    const file = builder.addFile(directory, name, 'other');
    if (!place.known) {
      if (!isSilentFolder(folder)) this.#strayImages.add(join(folder, name));
      return;
    }
    if (parsed.guid !== '') this.guids += 1;
    const z = place.z ?? (place.besideSteps ? 0 : 1);
    builder.addPlane(
      file,
      parsed.row,
      parsed.column,
      parsed.site,
      parsed.wave,
      z,
      place.t ?? 1,
      parsed.extension,
    );
  }

  /** Tells what was left aside; call once, after the last folder. */
  warnFolders(): void {
    const tell = (kind: string, tally: ExampleTally, message: string, rule: string): void => {
      for (const warning of tally.warnings(kind, 'file', message, rule)) this.#builder.addWarning(warning);
    };
    tell(
      'unrecognised-name',
      this.#unreadNames,
      'with the extension of an image not named <plate>_<well>[_s<site>][_w<wave>]',
      'they are reachable under source/ only',
    );
    tell(
      'unrecognised-folder',
      this.#strayImages,
      'named like images of the plate, in folders that are neither TimePoint_N nor ZStep_M',
      'they are reachable under source/ only',
    );
    tell('special-file', this.#special, 'that are pipes, sockets or devices', 'they are not shown');
    tell(
      'unreadable-name',
      this.#undecodable,
      'whose name is not UTF-8',
      'they are not shown; rename them to have them shown',
    );
  }
}
