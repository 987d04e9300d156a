import { zstdDecompressSync } from 'node:zlib';
import { PlateFsError } from '../../core/errors.ts';
import { bloscDecodedBytes, decodeBlosc } from '../../zarr/codec/blosc-decode.ts';
import { byteUnshuffle } from '../../zarr/codec/byte-shuffle.ts';
import { decodeStream } from '../../zarr/codec/deflate-zstd.ts';
import { inflate } from '../../zarr/codec/inflate.ts';
import { bufferOf } from '../../zarr/codec-step.ts';
import { decodeBitshuffle, decodeLz4Frame } from './hdf5-blocks.ts';
import { FILTER, filterName } from './hdf5-filter-names.ts';
import { fletcher32, swappedFletcher32 } from './hdf5-fletcher32.ts';
import { decodeLzf } from './hdf5-lzf.ts';
import type { StoredFilter } from './hdf5-storage.ts';

/** What a filter must undo to. */
interface Expected {
  readonly sizeBytes: number | undefined;
  readonly maxBytes: number;
  /** Memory of exactly `sizeBytes` to undo it into; the filter need not use it. */
  readonly into?: Uint8Array;
}

const room = ({ into }: Expected, sizeBytes: number): Uint8Array =>
  into?.length === sizeBytes ? into : new Uint8Array(sizeBytes);

type Undo = (encoded: Buffer, filter: StoredFilter, expected: Expected) => Uint8Array;

/** A chunk that is not what its filters write. The caller names file and dataset. */
export class BadChunk extends Error {}

const CHECKSUM_BYTES = 4;

function exact({ sizeBytes }: Expected, name: string): number {
  if (sizeBytes === undefined) throw new BadChunk(`${name} over another compressor`);
  return sizeBytes;
}

const UNDO: Readonly<Record<number, Undo>> = {
  [FILTER.deflate]: (encoded, _, { sizeBytes, maxBytes }) =>
    (sizeBytes === undefined ? undefined : inflate('zlib', encoded, sizeBytes)) ??
    decodeStream('zlib', encoded, sizeBytes ?? maxBytes),
  [FILTER.zstd]: (encoded, _, { sizeBytes, maxBytes }) =>
    zstdDecompressSync(encoded, { maxOutputLength: Math.max(1, sizeBytes ?? maxBytes) }),
  [FILTER.shuffle]: (encoded, { values }, expected) => {
    const elementBytes = values[0] ?? 0;
    if (elementBytes <= 1) return encoded;
    const output = room(expected, encoded.length);
    byteUnshuffle(encoded, elementBytes, output);
    return output;
  },
  [FILTER.fletcher32]: (encoded) => {
    if (encoded.length < CHECKSUM_BYTES) throw new BadChunk('no room for a checksum');
    const content = encoded.subarray(0, -CHECKSUM_BYTES);
    const stored = encoded.readUInt32LE(content.length);
    const computed = fletcher32(content);
    if (stored !== computed && stored !== swappedFletcher32(computed))
      throw new BadChunk('the Fletcher-32 checksum is wrong');
    return content;
  },
  [FILTER.lzf]: (encoded, _, expected) => {
    const output = room(expected, exact(expected, 'lzf'));
    if (!decodeLzf(encoded, output)) throw new BadChunk('a damaged lzf stream');
    return output;
  },
  [FILTER.blosc]: (encoded, _, expected) => {
    const sizeBytes = bloscDecodedBytes(encoded, 'blosc');
    if (sizeBytes > expected.maxBytes) throw new BadChunk(`decodes to ${sizeBytes} bytes`);
    const output = room(expected, sizeBytes);
    decodeBlosc(encoded, output, 'blosc');
    return output;
  },
  [FILTER.lz4]: (encoded, _, expected) => {
    const output = decodeLz4Frame(encoded, expected.maxBytes);
    if (output === undefined) throw new BadChunk('a damaged lz4 stream');
    return output;
  },
  [FILTER.bitshuffle]: (encoded, { values }, expected) => {
    const output = decodeBitshuffle(encoded, values, exact(expected, 'bitshuffle'));
    if (output === undefined) throw new BadChunk('a damaged bitshuffle stream');
    return output;
  },
};

/** Filters that keep the size, or add a known number of bytes; others make it depend on the content. */
const GROWTH_BYTES: Readonly<Record<number, number>> = {
  [FILTER.shuffle]: 0,
  [FILTER.fletcher32]: CHECKSUM_BYTES,
};

/** Whether {@link undoFilters} knows every filter. */
export function canUndo(filters: readonly StoredFilter[]): boolean {
  return filters.every(
    ({ id, values }) =>
      UNDO[id] !== undefined &&
      (id !== FILTER.bitshuffle || values[4] === undefined || values[4] === 0 || values[4] === 2),
  );
}

/**
 * Undoes a chunk's filters, last first, those that `filterMask` names left out (HDF5 File Format Specification 3.0,
 * IV.A.2.l). `stored` may be overwritten and returned; other memory
 * of this thread may be, too, which is good until the next call. @param into memory for the result, which need not be used.
 * @throws BadChunk when the result is not `chunkBytes` long, or a filter's input is damaged.
 */
export function undoFilters(
  stored: Buffer,
  filters: readonly StoredFilter[],
  filterMask: number,
  chunkBytes: number,
  into?: Uint8Array,
): Uint8Array {
  // Sizes before each filter, as far as they are known.
  const sizes: (number | undefined)[] = [chunkBytes];
  filters.forEach(({ id }, index) => {
    const before = sizes[index];
    const growth = (filterMask >>> index) & 1 ? 0 : GROWTH_BYTES[id];
    sizes.push(before === undefined || growth === undefined ? undefined : before + growth);
  });
  // What a compressor makes of incompressible input is a little longer.
  const maxBytes = chunkBytes + Math.ceil(chunkBytes / 8) + 65_536;
  let bytes: Uint8Array = stored;
  const last = filters.findIndex((_, index) => ((filterMask >>> index) & 1) === 0);
  for (let index = filters.length - 1; index >= 0; index--) {
    const filter = filters[index];
    if (filter === undefined || (filterMask >>> index) & 1) continue;
    const expected = { sizeBytes: sizes[index], maxBytes, ...(into && index === last ? { into } : {}) };
    bytes = undo(bufferOf(bytes), filter, expected);
    if (expected.sizeBytes !== undefined && bytes.length !== expected.sizeBytes)
      throw new BadChunk(
        `${filterName(filter)} gives ${bytes.length} bytes instead of ${expected.sizeBytes}`,
      );
  }
  if (bytes.length !== chunkBytes) throw new BadChunk(`holds ${bytes.length} bytes instead of ${chunkBytes}`);
  return bytes;
}

function undo(encoded: Buffer, filter: StoredFilter, expected: Expected): Uint8Array {
  const step = UNDO[filter.id];
  if (step === undefined) throw new BadChunk(filterName(filter));
  try {
    return step(encoded, filter, expected);
  } catch (error) {
    if (error instanceof BadChunk) throw error;
    // What node:zlib and the Blosc decoder say names no file that anybody knows.
    const reason =
      error instanceof PlateFsError
        ? `: ${error.message.replace(/^blosc: (bad|unsupported) Zarr: /, '')}`
        : '';
    throw new BadChunk(`a damaged ${filterName(filter)} stream${reason}`, { cause: error });
  }
}
