import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFully, writeFully } from '../core/io.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import { storage } from '../core/storage.ts';
import { parseArrayMetadata } from '../zarr/array-metadata.ts';
import { contiguousStrides } from '../zarr/box.ts';
import { crc32c } from '../zarr/codec/crc32c.ts';
import { readChunkBox } from '../zarr/read-chunk.ts';
import { innerChunks } from '../zarr/shard-index.ts';
import { ChunkFile, type StoredBytes } from '../zarr/stored-bytes.ts';
import { arrayDocument, type PlaneIndex, type StoredArray } from './array-format.ts';
import { encodeChunk } from './chunk-codec.ts';
import type { PackJob, PackReport } from './landing-job.ts';
import { createStaged, writeStaged } from './staged-file.ts';

/** An inner chunk that is not there (Zarr v3 spec, sharding codec 1.0). */
const ABSENT = 2n ** 64n - 1n;
const INDEX_ENTRY_BYTES = 16;

/**
 * Puts planes of several files together into one chunk file: those of the chunk file that is there, without
 * `dropped`, and the staged ones.
 * @throws BadZarrError naming the chunk file that is there and can't be read.
 */
export function packChunk(job: PackJob): PackReport {
  using existing = job.existingPath === undefined ? undefined : ChunkFile.open([job.existingPath]);
  return job.array.format.isSharded ? packShard(job, existing) : packWhole(job, existing);
}

/** Place of a plane in its chunk, in C order. */
function slotOf({ format }: StoredArray, [t, c, z]: PlaneIndex): number {
  const [planesT, planesC, planesZ] = format.planes;
  return ((t % planesT) * planesC + (c % planesC)) * planesZ + (z % planesZ);
}

const metadataOf = (array: StoredArray, path: string) =>
  parseArrayMetadata(arrayDocument(array) as Record<string, unknown>, path);

/** The encoded planes are copied as they are; the index follows them. */
function packShard(
  { array, put, dropped, stagedPath }: PackJob,
  existing: StoredBytes | undefined,
): PackReport {
  const { chain, chunkShape } = metadataOf(array, stagedPath);
  const [planesT, planesC, planesZ] = array.format.planes;
  const count = planesT * planesC * planesZ;
  const staged = new Map(put.map(({ index, path }) => [slotOf(array, index), path]));
  const gone = new Set(dropped.map((index) => slotOf(array, index)));
  const find = existing && chain.shard ? innerChunks(existing, chain.shard, chunkShape) : undefined;
  const index = Buffer.alloc(INDEX_ENTRY_BYTES * count + 4);
  const descriptor = createStaged(stagedPath);
  let sizeBytes = 0;
  try {
    for (let slot = 0; slot < count; slot++) {
      const path = staged.get(slot);
      const position = [
        Math.floor(slot / (planesC * planesZ)),
        Math.floor(slot / planesZ) % planesC,
        slot % planesZ,
        0,
        0,
      ];
      const kept = path === undefined && !gone.has(slot) ? find?.(position) : undefined;
      const encoded = path === undefined ? kept && bytesOf(kept) : readFileSync(path);
      const entryAt = INDEX_ENTRY_BYTES * slot;
      index.writeBigUInt64LE(encoded ? BigInt(sizeBytes) : ABSENT, entryAt);
      index.writeBigUInt64LE(encoded ? BigInt(encoded.length) : ABSENT, entryAt + 8);
      if (!encoded) continue;
      writeFully(descriptor, encoded, sizeBytes);
      sizeBytes += encoded.length;
    }
    index.writeUInt32LE(crc32c(index.subarray(0, -4)), index.length - 4);
    writeFully(descriptor, index, sizeBytes);
  } finally {
    storage.close(descriptor);
  }
  return { isEmpty: sizeBytes === 0 };
}

function bytesOf(stored: StoredBytes): Buffer {
  const bytes = Buffer.allocUnsafe(stored.sizeBytes);
  stored.readInto(bytes, 0);
  return bytes;
}

/** All planes are decoded and encoded as one. What is not there is zeros, which is the array's fill value. */
function packWhole(
  { array, put, dropped, stagedPath }: PackJob,
  existing: StoredBytes | undefined,
): PackReport {
  const { chain, chunkShape, fill } = metadataOf(array, stagedPath);
  const itemBytes = itemSizeBytes(array.dtype);
  const pixels = Buffer.alloc(chunkShape.reduce((product, extent) => product * extent, itemBytes));
  const planeBytes = array.shape[3] * array.shape[4] * itemBytes;
  if (existing) {
    const target = { bytes: pixels, offset: 0, strides: contiguousStrides(chunkShape) };
    const start = chunkShape.map(() => 0);
    readChunkBox(existing, chain, chunkShape, { itemBytes, fill }, { start, shape: chunkShape, target });
  }
  for (const index of dropped) {
    const at = slotOf(array, index) * planeBytes;
    pixels.fill(0, at, at + planeBytes);
  }
  for (const { index, path } of put) {
    const at = slotOf(array, index) * planeBytes;
    readPlane(path, pixels.subarray(at, at + planeBytes));
  }
  const isEmpty = put.length === 0 && pixels.every((byte) => byte === 0);
  if (!isEmpty) writeStaged(stagedPath, encodeChunk(array.format.codec, pixels, itemBytes, stagedPath));
  return { isEmpty };
}

function readPlane(path: string, target: Buffer): void {
  const descriptor = openSync(path, 'r');
  try {
    if (readFully(descriptor, target, 0) < target.length) throw new RangeError(`${path} is cut off`);
  } finally {
    closeSync(descriptor);
  }
}
