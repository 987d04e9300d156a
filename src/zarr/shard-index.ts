import { BadZarrError } from '../core/errors.ts';
import { contiguousStrides, offsetOf } from './box.ts';
import { crc32c } from './codec/crc32c.ts';
import type { Shard } from './codec-chain.ts';
import { keptChunks } from './decoded-chunks.ts';
import { partOf, type StoredBytes } from './stored-bytes.ts';

/** In an index: this inner chunk is not there (Zarr v3 spec, sharding codec 1.0). */
const ABSENT = 2n ** 64n - 1n;

/** Inner chunks a shard can have: the index is in memory whole. */
const MAX_INNER_CHUNKS = 16 * 1024 * 1024;

function readIndex(bytes: StoredBytes, shard: Shard, count: number): BigUint64Array {
  const { path } = bytes;
  const checksumBytes = shard.indexChecked ? 4 : 0;
  const indexBytes = 16 * count + checksumBytes;
  if (count > MAX_INNER_CHUNKS) throw new BadZarrError(path, `a shard of ${count} chunks`);
  if (bytes.sizeBytes < indexBytes)
    throw new BadZarrError(
      path,
      `${bytes.sizeBytes} bytes can't hold the shard's index of ${indexBytes} bytes`,
    );
  const key = bytes.identity === undefined ? undefined : `${bytes.identity} index`;
  const known = key === undefined ? undefined : keptChunks.get(key);
  if (known?.length === 16 * count) return new BigUint64Array(known.buffer, known.byteOffset, 2 * count);
  const stored = Buffer.allocUnsafeSlow(indexBytes);
  bytes.readInto(stored, shard.indexAtStart ? 0 : bytes.sizeBytes - indexBytes);
  const entries = stored.subarray(0, 16 * count);
  if (shard.indexChecked && crc32c(entries) !== stored.readUInt32LE(16 * count))
    throw new BadZarrError(path, "the checksum of the shard's index is wrong");
  if (shard.indexBigEndian) entries.swap64();
  if (key !== undefined) keptChunks.set(key, entries);
  return new BigUint64Array(stored.buffer, stored.byteOffset, 2 * count);
}

/** The inner chunk at `number`, undefined when it is not there. */
function innerBytes(bytes: StoredBytes, index: BigUint64Array, number: number): StoredBytes | undefined {
  const offset = index[2 * number] ?? ABSENT;
  const length = index[2 * number + 1] ?? ABSENT;
  if (offset === ABSENT && length === ABSENT) return undefined;
  if (offset + length > BigInt(bytes.sizeBytes))
    throw new BadZarrError(bytes.path, `chunk ${number} of the shard lies beyond its end`);
  return partOf(bytes, Number(offset), Number(length));
}

/**
 * Finds the inner chunks of a shard of `shape` (axes as stored) by their positions; undefined for one that is not there.
 * @throws BadZarrError naming the file.
 */
export function innerChunks(
  bytes: StoredBytes,
  shard: Shard,
  shape: readonly number[],
): (position: readonly number[]) => StoredBytes | undefined {
  const grid = shape.map((extent, axis) => extent / (shard.innerShape[axis] ?? 1));
  const strides = contiguousStrides(grid);
  const count = grid.reduce((total, extent) => total * extent, 1);
  const index = readIndex(bytes, shard, count);
  return (position) => innerBytes(bytes, index, offsetOf(position, strides));
}
