import fc from 'fast-check';
import { expect, it } from 'vitest';
import { groupOfPage, planeGroups } from '../../../src/model/plane-groups.ts';

const axes = fc.array(
  fc.record({ extent: fc.integer({ min: 1, max: 6 }), shared: fc.integer({ min: 1, max: 4 }) }),
  {
    minLength: 1,
    maxLength: 3,
  },
);

it('puts planes in one group where they lie in one chunk, and nowhere else', () => {
  fc.assert(
    fc.property(axes, (leading) => {
      const extents = leading.map(({ extent }) => extent);
      const perChunk = leading.map(({ shared }) => shared);
      const chunkOf = new Map<number, string>();
      const count = extents.reduce((product, extent) => product * extent, 1);
      for (let page = 0; page < count; page++) {
        let rest = page;
        const chunk = [...leading].reverse().map(({ extent, shared }) => {
          const at = rest % extent;
          rest = Math.floor(rest / extent);
          return Math.floor(at / shared);
        });
        const group = groupOfPage({ extents, perChunk }, page);
        expect(chunkOf.get(group) ?? chunk.join()).toBe(chunk.join());
        chunkOf.set(group, chunk.join());
      }
      expect(new Set(chunkOf.values()).size).toBe(chunkOf.size);
    }),
  );
});

it('tells of arrays only whose chunks hold several planes', () => {
  expect(planeGroups([2, 9, 64, 64], [1, 1, 32, 32])).toBeUndefined();
  expect(planeGroups([64, 64], [32, 32])).toBeUndefined();
  expect(planeGroups([2, 9, 64, 64], [1, 4, 32, 32])).toEqual({ extents: [2, 9], perChunk: [1, 4] });
});
