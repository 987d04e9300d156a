import { GrowingColumn } from '../../model/growing-column.ts';
import type { ExclusionReason, PlateWarning } from '../../model/plate.ts';
import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { harmonyIndexRank, parseHarmonyName } from './harmony-name.ts';
import { isJunkName, leftOut } from './left-out.ts';
import { tiffExtension } from './metaxpress-name.ts';
import { joinPath } from './plate-path.ts';
import type { WalkedDirectory } from './plate-walk.ts';
import { WalkAside } from './walk-aside.ts';
import { WarningTally } from './warning-tally.ts';

export interface HarmonyIndexFile {
  readonly path: string;
  readonly folder: string;
  readonly file: number;
  readonly rank: number;
}

/** Folders of an export that hold no images of the plate, and what their files are. */
const APART: readonly { readonly name: RegExp; readonly reason: ExclusionReason }[] = [
  { name: /^assaylayout$/i, reason: 'metadata' },
  { name: /^ffc_profile/i, reason: 'correction' },
  { name: /^evaluation/i, reason: 'other' },
];
/** `Images` of an export, and below it a folder per well as V7 writes them. */
const IMAGE_FOLDER = /^(?:images(?:\/r\d{1,2}c\d{1,2})?|r\d{1,2}c\d{1,2})?$/i;
const METADATA_FILE = /^(?:indexfile\.txt|.*\.kw\.txt)$/i;

function apart(folder: string): ExclusionReason | undefined {
  for (const step of folder.split('/'))
    for (const { name, reason } of APART) if (name.test(step)) return reason;
  return undefined;
}

/** Sorts the files of an export as the walk comes to them, and keeps the images for the Index to find. */
export class HarmonyFiles {
  /** Files that could be images, by name, by path of their folder. */
  readonly images = new Map<string, Map<string, number>>();
  readonly indexes: HarmonyIndexFile[] = [];
  /** Spellings of images' extensions, and per file the one it has. */
  readonly #extensions: string[] = [];
  readonly #extensionOf = new GrowingColumn((length) => new Uint8Array(length));
  readonly #builder: PlateIndexBuilder;
  readonly #unread = new WarningTally();
  readonly #stray = new WarningTally();
  readonly #aside = new WalkAside();

  constructor(builder: PlateIndexBuilder) {
    this.#builder = builder;
  }

  sort(directory: number, walked: WalkedDirectory): void {
    const { files, path } = walked;
    const builder = this.#builder;
    const reason = apart(path);
    const indexHere = path === '' || /^images$/i.test(path);
    let images: Map<string, number> | undefined;
    for (const name of files) {
      if (isJunkName(name)) builder.addFile(directory, name, 'junk');
      else if (reason !== undefined) builder.addFile(directory, name, reason);
      else if (tiffExtension(name) !== '') {
        if (!images) {
          images = new Map();
          this.images.set(path, images);
        }
        const file = builder.addFile(directory, name, parseHarmonyName(name) ? 'other' : leftOut(name, path));
        images.set(name, file);
        this.#noteExtension(file, tiffExtension(name));
      } else {
        const rank = harmonyIndexRank(name);
        const isMetadata = rank !== undefined || METADATA_FILE.test(name);
        const file = builder.addFile(directory, name, isMetadata ? 'metadata' : leftOut(name, path));
        if (rank !== undefined && indexHere)
          this.indexes.push({ path: joinPath(path, name), folder: path, file, rank });
      }
    }
    this.#aside.add(walked);
  }

  #noteExtension(file: number, extension: string): void {
    let number = this.#extensions.indexOf(extension);
    if (number < 0) number = this.#extensions.push(extension) - 1;
    while (this.#extensionOf.length < file) this.#extensionOf.push(0);
    this.#extensionOf.push(number);
  }

  /** Extension of an image as it is spelt, with the dot. */
  extension(file: number): string {
    return this.#extensions[this.#extensionOf.values[file] ?? 0] ?? '';
  }

  /** Images that no Index names: by the grammar of names, in the folders where images lie. */
  *unlisted(isListed: (file: number) => boolean) {
    for (const [folder, files] of this.images) {
      const known = IMAGE_FOLDER.test(folder);
      for (const [name, file] of files) {
        if (isListed(file)) continue;
        const parsed = parseHarmonyName(name);
        if (!parsed) {
          if (leftOut(name, folder) === 'other') this.#unread.add(joinPath(folder, name));
        } else if (!known) this.#stray.add(joinPath(folder, name));
        else yield { file, path: joinPath(folder, name), name: parsed };
      }
    }
  }

  /** What was left aside; call last. */
  warnings(): PlateWarning[] {
    const aside = 'they are reachable under source/ only';
    return [
      ...this.#unread.tell(
        'unrecognised-name',
        'image is not named by an Index, nor like r01c01f01p01-ch1sk1fk1fl1.tiff',
        'images are not named by an Index, nor like r01c01f01p01-ch1sk1fk1fl1.tiff',
        aside,
      ),
      ...this.#stray.tell(
        'unrecognised-folder',
        'file is named like an image of the plate, in a folder where no Index looks for it',
        'files are named like images of the plate, in folders where no Index looks for them',
        aside,
      ),
      ...this.#aside.warnings(),
    ];
  }
}
