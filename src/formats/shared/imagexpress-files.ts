import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import type { HtdFile } from './imagexpress-htd.ts';
import type { FolderPlace } from './imagexpress-places.ts';
import { isJunkName, isSilentFolder, leftOut } from './left-out.ts';
import { isHtdName, parseMetaXpressName, tiffExtension } from './metaxpress-name.ts';
import { joinPath } from './plate-path.ts';
import type { WalkedDirectory } from './plate-walk.ts';
import { WalkAside } from './walk-aside.ts';
import { WarningTally } from './warning-tally.ts';

/** Puts each file of a plate where it belongs: a plane with its address, or an exclusion with its reason. */
export class FileSorter {
  /** Images whose names end in a GUID: the database shape. */
  guids = 0;
  readonly #builder: PlateIndexBuilder;
  readonly #unreadNames = new WarningTally();
  readonly #strayImages = new WarningTally();
  readonly #aside = new WalkAside();

  constructor(builder: PlateIndexBuilder) {
    this.#builder = builder;
  }

  sort(directory: number, walked: WalkedDirectory, place: FolderPlace, htds: HtdFile[]): void {
    for (const name of walked.files) this.#sortFile(directory, walked.path, name, place, htds);
    this.#aside.add(walked);
  }

  #sortFile(directory: number, folder: string, name: string, place: FolderPlace, htds: HtdFile[]): void {
    const builder = this.#builder;
    if (isJunkName(name)) {
      builder.addFile(directory, name, 'junk');
      return;
    }
    if (isHtdName(name)) {
      const file = builder.addFile(directory, name, 'metadata');
      htds.push({ path: joinPath(folder, name), file });
      return;
    }
    const parsed = parseMetaXpressName(name);
    if (!parsed) {
      const reason = leftOut(name, folder);
      builder.addFile(directory, name, reason);
      if (reason === 'other' && tiffExtension(name) !== '') this.#unreadNames.add(joinPath(folder, name));
      return;
    }
    if (parsed.thumbnail) {
      builder.addFile(directory, name, 'thumbnail');
      return;
    }
    const file = builder.addFile(directory, name, 'other');
    if (!place.known) {
      if (!isSilentFolder(folder)) this.#strayImages.add(joinPath(folder, name));
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
    const aside = 'they are reachable under source/ only';
    const warnings = [
      ...this.#unreadNames.tell(
        'unrecognised-name',
        'file with the extension of an image is not named <plate>_<well>[_s<site>][_w<wave>]',
        'files with the extension of an image are not named <plate>_<well>[_s<site>][_w<wave>]',
        aside,
      ),
      ...this.#strayImages.tell(
        'unrecognised-folder',
        'file is named like an image of the plate, in a folder that is neither TimePoint_N nor ZStep_M',
        'files are named like images of the plate, in folders that are neither TimePoint_N nor ZStep_M',
        aside,
      ),
      ...this.#aside.warnings(),
    ];
    for (const warning of warnings) this.#builder.addWarning(warning);
  }
}
