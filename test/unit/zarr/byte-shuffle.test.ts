import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { byteUnshuffle } from '../../../src/zarr/codec/byte-shuffle.ts';

/** Byte k of every element, then byte k + 1 …, as c-blosc's `shuffle.c` does it one by one. */
function shuffled(bytes: Buffer, typeSize: number): Buffer {
  const count = Math.floor(bytes.length / typeSize);
  const result = Buffer.from(bytes);
  for (let element = 0; element < count; element++)
    for (let byte = 0; byte < typeSize; byte++)
      result[byte * count + element] = bytes[element * typeSize + byte] ?? 0;
  return result;
}

describe('byteUnshuffle', () => {
  it.each([2, 3, 4, 8, 16, 1000])(
    'puts elements of %i bytes together again, in blocks of any size',
    (typeSize) => {
      for (const sizeBytes of [0, 1, typeSize, 16 * typeSize + 1, 262_144, 262_145, 700_003]) {
        const bytes = randomBytes(sizeBytes);
        const output = Buffer.alloc(sizeBytes, 0xee);
        byteUnshuffle(shuffled(bytes, typeSize), typeSize, output);
        expect(output.equals(bytes)).toBe(true);
      }
    },
  );
});
