import type { Dtype } from '../core/nd-array.ts';
import {
  type ArrayShape,
  multiscalesOf,
  omeroOf,
  plateOf,
  wellOf,
  ZARR_V2_DTYPES,
  zarrV2Array,
} from '../model/ngff.ts';
import { parseWellName, rowLetters } from '../model/well.ts';
import { type ChunkCodec, compressorMetadata } from './chunk-codec.ts';
import { columnName } from './placement.ts';

/** Metadata of the store that results land in: OME-NGFF 0.4 on zarr v2. Pure. */
const NGFF_VERSION = '0.4';

export function dtypeOfZarr(text: unknown): Dtype | undefined {
  const found = Object.entries(ZARR_V2_DTYPES).find(([, zarr]) => zarr === text);
  return found?.[0] as Dtype | undefined;
}

/** `.zarray`: one chunk per plane. */
export function arrayMetadata(shape: ArrayShape, dtype: Dtype, codec: ChunkCodec): object {
  return zarrV2Array(shape, [1, 1, 1, shape[3], shape[4]], dtype, compressorMetadata(codec));
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

/** `.zattrs` of an image. `omero` only where a channel's name is known. */
export function imageAttributes(facts: ImageFacts, platefs: object): object {
  const { channelNames, channelCount, dtype } = facts;
  const multiscales = multiscalesOf(facts, [{ path: '0', factors: [1, 1, 1, 1, 1] }], NGFF_VERSION);
  const channels = Array.from({ length: channelCount }, (_, index) => ({
    label: channelNames[index] ?? `w${index + 1}`,
  }));
  const isNamed = Object.keys(channelNames).length > 0;
  const omero = isNamed ? omeroOf(channels, dtype, NGFF_VERSION) : undefined;
  return { multiscales, ...(omero ? { omero } : {}), platefs };
}

export interface WellImage {
  readonly path: string;
  readonly acquisition: number;
}

/** `.zattrs` of a well. */
export function wellAttributes(images: readonly WellImage[]): object {
  const sorted = images.toSorted((a, b) => Number(a.path) - Number(b.path));
  return { well: wellOf(sorted, NGFF_VERSION) };
}

export interface PlateContent {
  readonly name: string;
  /** Group names; the acquisition's id is its place in `ids`. */
  readonly acquisitions: readonly { readonly id: number; readonly name: string; readonly fields: number }[];
  /** `A/01`. */
  readonly wells: readonly string[];
  readonly fieldCount: number;
}

/** `plate` of the root's `.zattrs`; undefined without a well. */
export function plateAttributes(plate: PlateContent): object | undefined {
  const positions = plate.wells
    .flatMap((path) => parseWellName(path) ?? [])
    .toSorted((a, b) => a.row - b.row || a.column - b.column);
  const rows = [...new Set(positions.map((well) => well.row))].toSorted((a, b) => a - b);
  const columns = [...new Set(positions.map((well) => well.column))].toSorted((a, b) => a - b);
  return plateOf(
    {
      ...plate,
      rows: rows.map(rowLetters),
      columns: columns.map(columnName),
      wells: positions.map(({ row, column }) => ({
        rowIndex: rows.indexOf(row),
        columnIndex: columns.indexOf(column),
      })),
    },
    NGFF_VERSION,
  );
}
