import { realpathSync } from 'node:fs';
import { PlateFsError } from '../../core/errors.ts';
import { compareNatural } from '../../model/natural-order.ts';
import type { PlateWarning } from '../../model/plate.ts';
import {
  MAX_WELL_COLUMNS,
  MAX_WELL_ROWS,
  parseWellName,
  type WellPosition,
  wellName,
} from '../../model/well.ts';
import { type ReadFile, readGroup, type ZarrGroup } from '../../zarr/group.ts';
import {
  type NgffPlate,
  type NgffWell,
  ngffOf,
  parsePlate,
  parseSeries,
  parseWell,
} from '../../zarr/ngff-metadata.ts';
import type { NgffKind } from './ngff-detect.ts';
import { joinPath } from './plate-path.ts';
import { liesWithin, safeStorePath } from './store-path.ts';

/** An image of the store, and where on the plate it belongs. */
export interface ImagePlace {
  readonly well: WellPosition;
  readonly site: number;
  /** Of the well's images, where the metadata says it. */
  readonly acquisition: number | undefined;
  /** Below the store; '' for the store itself. */
  readonly path: string;
}

/** Wells and fields a plate can have: 1536 wells with 10,000 fields each are not found in nature. */
const MAX_IMAGES = 2 ** 22;

/** Reads a store's groups, tells what is wrong with them, and remembers which files were read. */
export class NgffStore {
  readonly warnings: PlateWarning[] = [];
  /** Paths below the root the index is made of. */
  readonly readFiles = new Map<string, { sizeBytes: number; mtimeMs: number }>();
  readonly #root: string;
  readonly #store: string;
  readonly #realStore: string;

  /** `store` is the path of the store below `root`, '' when it is the root. */
  constructor(root: string, store: string) {
    this.#root = root;
    this.#store = store;
    this.#realStore = realpathSync(this.absolute(''));
  }

