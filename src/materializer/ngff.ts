import type { Dtype } from '../core/nd-array.ts';
import { parseWellName, rowLetters } from '../model/well.ts';
import { type ChunkCodec, compressorMetadata } from './chunk-codec.ts';
import { columnName } from './placement.ts';

/** Metadata of OME-NGFF 0.4 (https://ngff.openmicroscopy.org/0.4/) on zarr v2. Pure. */
const NGFF_VERSION = '0.4';
export const ZARR_GROUP = { zarr_format: 2 };

export type ArrayShape = readonly [t: number, c: number, z: number, y: number, x: number];

const ZARR_DTYPES: Readonly<Record<Dtype, string>> = {
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

export function dtypeOfZarr(text: unknown): Dtype | undefined {
  const found = Object.entries(ZARR_DTYPES).find(([, zarr]) => zarr === text);
  return found?.[0] as Dtype | undefined;
}

/** `.zarray`: one chunk per plane. */
export function arrayMetadata(shape: ArrayShape, dtype: Dtype, codec: ChunkCodec): object {
  return {
    chunks: [1, 1, 1, shape[3], shape[4]],
    compressor: compressorMetadata(codec),
    dimension_separator: '/',
    dtype: ZARR_DTYPES[dtype],
    fill_value: 0,
    filters: null,
    order: 'C',
    shape,
    zarr_format: 2,
  };
}

/** Key of the chunk that holds the plane at t, c, z. */
export function chunkKey([t, c, z]: readonly [number, number, number]): string {
  return `${t}/${c}/${z}/0/0`;
}

export interface ImageFacts {
  readonly name: string;
  readonly dtype: Dtype;
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  /** Names by index on the c axis; absent where unknown. */
  readonly channelNames: Readonly<Record<string, string>>;
  readonly channelCount: number;
}

/** `.zattrs` of an image. What is unknown has scale 1 and no unit. */
export function imageAttributes(facts: ImageFacts, platefs: object): object {
  const { pixelSizeUm, zSpacingUm, timeIntervalS } = facts;
  const micrometre = (known: unknown): object => (known === undefined ? {} : { unit: 'micrometer' });
  const multiscales = [
    {
      version: NGFF_VERSION,
      name: facts.name,
      axes: [
        { name: 't', type: 'time', ...(timeIntervalS === undefined ? {} : { unit: 'second' }) },
        { name: 'c', type: 'channel' },
        { name: 'z', type: 'space', ...micrometre(zSpacingUm) },
        { name: 'y', type: 'space', ...micrometre(pixelSizeUm) },
        { name: 'x', type: 'space', ...micrometre(pixelSizeUm) },
      ],
      datasets: [
        {
          path: '0',
          coordinateTransformations: [
            {
              type: 'scale',
              scale: [timeIntervalS ?? 1, 1, zSpacingUm ?? 1, pixelSizeUm?.y ?? 1, pixelSizeUm?.x ?? 1],
            },
          ],
        },
      ],
    },
  ];
  const omero = omeroChannels(facts);
  return { multiscales, ...(omero ? { omero } : {}), platefs };
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

/**
 * `omero.channels` where a channel's name is known. The schema demands a colour and a window; they are white and
 * the type's range. Types without such a range have no block, for a window would be made up.
 */
function omeroChannels(facts: ImageFacts): object | undefined {
  const range = RANGES[facts.dtype];
  if (!range || Object.keys(facts.channelNames).length === 0) return undefined;
  const [min, max] = range;
  const channels = Array.from({ length: facts.channelCount }, (_, index) => ({
    label: facts.channelNames[index] ?? `w${index + 1}`,
    color: 'FFFFFF',
    active: true,
    window: { min, max, start: min, end: max },
  }));
  return { version: NGFF_VERSION, channels };
}

export interface WellImage {
  readonly path: string;
  readonly acquisition: number;
}

/** `.zattrs` of a well. */
export function wellAttributes(images: readonly WellImage[]): object {
  const sorted = images.toSorted((a, b) => Number(a.path) - Number(b.path));
  return {
    well: {
      version: NGFF_VERSION,
      images: sorted.map(({ path, acquisition }) => ({ path, acquisition })),
    },
  };
}

export interface PlateContent {
  readonly name: string;
  /** Group names; the acquisition's id is its place in `ids`. */
  readonly acquisitions: readonly { readonly id: number; readonly name: string; readonly fields: number }[];
  /** `A/01`. */
  readonly wells: readonly string[];
  readonly fieldCount: number;
}

/** `plate` of the root's `.zattrs`; undefined without a well, for the schema demands one. */
export function plateAttributes(plate: PlateContent): object | undefined {
  if (plate.wells.length === 0) return undefined;
  const positions = plate.wells
    .flatMap((path) => parseWellName(path) ?? [])
    .toSorted((a, b) => a.row - b.row || a.column - b.column);
  const rows = [...new Set(positions.map((well) => well.row))].toSorted((a, b) => a - b);
  const columns = [...new Set(positions.map((well) => well.column))].toSorted((a, b) => a - b);
  return {
    version: NGFF_VERSION,
    name: plate.name,
    field_count: Math.max(1, plate.fieldCount),
    acquisitions: plate.acquisitions.map(({ id, name, fields }) => ({
      id,
      name,
      ...(fields > 0 ? { maximumfieldcount: fields } : {}),
    })),
    rows: rows.map((row) => ({ name: rowLetters(row) })),
    columns: columns.map((column) => ({ name: columnName(column) })),
    wells: positions.map(({ row, column }) => ({
      path: `${rowLetters(row)}/${columnName(column)}`,
      rowIndex: rows.indexOf(row),
      columnIndex: columns.indexOf(column),
    })),
  };
}
