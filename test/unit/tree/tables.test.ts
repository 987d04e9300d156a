import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlaneNames } from '../../../src/model/plane-names.ts';
import { namePlanes } from '../../../src/model/plane-naming.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { shareTree } from '../../../src/tree/shared-tree.ts';
import { loadDataTable } from '../../../src/tree/tables/load-data-table.ts';
import { planeTable } from '../../../src/tree/tables/plane-table.ts';
import { cell, line, type PlateTable } from '../../../src/tree/tables/plate-table.ts';
import { channelTable, wellTable } from '../../../src/tree/tables/summary-tables.ts';
import { BLOCK_ROWS, offsetCount, TableFile } from '../../../src/tree/tables/table-file.ts';

const whole = (file: TableFile): string => {
  const bytes = Buffer.alloc(file.sizeBytes);
  expect(file.read(0, bytes)).toBe(file.sizeBytes);
  return bytes.toString();
};

const fileOf = (table: PlateTable): TableFile =>
  new TableFile(table, new Float64Array(offsetCount(table.rowCount)));

const textOf = (table: PlateTable): string =>
  table.header + Array.from({ length: table.rowCount }, (_, i) => table.row(i)).join('');

function plate() {
  const builder = new PlateIndexBuilder('/plates/p');
  const folder = builder.addDirectory(0, 'a,b', { mtimeMs: 0, inode: 1n });
  const add = (site: number, channel: number, z: number, t: number, detail = {}): void =>
    builder.addPlane(
      builder.addFile(folder, `s${site}c${channel}z${z}t${t}.tif`),
      1,
      4,
      site,
      channel,
      z,
      t,
      '.tif',
      detail,
    );
  add(1, 1, 1, 1, { fieldId: 7, xUm: -1.5, acquiredAtMs: 0 });
  add(1, 2, 1, 1);
  add(1, 1, 0, 2);
  add(2, 2, 1, 1, { elapsedS: 0 });
  return builder.finish({
    name: 'my "plate"',
    format: 'x',
    formatDetail: '',
    channels: [
      { number: 1, name: 'Alexa 488 (α)' },
      { number: 2, emissionNm: 600 },
    ],
    pixelSizeUm: { x: 0.5, y: 0.25 },
  });
}

const canonical = (): PlaneNames => new PlaneNames(plate(), namePlanes(plate()));

describe('tables', () => {
  it('plate.csv has every plane with what is known of it, and nothing that is not', () => {
    expect(textOf(planeTable(plate(), canonical())).split('\n')).toEqual([
      'name,source,page,well,row,column,field,instrument_field,channel,channel_name,z,t,x_um,y_um,z_um,acquired,elapsed_s,pixel_size_x_um,pixel_size_y_um',
      'B05_s001_w1_z000_t002.tif,"a,b/s1c1z0t2.tif",,B05,2,5,1,,1,Alexa 488 (α),0,2,,,,,,0.5,0.25',
      'B05_s001_w1_z001_t001.tif,"a,b/s1c1z1t1.tif",,B05,2,5,1,7,1,Alexa 488 (α),1,1,-1.5,,,1970-01-01T00:00:00.000Z,,0.5,0.25',
      'B05_s001_w2_z001_t001.tif,"a,b/s1c2z1t1.tif",,B05,2,5,1,,2,,1,1,,,,,,0.5,0.25',
      'B05_s002_w2_z001_t001.tif,"a,b/s2c2z1t1.tif",,B05,2,5,2,,2,,1,1,,,,,0,0.5,0.25',
      '',
    ]);
  });

  it('LoadData.csv has a row per image set, with a column pair per channel', () => {
    const shared = shareTree(plate(), 0, { mountpoint: '/mnt/p', missing: 'zeros' });
    const header =
      'FileName_Alexa_488,FileName_w2,PathName_Alexa_488,PathName_w2,Metadata_Plate,Metadata_Well,Metadata_Row,Metadata_Column,Metadata_Site,Metadata_Z,Metadata_T';
    const rowsOf = (choice: 'complete' | 'incomplete') =>
      textOf(loadDataTable(shared, canonical(), '/mnt/p/images', choice)).split('\n');
    expect(rowsOf('complete')).toEqual([
      header,
      'B05_s001_w1_z001_t001.tif,B05_s001_w2_z001_t001.tif,/mnt/p/images,/mnt/p/images,"my ""plate""",B05,2,5,1,1,1',
      '',
    ]);
    // CellProfiler would open a folder for the empty cells, and stop.
    expect(rowsOf('incomplete')).toEqual([
      header,
      'B05_s001_w1_z000_t002.tif,,/mnt/p/images,,"my ""plate""",B05,2,5,1,0,2',
      ',B05_s002_w2_z001_t001.tif,,/mnt/p/images,"my ""plate""",B05,2,5,2,1,1',
      '',
    ]);
  });

  it('wells.csv and channels.csv sum up', () => {
    expect(textOf(wellTable(plate()))).toBe(
      'well,row,column,planes,fields,channels,z_positions,time_points\nB05,2,5,4,2,2,2,2\n',
    );
    expect(textOf(channelTable(plate()))).toBe(
      'channel,name,excitation_nm,emission_nm,planes,projections\n1,Alexa 488 (α),,,1,1\n2,,,600,2,0\n',
    );
  });

  it('cells are quoted where they must be', () => {
    expect(['a,b', 'a"b', 'a\nb', 'a b', undefined, Number.NaN, 0.1].map((value) => cell(value))).toEqual([
      '"a,b"',
      '"a""b"',
      '"a\nb"',
      'a b',
      '',
      '',
      '0.1',
    ]);
  });

  it('any range of a file is that part of the whole, however long its rows are', () => {
    fc.assert(
      fc.property(
        fc.nat(3 * BLOCK_ROWS + 5),
        fc.array(fc.tuple(fc.nat(), fc.nat(3000)), { minLength: 1, maxLength: 20 }),
        (rowCount, ranges) => {
          const table: PlateTable = {
            fileName: 't',
            header: 'a,b\n',
            rowCount,
            row: (i) => line([i, 'é'.repeat(i % 7)]),
          };
          const file = fileOf(table);
          const all = Buffer.from(textOf(table));
          expect(file.sizeBytes).toBe(all.length);
          expect(whole(file)).toBe(all.toString());
          for (const [at, length] of ranges) {
            const offset = at % (all.length + 10);
            const target = Buffer.alloc(length);
            const got = file.read(offset, target);
            expect(target.subarray(0, got).equals(all.subarray(offset, offset + length))).toBe(true);
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});
