import { PlateFsError } from '../../core/errors.ts';
import { asObject, type JsonObject } from '../../core/json-text.ts';
import { parseWellName, type WellPosition, wellName } from '../../model/well.ts';
import type { ArrayMetadata } from '../../zarr/array-metadata.ts';
import { asArray, readJsonObjectIfPresent } from '../../zarr/json.ts';
import type { OpenHcsFile } from './openhcs-file.ts';
import type { ArrayFile, OpenHcsFiles } from './openhcs-files.ts';
import { type OpenHcsName, parseOpenHcsName } from './openhcs-name.ts';
import { flatPathCandidates, lastName } from './openhcs-path.ts';
import { inSlices, type OpenHcsPlanes } from './openhcs-planes.ts';
import { pageAt, planeDetail, whyNoImages } from './openhcs-reference.ts';
import type { OpenHcsSubdirectory } from './openhcs-survey.ts';
import { joinPath } from './plate-path.ts';
import { WarningTally } from './warning-tally.ts';

/**
 * Attributes of an array that say which of its planes each file name means, an index per leading axis: those of
 * PolyStore 0.1.0 and later, and of OpenHCS before it. Up to PolyStore 0.1.30 the axes are field, c, z; since, they
 * are declared. An index is a place along its axis, not a channel's or field's number: only the map tells.
 */
const MAPS = ['polystore_filename_map', 'openhcs_filename_map'] as const;

/** An array of the store, and the planes that it names. */
interface NamedArray {
  readonly array: ArrayFile;
  readonly map: JsonObject;
  readonly mapName: string;
}

/** Adds the planes of an OpenHCS Zarr store: the folder that a subdirectory names. */
export class OpenHcsZarr {
  readonly #files: OpenHcsFiles;
  readonly #planes: OpenHcsPlanes;
  readonly #root: string;
  readonly #named: NamedArray[] = [];
  readonly #unlisted = new WarningTally();
  readonly #misplaced = new WarningTally();
  /** Names of the maps, as the list of images is checked against them. */
  readonly #names = new Set<string>();

  constructor(files: OpenHcsFiles, planes: OpenHcsPlanes, root: string) {
    this.#files = files;
    this.#planes = planes;
    this.#root = root;
  }

  /** Which attribute the maps are. */
  get mapName(): string | undefined {
    return this.#named[0]?.mapName;
  }

