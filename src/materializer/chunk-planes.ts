import type { ChunkStrategy } from '../model/landing-format.ts';
import type { PlaneIndex } from './array-format.ts';

/** Pixels of a chunk that is encoded as one have to be in the memory of every worker. */
const MAX_WELL_BYTES = 128 * 2 ** 20;
/** Pixels of a shard: it is written anew when planes are added to it. */
const MAX_SHARD_BYTES = 2 ** 30;
/** Channels of a field often come one after another: a shard has room for so many. */
const MIN_SHARD_CHANNELS = 4;

const powerOfTwo = (extent: number): number => 2 ** Math.ceil(Math.log2(extent));

/**
 * Pure: how many planes along t, c, z a chunk file of a new array holds. `extents` are those of the field as far as it
 * is known; it may grow, and then gets further chunk files. `well`: all there are. `sharded`: some more, rounded up to
 * powers of two, for a plane that is not there costs only 16 bytes. Both within the bounds of a file.
 */
export function planesPerChunk(strategy: ChunkStrategy, extents: PlaneIndex, planeBytes: number): PlaneIndex {
  if (strategy === 'file') return [1, 1, 1];
  let [t, c, z] = extents;
  const limitBytes = strategy === 'well' ? MAX_WELL_BYTES : MAX_SHARD_BYTES;
  const isTooLarge = (): boolean => t * c * z * planeBytes > limitBytes;
  if (strategy === 'sharded') {
    [t, c, z] = [powerOfTwo(t), powerOfTwo(c), powerOfTwo(z)];
    if (c < MIN_SHARD_CHANNELS && t * MIN_SHARD_CHANNELS * z * planeBytes <= limitBytes)
      c = MIN_SHARD_CHANNELS;
  }
  while (t > 1 && isTooLarge()) t = Math.ceil(t / 2);
  while (z > 1 && isTooLarge()) z = Math.ceil(z / 2);
  while (c > 1 && isTooLarge()) c = Math.ceil(c / 2);
  return [t, c, z];
}
