import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlaneNames } from '../../../src/model/plane-names.ts';
import { namePlanes } from '../../../src/model/plane-naming.ts';
import { plateAxes } from '../../../src/model/plate-axes.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { planeAddress, planeByAddress } from '../../../src/model/plate-lookup.ts';
import { shareTree } from '../../../src/tree/shared-tree.ts';
import { imageSets } from '../../../src/tree/tables/image-sets.ts';
import { loadDataTable } from '../../../src/tree/tables/load-data-table.ts';

const place = fc.record({
  site: fc.integer({ min: 1, max: 3 }),
  channel: fc.integer({ min: 1, max: 4 }),
  z: fc.integer({ min: 0, max: 3 }),
  t: fc.integer({ min: 1, max: 3 }),
});

function plateOf(places: readonly { site: number; channel: number; z: number; t: number }[]) {
  const builder = new PlateIndexBuilder('/plates/p');
  for (const { site, channel, z, t } of places)
    builder.addPlane(
      builder.addFile(0, `s${site}w${channel}z${z}t${t}.tif`),
      0,
      0,
      site,
      channel,
      z,
      t,
      '.tif',
    );
  return builder.finish({ name: 'p', format: 'x', formatDetail: '', channels: [] });
}

const plates = fc
  .uniqueArray(place, { minLength: 1, maxLength: 60, selector: (one) => JSON.stringify(one) })
  .map(plateOf);

describe('image sets', () => {
  it('hold every plane of a field once, by z, then t, whatever the channels lack', () => {
    fc.assert(
      fc.property(plates, (index) => {
        const { channels } = plateAxes(index);
        const { fieldStarts } = shareTree(index, 0, { mountpoint: '/m', missing: 'zeros' });
        for (let field = 0; field + 1 < fieldStarts.length; field += 1) {
          const first = fieldStarts[field] ?? 0;
          const end = fieldStarts[field + 1] ?? 0;
          const { site } = planeAddress(index, first);
          const seen: number[] = [];
          let last = -1;
          for (const { z, t, planes } of imageSets(index, channels, first, end)) {
            expect(z * 100 + t).toBeGreaterThan(last);
            last = z * 100 + t;
            expect(planes).toEqual(
              channels.map((channel) => planeByAddress(index, 0, 0, site, channel, z, t) ?? -1),
            );
            seen.push(...planes.filter((plane) => plane >= 0));
          }
          expect(seen.sort((a, b) => a - b)).toEqual(
            Array.from({ length: end - first }, (_, i) => first + i),
          );
        }
      }),
    );
  });

  it('make the same rows in any order that they are asked for', () => {
    fc.assert(
      fc.property(plates, fc.array(fc.nat(), { maxLength: 40 }), (index, asked) => {
        const shared = shareTree(index, 0, { mountpoint: '/m', missing: 'zeros' });
        const names = new PlaneNames(index, namePlanes(index));
        let sets = 0;
        for (const choice of ['complete', 'incomplete'] as const) {
          const inOrder = loadDataTable(shared, names, '/m/images', choice);
          const rows = Array.from({ length: inOrder.rowCount }, (_, row) => inOrder.row(row));
          sets += rows.length;
          const table = loadDataTable(shared, names, '/m/images', choice);
          for (const number of rows.length === 0 ? [] : asked) {
            const row = number % rows.length;
            expect(table.row(row)).toBe(rows[row]);
          }
        }
        const all = new Set<string>();
        for (let plane = 0; plane < index.planes.count; plane += 1) {
          const { site, z, t } = planeAddress(index, plane);
          all.add(`${site} ${z} ${t}`);
        }
        expect(sets).toBe(all.size);
      }),
    );
  });
});