  /**
   * Finds the arrays that name their planes in the store in a folder, but for those in the folders `apart`, which belong
   * to other stores. @returns whether there are any.
   */
  async find(folder: string, apart: readonly string[], signal: AbortSignal): Promise<boolean> {
    const isIn = (path: string, above: string): boolean => above === '' || path.startsWith(`${above}/`);
    const others = apart.filter((other) => other !== folder && isIn(other, folder));
    this.#named.length = 0;
    await inSlices(this.#files.arrays, signal, (array) => {
      if (!isIn(array.folder, folder) || others.some((other) => isIn(array.folder, other))) return;
      const named = this.#read(array);
      if (named) this.#named.push(named);
    });
    return this.#named.length > 0;
  }

  #read(array: ArrayFile): NamedArray | undefined {
    const { folder, name } = array;
    const path = joinPath(folder, name);
    let attributes: JsonObject | undefined;
    try {
      const from = name === '.zarray' ? joinPath(folder, '.zattrs') : path;
      const document = readJsonObjectIfPresent(joinPath(this.#root, from));
      if (document) this.#files.addEvidence(from, document);
      attributes = name === '.zarray' ? document?.value : asObject(document?.value['attributes']);
    } catch (error) {
      if (!(error instanceof PlateFsError)) throw error;
      this.#warn('bad-metadata', folder, `has attributes that can't be read: ${error.message}`);
      return undefined;
    }
    for (const mapName of MAPS) {
      const map = asObject(attributes?.[mapName]);
      if (map) return { array, map, mapName };
    }
    // OpenHCS saves an image that is no part of a batch as an array of its own, which has the image's name.
    const own = lastName(folder);
    if (parseOpenHcsName(own, 'either'))
      return { array, map: { [own]: [] }, mapName: 'arrays named as images' };
    if (attributes?.['output_paths'] !== undefined)
      this.#warn(
        'unsupported-image',
        folder,
        'is an array of a release that did not say which image is where',
      );
    return undefined;
  }

  #warn(kind: string, path: string, message: string): void {
    this.#planes.warn(kind, `${path} ${message}`, [path], 'its images are not shown');
  }

  /** Adds the planes of the arrays that were found. */
  async addPlanes(signal: AbortSignal): Promise<void> {
    await inSlices(this.#planesOfAll(), signal, ({ array, metadata, name, page, shownAs }) => {
      this.#names.add(shownAs);
      this.#planes.add(array.file, name, shownAs, planeDetail(metadata, page));
    });
  }

  *#planesOfAll() {
    for (const { array, map } of this.#named) {
      const metadata = this.#metadata(array);
      const why = metadata && whyNoImages(metadata);
      if (why !== undefined) this.#warn('unsupported-image', array.folder, why);
      if (!metadata || why !== undefined) continue;
      const well = wellOfFolder(array.folder);
      const namesOfPages = new Map<number, string>();
      for (const [shownAs, place] of Object.entries(map)) {
        const name = this.#planes.address(shownAs);
        if (!name) continue;
        const page = pageAt(metadata.shape, (asArray(place) ?? [Number.NaN]).map(Number));
        const other = page === undefined ? undefined : namesOfPages.get(page);
        if (page === undefined) {
          const index = JSON.stringify(place)?.slice(0, 60);
          this.#planes.addFaulty(`${shownAs} of ${array.folder} (${index} in [${metadata.shape}])`);
          continue;
        }
        if (other !== undefined) this.#planes.addShared(`${shownAs} of ${array.folder}, as ${other}`);
        namesOfPages.set(page, shownAs);
        this.#checkWell(array, well, name, shownAs);
        yield { array, metadata, name, page, shownAs };
      }
    }
  }

  #metadata({ folder, name }: ArrayFile): ArrayMetadata | undefined {
    try {
      return this.#files.arrayMetadata(joinPath(folder, name));
    } catch (error) {
      if (!(error instanceof PlateFsError)) throw error;
      const kind = error.tag === 'unsupported-zarr' ? 'unsupported-image' : 'bad-metadata';
      this.#warn(kind, folder, `can't be read: ${error.message}`);
      return undefined;
    }
  }

  #checkWell(
    { folder }: ArrayFile,
    well: WellPosition | undefined,
    name: OpenHcsName,
    shownAs: string,
  ): void {
    if (well && wellName(well) !== wellName(name.well)) this.#misplaced.add(`${shownAs} in ${folder}`);
  }

  /** Compares the list of the metadata with what the store has; call after `addPlanes`. */
  async checkList(file: OpenHcsFile, main: OpenHcsSubdirectory, signal: AbortSignal): Promise<void> {
    if (main.listed === 0) return;
    const absent = new WarningTally();
    const unlisted = this.#names;
    const known = new Set(unlisted);
    await inSlices(file.images(main, 'list'), signal, ({ virtual }) => {
      const name = lastName(virtual);
      if (known.has(name)) unlisted.delete(name);
      else absent.add(virtual);
    });
    for (const name of unlisted) this.#unlisted.add(name);
    for (const { kind, message, files, rule = '' } of [
      ...absent.tell(
        'absent-image',
        'image listed by the metadata and not in the store',
        'images listed by the metadata and not in the store',
        'they are left out',
      ),
      ...this.#unlisted.tell(
        'unlisted-image',
        'image in the store and not listed',
        'images in the store and not listed',
        'they are shown',
      ),
      ...this.#misplaced.tell(
        'contradiction',
        "image of another well than its array's folder",
        "images of another well than its array's folder",
        'the name in the map decides',
      ),
    ])
      this.#planes.warn(kind, message, files, rule);
  }
}

/** The well that an array's folder `<store>/B/02/0/0` belongs to. */
function wellOfFolder(folder: string): WellPosition | undefined {
  const [row, column] = folder.split('/').slice(-4, -2);
  return row === undefined || column === undefined ? undefined : parseWellName(`${row}/${column}`);
}

/** Folders that may hold the store of the flat layout, likeliest first. */
export function flatStoreFolders(main: OpenHcsSubdirectory, root: string): readonly string[] {
  const paths = main.examples.flatMap((path) => flatPathCandidates(path, root));
  return [...new Set(paths.map((path) => path.slice(0, Math.max(0, path.lastIndexOf('/')))))];
}
