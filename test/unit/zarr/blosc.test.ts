import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBlosc } from '../../../src/zarr/codec/blosc.ts';
import { decodeBlosc } from '../../../src/zarr/codec/blosc-decode.ts';
import { decodeBloscPart } from '../../../src/zarr/codec/blosc-part.ts';
import { memoryBytes } from '../../../src/zarr/stored-bytes.ts';

const encode = (bytes: Uint8Array, typeSize: number): Buffer =>
  Buffer.from(encodeBlosc(bytes, typeSize, 'chunk'));

function decode(encoded: Buffer, sizeBytes: number): Buffer {
  const output = Buffer.alloc(sizeBytes, 0xee);
  decodeBlosc(Buffer.from(encoded), output, 'chunk');
  return output;
}

/** Bytes like a camera's: `period` 0 is noise, 1 constant, else repeating. */
function sample(elements: number, typeSize: number, period: number): Buffer {
  const bytes = Buffer.alloc(elements * typeSize);
  let state = 12345;
  for (let index = 0; index < bytes.length; index++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    const noise = index % typeSize === 0 || period === 2 ? state >> 16 : 1;
    bytes[index] = period === 0 || period === 2 ? noise : index % period;
  }
  return bytes;
}

describe('blosc', () => {
  it('reads back what it wrote, whatever size, element and content', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 140_000 })),
        fc.constantFrom(1, 2, 4, 8),
        fc.constantFrom(0, 1, 2, 3, 7, 256),
        (elements, typeSize, period) => {
          const bytes = sample(elements, typeSize, period);
          expect(decode(encode(bytes, typeSize), bytes.length).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('decodes any part as it stands in the whole, and little more', () => {
    const bytes = sample(700_000, 2, 0);
    const chunk = memoryBytes('chunk', encode(bytes, 2), 'identity');
    const blockBytes = Buffer.from(encode(bytes, 2)).readUInt32LE(8);
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(bytes.length), (one, other) => {
        const from = Math.min(one, other);
        const part = Buffer.alloc(Math.abs(one - other), 0xee);
        const decoded = decodeBloscPart(chunk, bytes.length, from, part);
        expect(part.equals(bytes.subarray(from, from + part.length))).toBe(true);
        expect(decoded).toBeLessThanOrEqual(part.length + 2 * blockBytes);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses parts of a damaged chunk, or gives bytes of the right length', () => {
    const bytes = sample(20_000, 2, 3);
    const encoded = encode(bytes, 2);
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.nat(255), fc.nat(30_000), (at, value, from) => {
        const damaged = Buffer.from(encoded);
        damaged[at] = value;
        try {
          decodeBloscPart(memoryBytes('chunk', damaged), bytes.length, from, Buffer.alloc(5000));
        } catch (error) {
          expect(String(error)).toMatch(/bad Zarr|Blosc with Snappy/);
        }
      }),
      { numRuns: 300 },
    );
    const cut = memoryBytes('chunk', encoded.subarray(0, -1));
    expect(() => decodeBloscPart(cut, bytes.length, 0, Buffer.alloc(8))).toThrow(/the chunk says/);
  });

  it('refuses a truncated, lengthened or resized chunk instead of guessing', () => {
    const bytes = sample(100_000, 2, 0);
    const encoded = encode(bytes, 2);
    expect(() => decode(encoded.subarray(0, -1), bytes.length)).toThrow(/chunk: bad Zarr: the chunk says/);
    expect(() => decode(Buffer.concat([encoded, Buffer.of(0)]), bytes.length)).toThrow(/bad Zarr/);
    expect(() => decode(encoded, bytes.length - 2)).toThrow(/decodes to 200000 bytes instead of 199998/);
    expect(() => decode(Buffer.alloc(3), 8)).toThrow(/no Blosc chunk/);
  });

  it('never crashes or hangs on damage: an error, or bytes of the right length', () => {
    const bytes = sample(20_000, 2, 3);
    const encoded = encode(bytes, 2);
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.nat(255), (at, value) => {
        const damaged = Buffer.from(encoded);
        damaged[at] = value;
        try {
          expect(decode(damaged, bytes.length).length).toBe(bytes.length);
        } catch (error) {
          expect(String(error)).toMatch(/bad Zarr|Blosc with Snappy/);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes about as many bytes as LZ4 must: runs vanish, noise is stored', () => {
    const ramp = Buffer.alloc(1 << 20, 7);
    expect(encode(ramp, 2).length).toBeLessThan(ramp.length / 100);
    const camera = Buffer.alloc(1 << 20, 3);
    const noise = randomBytes(1 << 20);
    for (let at = 0; at < camera.length; at += 2) camera[at] = noise[at] ?? 0;
    expect(encode(camera, 2).length).toBeLessThan(camera.length * 0.52);
    expect(encode(noise, 2).length).toBe(16 + noise.length);
  });

  it('decodes matches of every distance, also those that overlap themselves', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 80 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 300 }),
        (period, repeated, seed) => {
          const start = sample(seed, 1, 0);
          const motif = sample(period, 1, 0);
          const bytes = Buffer.concat([start, Buffer.alloc(repeated, motif), start.subarray(0, 20)]);
          expect(decode(encode(bytes, 1), bytes.length).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  const hasNumcodecs = spawnSync('/usr/bin/python3', ['-c', 'import numcodecs']).status === 0;
  it.skipIf(!hasNumcodecs)(
    'is what numcodecs reads and writes, in blocks of any size (needs python3-numcodecs)',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'platefs-blosc-'));
      try {
        const cases: string[] = [];
        for (const typeSize of [1, 2, 4, 8])
          for (const elements of [1, 15, 16, 127, 128, 5000, 40_000, 140_001, 300_000])
            for (const period of [0, 1, 2, 7]) {
              const bytes = sample(elements, typeSize, period);
              const name = join(folder, String(cases.length));
              writeFileSync(`${name}.raw`, bytes);
              writeFileSync(`${name}.blosc`, encode(bytes, typeSize));
              cases.push(name);
            }
        const script = [
          'import sys, numcodecs',
          'for n in sys.stdin.read().split():',
          "  assert numcodecs.Blosc().decode(open(n+'.blosc','rb').read()) == open(n+'.raw','rb').read(), n",
          "  e = numcodecs.Blosc('lz4', 5, 1, blocksize=[0, 0, 1 << 20][int(n.rsplit('/')[-1]) % 3]).encode(bytearray(open(n+'.raw','rb').read()))",
          "  open(n+'.theirs','wb').write(e)",
        ].join('\n');
        const run = spawnSync('/usr/bin/python3', ['-c', script], { input: cases.join('\n') });
        expect(run.stderr.toString()).toBe('');
        expect(run.status).toBe(0);
        for (const name of cases) {
          const bytes = readFileSync(`${name}.raw`);
          expect(decode(readFileSync(`${name}.theirs`), bytes.length).equals(bytes)).toBe(true);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