  /** Path below the index's root of a path below the store. */
  pathOf(path: string): string {
    return joinPath(this.#store, path);
  }

  absolute(path: string): string {
    return joinPath(this.#root, this.pathOf(path));
  }

  warn(kind: string, path: string, message: string, rule?: string): void {
    const file = this.pathOf(path);
    this.warnings.push({
      kind,
      message: `${file === '' ? 'the store' : file} ${message}`,
      files: [file],
      ...(rule === undefined ? {} : { rule }),
    });
  }

  /** The path that metadata at `from` names; undefined, with a warning, when it leads out of the store. */
  inside(from: string, path: string): string | undefined {
    const safe = safeStorePath(path);
    const shown = JSON.stringify(path.slice(0, 100));
    if (safe === undefined) {
      this.warn(
        'bad-metadata',
        from,
        `names ${shown}, which is no path inside it`,
        'what it names is not shown',
      );
      return undefined;
    }
    const below = joinPath(from, safe);
    if (liesWithin(this.absolute(below), this.#realStore)) return below;
    this.warn(
      'missing-image',
      from,
      `names ${shown}, which is not there, or is a link that leads out of the store`,
      'what it names is not shown',
    );
    return undefined;
  }

  /** The group at a path; undefined, with a warning, when it is none or damaged. */
  group(path: string): ZarrGroup | undefined {
    try {
      const group = readGroup(this.absolute(path));
      if (group) this.remember(path, group.files);
      else
        this.warn('missing-image', path, 'is named by the metadata, but is no Zarr group', 'it is not shown');
      return group;
    } catch (error) {
      if (!(error instanceof PlateFsError)) throw error;
      this.warn('bad-metadata', path, `has metadata that can't be read: ${error.message}`, 'it is not shown');
      return undefined;
    }
  }

  /** Says that these files of a folder were read: the index is good while they stay as they are. */
  remember(path: string, files: readonly ReadFile[]): void {
    for (const { name, sizeBytes, mtimeMs } of files)
      this.readFiles.set(this.pathOf(joinPath(path, name)), { sizeBytes, mtimeMs });
  }

  /** Every image that the store's metadata names. `folders` are the names in the store's folder. */
  *images(kind: NgffKind, group: ZarrGroup, folders: readonly string[]): Generator<ImagePlace> {
    let count = 0;
    for (const place of this.#places(kind, group, folders)) {
      if ((count += 1) > MAX_IMAGES) {
        this.warn('bad-metadata', '', `names more than ${MAX_IMAGES} images`, 'the others are not shown');
        return;
      }
      yield place;
    }
  }

  *#places(kind: NgffKind, group: ZarrGroup, folders: readonly string[]): Generator<ImagePlace> {
    const ngff = ngffOf(group.attributes);
    const plate = parsePlate(ngff);
    if (kind === 'plate' && plate) {
      yield* this.#plateImages(plate);
      return;
    }
    const rule = 'it is shown as well A01';
    if (kind === 'image') {
      this.warn('no-plate', '', 'is an image that belongs to no plate', rule);
      yield { well: FIRST_WELL, site: 1, acquisition: undefined, path: '' };
      return;
    }
    this.warn('no-plate', '', 'holds images that belong to no plate', `${rule}, one field per image`);
    let site = 0;
    for (const name of this.#seriesPaths(folders)) {
      site += 1;
      const path = this.inside('', name);
      if (path !== undefined) yield { well: FIRST_WELL, site, acquisition: undefined, path };
    }
  }

  /** The series that `OME/` lists, else the folders with numbers (0.4, "bioformats2raw.layout"). */
  #seriesPaths(folders: readonly string[]): readonly string[] {
    const group = folders.includes('OME') ? this.group('OME') : undefined;
    const listed = group && parseSeries(ngffOf(group.attributes));
    return listed ?? folders.filter((name) => /^\d+$/.test(name)).sort(compareNatural);
  }

  *#plateImages(plate: NgffPlate): Generator<ImagePlace> {
    const seen = new Map<string, string>();
    if (plate.wells.length === 0) this.warn('bad-metadata', '', 'is a plate that lists no wells');
    for (const listed of plate.wells) {
      const path = this.inside('', listed.path);
      if (path === undefined) continue;
      const well = this.#wellOf(plate, listed, path);
      if (!well) continue;
      const name = wellName(well);
      const other = seen.get(name);
      if (other !== undefined) {
        this.warn('name-collision', path, `is well ${name}, as ${other} is`, 'the first one listed is shown');
        continue;
      }
      seen.set(name, path);
      yield* this.#wellImages(well, path);
    }
  }

  /** Which well a listed one is: by the names in its path, else by its place in the lists of rows and columns. */
  #wellOf(plate: NgffPlate, { rowIndex, columnIndex }: NgffWell, path: string): WellPosition | undefined {
    const [row = '', column = ''] = path.split('/').slice(-2);
    const byPath = parseWellName(`${row}/${column}`);
    const byList =
      rowIndex === undefined || columnIndex === undefined
        ? undefined
        : parseWellName(`${plate.rows[rowIndex] ?? ''}/${plate.columns[columnIndex] ?? ''}`);
    if (byPath && byList && wellName(byPath) !== wellName(byList))
      this.warn(
        'contradiction',
        path,
        `is listed at the row and column of ${wellName(byList)}`,
        `its path decides: ${wellName(byPath)}`,
      );
    const named = byPath ?? byList;
    if (named) return named;
    const inRange =
      rowIndex !== undefined &&
      columnIndex !== undefined &&
      rowIndex >= 0 &&
      rowIndex < MAX_WELL_ROWS &&
      columnIndex >= 0 &&
      columnIndex < MAX_WELL_COLUMNS;
    if (!inRange) {
      this.warn('bad-metadata', path, 'is no well of a plate up to 1536 wells', 'its images are not shown');
      return undefined;
    }
    const position = { row: rowIndex, column: columnIndex };
    this.warn(
      'unrecognised-name',
      path,
      'is named unlike a well',
      `its place in the lists of rows and columns decides: ${wellName(position)}`,
    );
    return position;
  }

  *#wellImages(well: WellPosition, path: string): Generator<ImagePlace> {
    const group = this.group(path);
    if (!group) return;
    const images = parseWell(ngffOf(group.attributes));
    if (!images) {
      this.warn('bad-metadata', path, 'has no metadata of a well', 'its images are not shown');
      return;
    }
    if (images.length === 0) this.warn('bad-metadata', path, 'is a well that lists no images');
    // The site is the place among the images of one acquisition: image 0 of the next is the same field again.
    const sites = new Map<number | undefined, number>();
    for (const { path: name, acquisition } of images) {
      const site = (sites.get(acquisition) ?? 0) + 1;
      sites.set(acquisition, site);
      const image = this.inside(path, name);
      if (image !== undefined) yield { well, site, acquisition, path: image };
    }
  }
}

const FIRST_WELL: WellPosition = { row: 0, column: 0 };
