import type { Dtype } from '../core/nd-array.ts';
import type { ImageInfo } from './image.ts';

/**
 * Metadata documents of OME-NGFF 0.4 (https://ngff.openmicroscopy.org/0.4/) on Zarr v2, and of 0.5 on Zarr v3
 * (https://zarr-specs.readthedocs.io). Pure: what is shown of a plate and what results land in are described alike.
 */
export const NGFF_VERSIONS = ['0.4', '0.5'] as const;
export type NgffVersion = (typeof NGFF_VERSIONS)[number];

export type ArrayShape = readonly [t: number, c: number, z: number, y: number, x: number];

export const ZARR_V2_DTYPES: Readonly<Record<Dtype, string>> = {
  uint8: '|u1',
  int8: '|i1',
  uint16: '<u2',
  int16: '<i2',
  uint32: '<u4',
  int32: '<i4',
  uint64: '<u8',
  int64: '<i8',
  float16: '<f2',
  float32: '<f4',
  float64: '<f8',
};

/** `.zgroup`. */
export const ZARR_V2_GROUP = { zarr_format: 2 } as const;

/** `.zarray` of an array with axes t, c, z, y, x. What no chunk holds is 0. */
export function zarrV2Array(
  shape: ArrayShape,
  chunkShape: ArrayShape,
  dtype: Dtype,
  compressor: object | null,
): object {
  return {
    chunks: chunkShape,
    compressor,
    dimension_separator: '/',
    dtype: ZARR_V2_DTYPES[dtype],
    fill_value: 0,
    filters: null,
    order: 'C',
    shape,
    zarr_format: 2,
  };
}

/** `zarr.json` of a group whose OME attributes are `ome`, or which has none; `others` stand beside them. */
export function zarrV3Group(ome?: object, others: object = {}): object {
  return {
    zarr_format: 3,
    node_type: 'group',
    attributes: { ...(ome === undefined ? {} : { ome: { version: '0.5', ...ome } }), ...others },
  };
}

/** The codec that turns items into bytes. */
export const ZARR_V3_BYTES = { name: 'bytes', configuration: { endian: 'little' } } as const;

/** `zarr.json` of an array with axes t, c, z, y, x, uncompressed unless `codecs` are given. What no chunk holds is 0. */
export function zarrV3Array(
  shape: ArrayShape,
  chunkShape: ArrayShape,
  dtype: Dtype,
  codecs: readonly object[] = [ZARR_V3_BYTES],
): object {
  return {
    zarr_format: 3,
    node_type: 'array',
    shape,
    data_type: dtype,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: 0,
    codecs,
    dimension_names: ['t', 'c', 'z', 'y', 'x'],
    attributes: {},
  };
}

/** In 0.4 every block says its version; in 0.5 the attributes around them do. */
const versioned = (version: NgffVersion): object => (version === '0.4' ? { version } : {});

/** One resolution of an image: where it lies, and by how much its pixels are larger than those of the first. */
export interface NgffLevel {
  readonly path: string;
  readonly factors: ArrayShape;
}

/** `multiscales` of an image. A scale that is unknown is 1, which the specification demands, and has no unit. */
export function multiscalesOf(
  image: Pick<ImageInfo, 'name' | 'pixelSizeUm' | 'zSpacingUm' | 'timeIntervalS'>,
  levels: readonly NgffLevel[],
  version: NgffVersion,
  downscaling?: { readonly type: string; readonly description: string },
): object[] {
  const { name, pixelSizeUm, zSpacingUm, timeIntervalS } = image;
  const micrometre = (known: unknown): object => (known === undefined ? {} : { unit: 'micrometer' });
  const scale: ArrayShape = [
    timeIntervalS ?? 1,
    1,
    zSpacingUm ?? 1,
    pixelSizeUm?.y ?? 1,
    pixelSizeUm?.x ?? 1,
  ];
  return [
    {
      ...versioned(version),
      name,
      axes: [
        { name: 't', type: 'time', ...(timeIntervalS === undefined ? {} : { unit: 'second' }) },
        { name: 'c', type: 'channel' },
        { name: 'z', type: 'space', ...micrometre(zSpacingUm) },
        { name: 'y', type: 'space', ...micrometre(pixelSizeUm) },
        { name: 'x', type: 'space', ...micrometre(pixelSizeUm) },
      ],
      datasets: levels.map(({ path, factors }) => ({
        path,
        coordinateTransformations: [
          { type: 'scale', scale: scale.map((step, axis) => step * (factors[axis] ?? 1)) },
        ],
      })),
      ...(downscaling === undefined
        ? {}
        : { type: downscaling.type, metadata: { description: downscaling.description } }),
    },
  ];
}

/** Largest and smallest value of the integer types up to 32 bits: the display range that says nothing. */
const RANGES: Partial<Record<Dtype, readonly [min: number, max: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  uint32: [0, 4_294_967_295],
  int32: [-2_147_483_648, 2_147_483_647],
};

const WHITE = 'FFFFFF';

export interface NgffChannel {
  readonly label: string;
  /** Hexadecimal RGB, `00FFFF`; white where unknown, for the schema demands a colour. */
  readonly color?: string | undefined;
}

/**
 * `omero` of an image. The schema demands a window; it is the type's range. Undefined for types without such a
 * range, for a window would be made up.
 */
export function omeroOf(
  channels: readonly NgffChannel[],
  dtype: Dtype,
  version: NgffVersion,
): object | undefined {
  const range = RANGES[dtype];
  if (!range || channels.length === 0) return undefined;
  const [min, max] = range;
  return {
    ...versioned(version),
    channels: channels.map(({ label, color = WHITE }) => ({
      label,
      color,
      active: true,
      window: { min, max, start: min, end: max },
    })),
  };
}

/** The primary colour nearest to light of this wavelength; undefined where none is seen. */
export function colorOfLight(wavelengthNm: number | undefined): string | undefined {
  if (wavelengthNm === undefined || !(wavelengthNm >= 300 && wavelengthNm <= 1000)) return undefined;
  if (wavelengthNm < 490) return '0000FF';
  return wavelengthNm < 570 ? '00FF00' : 'FF0000';
}

export interface NgffWellImage {
  readonly path: string;
  readonly acquisition: number;
}

/** `well` of a well, its images in the order given. */
export function wellOf(images: readonly NgffWellImage[], version: NgffVersion): object {
  return {
    ...versioned(version),
    images: images.map(({ path, acquisition }) => ({ path, acquisition })),
  };
}

export interface NgffPlate {
  readonly name: string;
  readonly fieldCount: number;
  readonly acquisitions: readonly { readonly id: number; readonly name?: string; readonly fields: number }[];
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** Positions in the lists of rows and columns. */
  readonly wells: readonly { readonly rowIndex: number; readonly columnIndex: number }[];
}

/** `plate` of a plate; undefined without a well, for the schema demands one. */
export function plateOf(plate: NgffPlate, version: NgffVersion): object | undefined {
  const { rows, columns, wells } = plate;
  if (wells.length === 0) return undefined;
  return {
    ...versioned(version),
    name: plate.name,
    field_count: Math.max(1, plate.fieldCount),
    acquisitions: plate.acquisitions.map(({ id, name, fields }) => ({
      id,
      ...(name === undefined ? {} : { name }),
      ...(fields > 0 ? { maximumfieldcount: fields } : {}),
    })),
    rows: rows.map((name) => ({ name })),
    columns: columns.map((name) => ({ name })),
    wells: wells.map(({ rowIndex, columnIndex }) => ({
      path: `${rows[rowIndex]}/${columns[columnIndex]}`,
      rowIndex,
      columnIndex,
    })),
  };
}
