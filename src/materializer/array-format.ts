import type { Dtype } from '../core/nd-array.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import type { ChunkCodec } from '../model/landing-format.ts';
import {
  type ArrayShape,
  type NgffVersion,
  ZARR_V2_DTYPES,
  ZARR_V3_BYTES,
  zarrV2Array,
  zarrV3Array,
} from '../model/ngff.ts';
import { isObject, type JsonObject } from './atomic-json.ts';
import { codecOfCodecs, codecOfCompressor, codecsMetadata, compressorMetadata } from './chunk-codec.ts';

/** Where a plane is on the axes t, c, z. */
export type PlaneIndex = readonly [t: number, c: number, z: number];

/** How an array of the store is cut into files. It never changes as long as the array is there. */
export interface ArrayFormat {
  readonly version: NgffVersion;
  readonly codec: ChunkCodec;
  /** Planes along t, c, z in one chunk file. */
  readonly planes: PlaneIndex;
  /** Whether a chunk file is a shard, in which each plane is encoded by itself. */
  readonly isSharded: boolean;
}

/** What an array's document says. */
export interface StoredArray {
  readonly shape: ArrayShape;
  readonly dtype: Dtype;
  readonly format: ArrayFormat;
}

/** Whether a chunk file may hold planes of several files: they are put together when all of them are staged. */
export const isPacked = ({ planes: [t, c, z], isSharded }: ArrayFormat): boolean =>
  isSharded || t * c * z > 1;

/** Name of the document of an array: `.zarray` or `zarr.json`. */
export const arrayDocumentName = (version: NgffVersion): string =>
  version === '0.4' ? '.zarray' : 'zarr.json';

/** The document of an array. In a shard every plane is a chunk (Zarr v3 spec, sharding codec 1.0). */
export function arrayDocument({ shape, dtype, format }: StoredArray): object {
  const { version, codec, planes, isSharded } = format;
  const [, , , height, width] = shape;
  const chunkShape: ArrayShape = [...planes, height, width];
  if (version === '0.4') return zarrV2Array(shape, chunkShape, dtype, compressorMetadata(codec));
  const codecs = [ZARR_V3_BYTES, ...codecsMetadata(codec, itemSizeBytes(dtype))];
  return zarrV3Array(
    shape,
    chunkShape,
    dtype,
    isSharded ? [shardCodec([1, 1, 1, height, width], codecs)] : codecs,
  );
}

function shardCodec(chunkShape: ArrayShape, codecs: readonly object[]): object {
  return {
    name: 'sharding_indexed',
    configuration: {
      chunk_shape: chunkShape,
      codecs,
      index_codecs: [ZARR_V3_BYTES, { name: 'crc32c' }],
      index_location: 'end',
    },
  };
}

/** Reads what {@link arrayDocument} writes, undefined when it is anything else. */
export function readArrayDocument(document: JsonObject): StoredArray | undefined {
  return document['zarr_format'] === 2 ? readV2(document) : readV3(document);
}

function readV2({ shape, chunks, dtype, compressor }: JsonObject): StoredArray | undefined {
  const found = Object.entries(ZARR_V2_DTYPES).find(([, zarr]) => zarr === dtype)?.[0] as Dtype | undefined;
  const codec = codecOfCompressor(compressor);
  if (!isShape(shape) || !isShape(chunks) || !found || !codec) return undefined;
  return {
    shape,
    dtype: found,
    format: { version: '0.4', codec, planes: planesOf(chunks), isSharded: false },
  };
}

function readV3(document: JsonObject): StoredArray | undefined {
  const { shape, codecs, data_type: dtype } = document;
  const chunks = configurationOf(document['chunk_grid'])['chunk_shape'];
  const found = (Object.keys(ZARR_V2_DTYPES) as Dtype[]).find((known) => known === dtype);
  if (!isShape(shape) || !isShape(chunks) || !found || !Array.isArray(codecs)) return undefined;
  const [first] = codecs as unknown[];
  const isSharded = isObject(first) && first['name'] === 'sharding_indexed';
  const inner = isSharded ? configurationOf(first)['codecs'] : codecs;
  const codec = Array.isArray(inner) ? codecOfCodecs(inner) : undefined;
  return (
    codec && { shape, dtype: found, format: { version: '0.5', codec, planes: planesOf(chunks), isSharded } }
  );
}

function configurationOf(value: unknown): JsonObject {
  const configuration = isObject(value) ? value['configuration'] : undefined;
  return isObject(configuration) ? configuration : {};
}

const planesOf = ([t, c, z]: ArrayShape): PlaneIndex => [t, c, z];

function isShape(value: unknown): value is ArrayShape {
  return Array.isArray(value) && value.length === 5 && value.every(Number.isSafeInteger);
}

/** Key, below the array, of the file of the chunk at these places of the grid along t, c, z. */
export function chunkKeyAt({ version }: Pick<ArrayFormat, 'version'>, [t, c, z]: PlaneIndex): string {
  return version === '0.4' ? `${t}/${c}/${z}/0/0` : `c/${t}/${c}/${z}/0/0`;
}

/** Key, below the array, of the file that holds a plane. */
export function chunkKeyOf(format: ArrayFormat, [t, c, z]: PlaneIndex): string {
  const [planesT, planesC, planesZ] = format.planes;
  return chunkKeyAt(format, [Math.floor(t / planesT), Math.floor(c / planesC), Math.floor(z / planesZ)]);
}
