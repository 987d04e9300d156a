import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { BadZarrError } from '../core/errors.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import { type ArrayFileMetadata, readArrayMetadata } from '../zarr/array-metadata.ts';
import { contiguousStrides } from '../zarr/box.ts';
import type { CodecChain } from '../zarr/codec-chain.ts';
import { readChunkBox, readWhole } from '../zarr/read-chunk.ts';
import { innerChunks } from '../zarr/shard-index.ts';
import { ChunkFile, memoryBytes, type StoredBytes } from '../zarr/stored-bytes.ts';
import { arrayDocumentName } from './array-format.ts';
import type { Sidecar } from './sidecar.ts';

const MAX_ARRAYS = 256;
/** Larger encoded planes are read into memory of their own. */
const KEPT_BYTES = 16 * 2 ** 20;

/** An encoded plane and how it is decoded. */
interface EncodedPlane {
  readonly bytes: StoredBytes;
  readonly chain: CodecChain;
  /** Of the chunk that it is in, and where. */
  readonly chunkShape: readonly number[];
  readonly start: readonly number[];
}

/** Reads planes of the store for their landed files. One instance per thread. */
export class LandedPlanes {
  private readonly storePath: string;
  private readonly arrays = new LRUCache<string, ArrayFileMetadata>({ max: MAX_ARRAYS });

  private kept: Buffer = Buffer.alloc(0);

  constructor(storePath: string) {
    this.storePath = storePath;
  }

  /**
   * Reads plane `index` of a landed file, checks it against its checksum and decodes it into `output`, which has its
   * size.
   * @throws BadZarrError naming the chunk when it is not what was landed; the system's error where there is none.
   */
  read(sidecar: Sidecar, index: number, output: Uint8Array): void {
    const [t = 0, c = 0, z = 0, sum] = sidecar.planes[index] ?? [];
    const array = this.array(join(this.storePath, sidecar.array, arrayDocumentName(sidecar.version)));
    const place = [t, c, z, 0, 0];
    const position = place.map((at, axis) => Math.floor(at / (array.chunkShape[axis] ?? 1)));
    const start = place.map((at, axis) => at % (array.chunkShape[axis] ?? 1));
    const folder = dirname(array.path);
    const paths = array.chunkKeys(position).map((key) => join(folder, key));
    const [path = folder] = paths;
    const foreign = (): BadZarrError =>
      new BadZarrError(path, `its pixels are no longer those of ${sidecar.mountPath}`);
    using file = ChunkFile.open(paths);
    if (!file) throw foreign();
    const plane = planeOf(file, array, start);
    if (!plane) throw foreign();
    const { chain, chunkShape } = plane;
    if (sidecar.checked === 'pixels') {
      decode(plane.bytes, plane, array, output);
      if (crc32(output) !== sum) throw foreign();
      return;
    }
    const encoded = this.encoded(plane.bytes, 2 * sidecar.planeBytes + ENCODED_MARGIN_BYTES);
    if (crc32(encoded) !== sum) throw foreign();
    decode(memoryBytes(path, encoded), { chain, chunkShape, start: plane.start }, array, output);
  }

  /** All of an encoded plane, in memory that the next one is read into: fresh memory would wait for the collector. */
  private encoded(bytes: StoredBytes, maxBytes: number): Buffer {
    const { sizeBytes } = bytes;
    if (sizeBytes > Math.min(maxBytes, KEPT_BYTES)) return readWhole(bytes, maxBytes);
    if (this.kept.length < sizeBytes) this.kept = Buffer.allocUnsafeSlow(sizeBytes);
    const encoded = this.kept.subarray(0, sizeBytes);
    bytes.readInto(encoded, 0);
    return encoded;
  }

  /** The array's metadata, read again when its document is another one. */
  private array(path: string): ArrayFileMetadata {
    const known = this.arrays.get(path);
    const { size, mtimeMs } = statSync(path);
    if (known && known.sizeBytes === size && known.mtimeMs === mtimeMs) return known;
    const array = readArrayMetadata(path);
    this.arrays.set(path, array);
    return array;
  }
}

/** More than a codec adds to what it can't compress. */
const ENCODED_MARGIN_BYTES = 1024 * 1024;

/** Where the plane at `start` of a chunk lies; undefined when the chunk is a shard without it. */
function planeOf(
  file: StoredBytes,
  { chain, chunkShape }: ArrayFileMetadata,
  start: readonly number[],
): EncodedPlane | undefined {
  const { shard } = chain;
  if (!shard) return { bytes: file, chain, chunkShape, start };
  const { innerShape, inner } = shard;
  const position = start.map((at, axis) => Math.floor(at / (innerShape[axis] ?? 1)));
  const bytes = innerChunks(file, shard, chunkShape)(position);
  return bytes && { bytes, chain: inner, chunkShape: innerShape, start: start.map(() => 0) };
}

function decode(
  bytes: StoredBytes,
  { chain, chunkShape, start }: Omit<EncodedPlane, 'bytes'>,
  { element, fill, shape: [, , , height = 0, width = 0] }: ArrayFileMetadata,
  output: Uint8Array,
): void {
  const shape = [1, 1, 1, height, width];
  const target = { bytes: output, offset: 0, strides: contiguousStrides(shape) };
  const itemBytes = itemSizeBytes(element.dtype);
  readChunkBox(bytes, chain, chunkShape, { itemBytes, fill }, { start, shape, target });
}
