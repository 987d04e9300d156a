import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLz4Block } from '../../../src/zarr/codec/lz4-block.ts';

/** What a block of LZ4 decodes to, byte by byte (lz4 `lz4_Block_format.md`); undefined when it is damaged. */
function reference(block: Uint8Array): number[] | undefined {
  const output: number[] = [];
  let at = 0;
  const length = (nibble: number): number => {
    let total = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; total += byte) {
      if (at >= block.length) return Number.POSITIVE_INFINITY;
      byte = block[at++]!;
    }
    return total;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = length(token >> 4);
    if (at + literals > block.length) return undefined;
    for (let index = 0; index < literals; index++) output.push(block[at++]!);
    if (at === block.length) return output;
    if (at + 2 > block.length) return undefined;
    const distance = block[at]! + 256 * block[at + 1]!;
    at += 2;
    const matched = length(token & 15) + 4;
    if (distance === 0 || distance > output.length || matched > 1e6) return undefined;
    for (let index = 0; index < matched; index++) output.push(output[output.length - distance]!);
  }
  return undefined;
}

const lengthBytes = (length: number): number[] =>
  length < 15 ? [] : [...Array<number>(Math.floor((length - 15) / 255)).fill(255), (length - 15) % 255];

/** A sequence of a block: literals, then a match. */
const sequence = fc.record({
  literals: fc.uint8Array({ maxLength: 300 }),
  distance: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 400 })),
  matched: fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 4, max: 700 })),
});

describe('decodeLz4Block', () => {
  it('decodes what the format says, and refuses what it forbids', () => {
    fc.assert(
      fc.property(
        fc.array(sequence, { maxLength: 12 }),
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(0, 0, 0, -1, 1, 20),
        (sequences, last, more) => {
          const bytes: number[] = [];
          for (const { literals, distance, matched } of sequences) {
            const extra = matched - 4;
            bytes.push((Math.min(literals.length, 15) << 4) | Math.min(extra, 15));
            bytes.push(...lengthBytes(literals.length), ...literals, distance & 255, distance >> 8);
            bytes.push(...lengthBytes(extra));
          }
          bytes.push(Math.min(last.length, 15) << 4, ...lengthBytes(last.length), ...last);
          const block = Uint8Array.from(bytes);
          const expected = reference(block);
          const output = Buffer.alloc(Math.max(0, (expected?.length ?? 100) + more));
          const isDecoded = decodeLz4Block(block, output);
          expect(isDecoded).toBe(expected !== undefined && output.length === expected.length);
          if (isDecoded) expect(output.equals(Buffer.from(expected ?? []))).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('ends on any bytes', () => {
    for (let run = 0; run < 2000; run++) {
      const block = randomBytes(run % 200);
      const expected = reference(block);
      const output = Buffer.alloc(expected?.length ?? 500);
      expect(decodeLz4Block(block, output)).toBe(expected !== undefined);
    }
  });

  it('goes on after a block so large that its memory is given back', () => {
    const sizeBytes = 80 * 1024 * 1024;
    const block = Buffer.concat([
      Buffer.of(0x1f, 7, 1, 0),
      Buffer.from(lengthBytes(sizeBytes - 1 - 4 - 5)),
      Buffer.of(0x50, 7, 7, 7, 7, 7),
    ]);
    const output = Buffer.alloc(sizeBytes);
    expect(decodeLz4Block(block, output)).toBe(true);
    expect(output.equals(Buffer.alloc(sizeBytes, 7))).toBe(true);
    expect(decodeLz4Block(Buffer.of(0x10, 9), output.subarray(0, 1))).toBe(true);
    expect(output[0]).toBe(9);
  });
});
