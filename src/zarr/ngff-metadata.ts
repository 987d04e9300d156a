import { asObject, type JsonObject } from '../core/json-text.ts';
import { asArray, asInteger, asString } from './json.ts';
import { type AxisMeasure, type NgffAxis, parseAxes, parseMeasures } from './ngff-axes.ts';

/*
 * OME-NGFF metadata, versions 0.1 to 0.5 (https://ngff.openmicroscopy.org): `plate`, `well`, `multiscales`, `omero`
 * and `bioformats2raw.layout`, in the attributes of Zarr v2 groups or, since 0.5, below `ome` in those of v3 groups.
 */

/** A well that a plate lists. */
export interface NgffWell {
  readonly path: string;
  /** Positions in the plate's lists of rows and columns, since 0.4. */
  readonly rowIndex?: number;
  readonly columnIndex?: number;
}

export interface NgffPlate {
  readonly name?: string;
  readonly wells: readonly NgffWell[];
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** In the order of the metadata. */
  readonly acquisitions: readonly { readonly id: number; readonly name?: string }[];
}

/** An image that a well lists. */
export interface NgffWellImage {
  readonly path: string;
  readonly acquisition?: number;
}

export interface NgffChannel {
  readonly label?: string;
  /** Hexadecimal RGB, `00FFFF`. */
  readonly color?: string;
}

/** One multiscale image. */
export interface NgffImage {
  readonly name?: string;
  /** Path of the array of full resolution, below the image. */
  readonly levelPath: string;
  /** Of the array, outermost first; undefined before 0.3, when they were always `tczyx`. */
  readonly axes: readonly NgffAxis[] | undefined;
  /** Per axis, where the metadata has a scale. */
  readonly measures: readonly AxisMeasure[];
  readonly channels: readonly NgffChannel[];
  /** Further multiscale images of the same group, which aren't looked at. */
  readonly moreImages: number;
}

/** The attributes that OME-NGFF defines, from wherever they are: OpenHCS writes 0.4's beside an `ome` of its own. */
export function ngffOf(attributes: JsonObject): JsonObject {
  return { ...attributes, ...asObject(attributes['ome']) };
}

const SAFE_VERSION = /^[\w.+-]{1,20}$/;

/** The version that the metadata says, where it says one. */
export function ngffVersion(ngff: JsonObject): string | undefined {
  const inner = [
    ngff,
    asObject(ngff['plate']),
    asObject(ngff['well']),
    asObject(asArray(ngff['multiscales'])?.[0]),
  ];
  for (const holder of inner) {
    const version = asString(holder?.['version']);
    if (version !== undefined && SAFE_VERSION.test(version)) return version;
  }
  return undefined;
}

const names = (value: unknown): string[] =>
  (asArray(value) ?? []).flatMap((entry) => {
    const name = asObject(entry)?.['name'];
    // 0.1 had numbers here.
    return typeof name === 'string' || typeof name === 'number' ? [String(name)] : [];
  });

/** The plate that the attributes describe, if any. */
export function parsePlate(ngff: JsonObject): NgffPlate | undefined {
  const plate = asObject(ngff['plate']);
  if (!plate) return undefined;
  const name = asString(plate['name']);
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    wells: (asArray(plate['wells']) ?? []).flatMap((entry) => {
      const well = asObject(entry);
      const path = asString(well?.['path']);
      if (!well || path === undefined) return [];
      const rowIndex = asInteger(well['rowIndex'] ?? well['row_index']);
      const columnIndex = asInteger(well['columnIndex'] ?? well['column_index']);
      return [
        {
          path,
          ...(rowIndex === undefined ? {} : { rowIndex }),
          ...(columnIndex === undefined ? {} : { columnIndex }),
        },
      ];
    }),
    rows: names(plate['rows']),
    columns: names(plate['columns']),
    acquisitions: (asArray(plate['acquisitions']) ?? []).flatMap((entry) => {
      const id = asInteger(asObject(entry)?.['id']);
      const title = asString(asObject(entry)?.['name']);
      return id === undefined ? [] : [{ id, ...(title === undefined ? {} : { name: title }) }];
    }),
  };
}

/** The images of a well, if the attributes describe one. */
export function parseWell(ngff: JsonObject): readonly NgffWellImage[] | undefined {
  const images = asArray(asObject(ngff['well'])?.['images']);
  return images?.flatMap((entry) => {
    const image = asObject(entry);
    const path = image?.['path'];
    if (typeof path !== 'string' && typeof path !== 'number') return [];
    const acquisition = asInteger(image?.['acquisition']);
    return [{ path: String(path), ...(acquisition === undefined ? {} : { acquisition }) }];
  });
}

/** The image that the attributes describe, if any. */
export function parseImage(ngff: JsonObject): NgffImage | undefined {
  const multiscales = asArray(ngff['multiscales']);
  const first = asObject(multiscales?.[0]);
  const level = asObject(asArray(first?.['datasets'])?.[0]);
  const levelPath = level?.['path'];
  if (!first || !level || (typeof levelPath !== 'string' && typeof levelPath !== 'number')) return undefined;
  const name = asString(first['name']);
  const axes = parseAxes(first['axes']);
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    levelPath: String(levelPath),
    axes,
    measures: parseMeasures(axes, level['coordinateTransformations'], first['coordinateTransformations']),
    channels: (asArray(asObject(ngff['omero'])?.['channels']) ?? []).map((entry) => {
      const channel = asObject(entry);
      const label = asString(channel?.['label']);
      const color = asString(channel?.['color']);
      return {
        ...(label === undefined || label === '' ? {} : { label }),
        ...(color === undefined || !/^#?[0-9a-fA-F]{6,8}$/.test(color) ? {} : { color }),
      };
    }),
    moreImages: Math.max(0, (multiscales?.length ?? 0) - 1),
  };
}

/** Paths of the arrays of lower resolution that the first multiscale image lists, below the image. */
export function parseLowerLevels(ngff: JsonObject): readonly string[] {
  const datasets = asArray(asObject(asArray(ngff['multiscales'])?.[0])?.['datasets']) ?? [];
  return datasets.slice(1).flatMap((entry) => {
    const path = asObject(entry)?.['path'];
    return typeof path === 'string' || typeof path === 'number' ? [String(path)] : [];
  });
}

/** Names of the nodes that a group's attributes say are below it: wells, images, series and labels. */
export function namedChildren(ngff: JsonObject): readonly string[] {
  const labels = (asArray(ngff['labels']) ?? []).flatMap((path) => asString(path) ?? []);
  const image = parseImage(ngff);
  return [
    ...(parsePlate(ngff)?.wells.map(({ path }) => path) ?? []),
    ...(parseWell(ngff)?.map(({ path }) => path) ?? []),
    ...(parseSeries(ngff) ?? []),
    ...labels,
    ...(image ? [image.levelPath, ...parseLowerLevels(ngff)] : []),
  ];
}

/** Whether the attributes say that the folders below are the series of one file that bioformats2raw converted. */
export function isBioformats2raw(ngff: JsonObject): boolean {
  return ngff['bioformats2raw.layout'] === 3;
}

/** The series that `OME/` lists (0.4, "bioformats2raw.layout"); undefined when it doesn't. */
export function parseSeries(ngff: JsonObject): readonly string[] | undefined {
  return asArray(ngff['series'])?.flatMap((path) => asString(path) ?? []);
}
