import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import type { PlaneBox } from '../../../src/sources.ts';
import { type PartialPlane, readPlanePart } from '../../../src/tree/plane-blocks.ts';

const HEIGHT = 23;
const WIDTH = 17;
const ITEM = 2;
const ROW = WIDTH * ITEM;
const whole = Uint8Array.from({ length: HEIGHT * ROW }, (_, i) => (i * 7 + (i >> 8)) & 255);

/** A plane in blocks; notes which boxes were decoded. */
function planeOf(block: PartialPlane['block']): { plane: PartialPlane; boxes: PlaneBox[] } {
  const boxes: PlaneBox[] = [];
  const plane: PartialPlane = {
    key: 'p',
    height: HEIGHT,
    width: WIDTH,
    itemBytes: ITEM,
    ...(block ? { block } : {}),
    readBox(box, into) {
      boxes.push(box);
      expect(into.length).toBe(box.height * box.width * ITEM);
      expect(box.y + box.height).toBeLessThanOrEqual(HEIGHT);
      expect(box.x + box.width).toBeLessThanOrEqual(WIDTH);
      for (let row = 0; row < box.height; row++) {
        const at = (box.y + row) * ROW + box.x * ITEM;
        into.set(whole.subarray(at, at + box.width * ITEM), row * box.width * ITEM);
      }
    },
  };
  return { plane, boxes };
}

const anyBlock = fc.option(
  fc.record({ height: fc.integer({ min: 1, max: HEIGHT }), width: fc.integer({ min: 1, max: WIDTH }) }),
  { nil: undefined },
);
const anyRange = fc
  .tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: whole.length }))
  .map(([from, length]) => ({ from, to: Math.min(whole.length, from + length) }));

describe('a part of a plane', () => {
  it('is the same bytes as the slice of the whole, whatever the blocks, the cache and the order', () => {
    fc.assert(
      fc.property(anyBlock, fc.array(anyRange, { maxLength: 8 }), fc.nat(2000), (block, ranges, bound) => {
        const { plane } = planeOf(block);
        const cache = new ByteCache(bound);
        for (const { from, to } of ranges) {
          const part = new Uint8Array(to - from).fill(255);
          readPlanePart(plane, cache, from, part);
          expect(Buffer.compare(part, whole.subarray(from, to))).toBe(0);
        }
      }),
    );
  });

  it('decodes only the blocks it touches', () => {
    fc.assert(
      fc.property(anyBlock, anyRange, (block, { from, to }) => {
        const { plane, boxes } = planeOf(block);
        readPlanePart(plane, new ByteCache(1e6), from, new Uint8Array(to - from));
        const { height, width } = block ?? { height: 1, width: 1 };
        const touched = new Set<string>();
        for (let at = from; at < to; at++) {
          const row = Math.floor(at / ROW);
          touched.add(`${Math.floor(row / height)}:${Math.floor((at - row * ROW) / ITEM / width)}`);
        }
        const decoded = new Set<string>();
        for (const box of boxes)
          for (let y = Math.floor(box.y / height); y * height < box.y + box.height; y++)
            for (let x = Math.floor(box.x / width); x * width < box.x + box.width; x++)
              decoded.add(`${y}:${x}`);
        expect(decoded).toEqual(touched);
      }),
    );
  });

  it('read in small steps decodes every block once', () => {
    for (const block of [
      { height: 5, width: WIDTH },
      { height: HEIGHT, width: WIDTH },
      { height: 6, width: 4 },
    ]) {
      const { plane, boxes } = planeOf(block);
      const cache = new ByteCache(1e6);
      for (let at = 0; at < whole.length; at += 13)
        readPlanePart(plane, cache, at, new Uint8Array(Math.min(13, whole.length - at)));
      const pixels = boxes.reduce((sum, box) => sum + box.height * box.width, 0);
      expect(pixels).toBe(HEIGHT * WIDTH);
    }
  });
});
