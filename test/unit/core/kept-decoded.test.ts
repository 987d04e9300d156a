import { afterEach, describe, expect, it } from 'vitest';
import { boundKeptDecoded, keptDecodedBytes } from '../../../src/core/kept-decoded.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import { ByteLru } from '../../../src/sources/shared/byte-lru.ts';
import { DecodedChunks } from '../../../src/zarr/decoded-chunks.ts';

describe('what sources keep decoded', () => {
  afterEach(() => boundKeptDecoded(0));

  it('is bounded for all of them together; the newest alone may be more', () => {
    boundKeptDecoded(100);
    const chunks = new DecodedChunks(1000);
    const values = new ByteLru<number>(1000);
    for (let n = 0; n < 5; n++) chunks.set(`${n}`, Buffer.alloc(20));
    expect(keptDecodedBytes()).toBe(100);
    values.getOrMake(
      'a',
      () => 50,
      () => 1,
    );
    expect([chunks.usedBytes, values.usedBytes]).toEqual([40, 50]);
    expect(['0', '1', '2', '3', '4'].filter((key) => chunks.get(key))).toEqual(['3', '4']);
    chunks.set('large', Buffer.alloc(300));
    expect(chunks.get('large')).toBeDefined();
    expect(keptDecodedBytes()).toBe(350);
    values.getOrMake(
      'b',
      () => 60,
      () => 1,
    );
    expect([chunks.usedBytes, values.usedBytes]).toEqual([300, 60]);
  });

  it('is given up when the bound is lowered, and counts towards the bound of decoded pixels', () => {
    boundKeptDecoded(100);
    const chunks = new DecodedChunks(1000);
    const pixels = new ByteCache(100, keptDecodedBytes);
    for (const key of ['a', 'b', 'c', 'd', 'e']) pixels.set(key, Buffer.alloc(20));
    chunks.set('1', Buffer.alloc(50));
    pixels.trim();
    expect(pixels.usedBytes).toBe(40);
    boundKeptDecoded(10);
    expect(keptDecodedBytes()).toBe(0);
    pixels.set('f', Buffer.alloc(60));
    expect(pixels.usedBytes).toBe(100);
  });
});
