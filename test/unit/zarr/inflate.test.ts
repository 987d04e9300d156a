import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflate } from '../../../src/zarr/codec/inflate.ts';

const PACK = { zlib: deflateSync, gzip: gzipSync } as const;
const anyFormat = fc.constantFrom('zlib', 'gzip');
const anyContent = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3000 }),
  fc.integer({ min: 1, max: 200_000 }).map((length) => new Uint8Array(length).map((_, at) => (at * at) >> 7)),
);

describe('streams of a known size, decoded into memory that is kept', () => {
  it('are what was packed, one after the other', () => {
    fc.assert(
      fc.property(anyFormat, anyContent, (format, content) => {
        const decoded = inflate(format, PACK[format](content), content.length);
        expect(decoded && Buffer.compare(decoded, content)).toBe(0);
      }),
    );
  });

  it('of another size, cut off or damaged are left to node:zlib, and the next is decoded', () => {
    fc.assert(
      fc.property(
        anyFormat,
        anyContent,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (format, content, at, by) => {
          const packed = PACK[format](content);
          expect(inflate(format, packed, content.length + 1)).toBeUndefined();
          expect(inflate(format, packed, content.length - 1)).toBeUndefined();
          expect(inflate(format, packed.subarray(0, -1), content.length)).toBeUndefined();
          const damaged = Buffer.from(packed);
          damaged[at % packed.length] = (damaged[at % packed.length] ?? 0) ^ by;
          const decoded = inflate(format, damaged, content.length);
          // Bits of gzip's header say nothing of the content.
          expect(decoded === undefined || Buffer.compare(decoded, content) === 0).toBe(true);
          expect(inflate(format, packed, content.length)).toEqual(Buffer.from(content));
        },
      ),
    );
  });

  it('of several members are joined, as gzip has it', () => {
    const members = Buffer.concat([gzipSync('one '), gzipSync('two')]);
    expect(inflate('gzip', members, 7)?.toString()).toBe('one two');
  });
});
