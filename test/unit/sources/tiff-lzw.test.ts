import { describe, expect, it } from 'vitest';
import { encodeLzw } from '../../../scripts/plate-maker/lzw.ts';
import { Random } from '../../../scripts/plate-maker/random.ts';
import { decodeLzw } from '../../../src/sources/shared/tiff-lzw.ts';

const CLEAR = 256;
const END = 257;

/** Codes as they are stored: most significant bit first, of a width that grows with the decoder's table. */
function stored(codes: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(codes.length * 2);
  let bit = 0;
  let next = 258;
  for (const code of codes) {
    const width = Math.min(12, 32 - Math.clz32(next));
    for (let shift = width - 1; shift >= 0; shift--, bit++)
      if ((code >> shift) & 1) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (128 >> (bit & 7));
    if (code === CLEAR) next = 258;
    else if (next <= 4096) next++;
  }
  return bytes.subarray(0, Math.ceil(bit / 8));
}

/** What TIFF 6.0 says codes stand for, with a table of strings. */
function meaning(codes: readonly number[]): Buffer {
  const made: Buffer[] = [];
  let table: Buffer[] = [];
  let last: Buffer | undefined;
  for (const code of codes) {
    if (code === END) break;
    if (code === CLEAR) {
      table = [];
      last = undefined;
      continue;
    }
    const known = code < 256 ? Buffer.of(code) : table[code - 258];
    const string = known ?? Buffer.concat([last as Buffer, (last as Buffer).subarray(0, 1)]);
    if (last && table.length < 4096 - 258) table.push(Buffer.concat([last, string.subarray(0, 1)]));
    made.push(string);
    last = string;
  }
  return Buffer.concat(made);
}

function decoded(source: Uint8Array, sizeBytes: number): { readonly got: number; readonly bytes: Buffer } {
  const bytes = Buffer.alloc(sizeBytes, 0xee);
  return { got: decodeLzw(source, bytes), bytes };
}

/** So many codes, of which a share are bytes, a share the newest string, the rest any string. */
function anyCodes(seed: number, count: number, literals: number, newest: number, clears: number): number[] {
  const source = new Random(seed);
  const random = (): number => source.between(0, 1);
  const codes: number[] = [CLEAR];
  let next = 257;
  for (let n = 0; n < count; n++) {
    next = Math.min(next + 1, 4097);
    const top = Math.min(next, 4096);
    const kind = random();
    if (random() < clears) {
      codes.push(CLEAR);
      next = 257;
    } else if (top === 258 || kind < literals) codes.push(Math.floor(random() * 256));
    else if (kind < literals + newest) codes.push(top - 1);
    else codes.push(258 + Math.floor(random() * (top - 258)));
  }
  return codes;
}

describe('LZW', () => {
  it.each([
    ['bytes, mostly', 0.9, 0, 0],
    ['short strings', 0.4, 0.05, 0.0003],
    ['long strings of a table that is never cleared', 0.05, 0.2, 0],
    ['strings that overlap what they write', 0.02, 0.9, 0.0005],
    ['a table that is cleared all the time', 0.3, 0.3, 0.2],
  ])('decodes %s', (_, literals, newest, clears) => {
    for (const [seed, count] of [17, 3000, 20_000].entries()) {
      const codes = anyCodes(seed + 1, count, literals, newest, clears);
      const expected = meaning(codes);
      const whole = decoded(stored([...codes, END]), expected.length);
      expect(whole.got).toBe(expected.length);
      expect(whole.bytes.equals(expected)).toBe(true);
      const part = decoded(stored(codes), Math.ceil(expected.length / 3));
      expect(part.got).toBe(part.bytes.length);
      expect(part.bytes.equals(expected.subarray(0, part.bytes.length))).toBe(true);
      const more = decoded(stored([...codes, END]), expected.length + 100);
      expect(more.got).toBe(expected.length);
      expect(more.bytes.subarray(0, more.got).equals(expected)).toBe(true);
    }
  });

  it('decodes the longest strings there can be, and goes on with them once the table is full', () => {
    const newest = Array.from({ length: 4096 - 258 }, (_, n) => 258 + n);
    const codes = [CLEAR, 7, ...newest, ...Array.from({ length: 4000 }, (_, n) => 4095 - (n % 3000))];
    const expected = meaning(codes);
    expect(expected.length).toBeGreaterThan(12_000_000);
    const { got, bytes } = decoded(stored(codes), expected.length);
    expect(got).toBe(expected.length);
    expect(bytes.equals(expected)).toBe(true);
  });

  it('decodes a strip of megabytes of noise', () => {
    const random = new Random(3);
    const noise = Buffer.from(Uint8Array.from({ length: 3_000_000 }, () => random.bits()));
    const { got, bytes } = decoded(encodeLzw(noise), noise.length);
    expect(got).toBe(noise.length);
    expect(bytes.equals(noise)).toBe(true);
  });

  it('says how far a strip goes that ends early', () => {
    const full = encodeLzw(Buffer.alloc(100_000, 'abcdefg'));
    const { got, bytes } = decoded(full.subarray(0, full.length >> 1), 100_000);
    expect(got).toBeGreaterThan(0);
    expect(got).toBeLessThan(100_000);
    expect(bytes.subarray(0, got).equals(Buffer.alloc(100_000, 'abcdefg').subarray(0, got))).toBe(true);
    expect(bytes.subarray(got).every((byte) => byte === 0xee)).toBe(true);
    expect(decoded(new Uint8Array(0), 10).got).toBe(0);
  });

  it('refuses codes that stand for nothing yet', () => {
    expect(decoded(stored([CLEAR, 258]), 10).got).toBe(-1);
    expect(decoded(stored([CLEAR, 1, 2, 260]), 10).got).toBe(-1);
    expect(decoded(stored([CLEAR, 1, 2, 259, CLEAR, 259]), 10).got).toBe(-1);
  });
});
