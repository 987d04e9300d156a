import { describe, expect, it } from 'vitest';
import { parseChunkCodec } from '../../../src/model/landing-format.ts';

describe('the codec of results', () => {
  it.each([
    ['blosc-lz4', { name: 'blosc-lz4' }],
    ['none', { name: 'none' }],
    ['zstd', { name: 'zstd', level: 3 }],
    ['gzip:9', { name: 'gzip', level: 9 }],
  ])('%s', (text, codec) => expect(parseChunkCodec(text, '-o output-codec')).toEqual(codec));

  it.each([
    ['brotli', /'brotli' is none of blosc-lz4, lz4, zstd, gzip, none/],
    ['lz4:9', /lz4 has no levels; write just lz4/],
    ['zstd:23', /levels of zstd are 1 to 22/],
    ['gzip:', /levels of gzip are 1 to 9/],
    ['zstd:1:2', /is none of/],
  ])('%s is refused', (text, why) => expect(() => parseChunkCodec(text, '-o output-codec')).toThrow(why));
});
