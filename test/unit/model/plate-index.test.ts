import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { missingPlaneCount, missingPlanes } from '../../../src/model/missing-planes.ts';
import { compareNatural } from '../../../src/model/natural-order.ts';
import { parsePlaneName, planeStem } from '../../../src/model/plane-name.ts';
import { fieldStarts, fields, plateAxes } from '../../../src/model/plate-axes.ts';
import { EXCLUSIONS, type PlateIndex } from '../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { bufferOf, countsOf, layOutColumns } from '../../../src/model/plate-index-columns.ts';
import {
  childDirectories,
  directoryByPath,
  directoryPath,
  fileByName,
  fileByPath,
  filePath,
  planeByName,
  planeName,
  planesOfField,
} from '../../../src/model/plate-lookup.ts';

const FACTS = { name: 'p', format: 'test', formatDetail: '', channels: [] };
const STAT = { mtimeMs: 1, inode: 2n };

interface Address {
  row: number;
  column: number;
  site: number;
  channel: number;
  z: number;
  t: number;
}

const address = fc.record({
  row: fc.integer({ min: 0, max: 31 }),
  column: fc.integer({ min: 0, max: 47 }),
  site: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 5000 })),
  channel: fc.integer({ min: 1, max: 12 }),
  z: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 2000 })),
  t: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9999 })),
});
const keyOf = ({ row, column, site, channel, z, t }: Address): string =>
  [row, column, site, channel, z, t].join('/');
const addresses = fc.uniqueArray(address, { selector: keyOf, maxLength: 60 });

function build(planes: readonly Address[], extension = '.tif'): PlateIndex {
  const builder = new PlateIndexBuilder('/plate', STAT);
  for (const plane of planes) {
    const file = builder.addFile(0, `${keyOf(plane).replaceAll('/', '-')}${extension}`);
    const { row, column, site, channel, z, t } = plane;
    builder.addPlane(file, row, column, site, channel, z, t, extension);
  }
  return builder.finish(FACTS);
}

const names = (index: PlateIndex): string[] =>
  Array.from({ length: index.planes.count }, (_, i) => planeName(index, i));

describe('plate index', () => {
  it('finds every plane by its name, whatever the order of adding', () => {
    fc.assert(
      fc.property(addresses, (planes) => {
        const index = build(planes);
        expect(index.planes.count).toBe(planes.length);
        for (let i = 0; i < index.planes.count; i += 1)
          expect(planeByName(index, planeName(index, i))).toBe(i);
        expect(names(build(planes.toReversed()))).toEqual(names(index));
      }),
    );
  });

  it('keeps planes in natural order of their wells, sites, channels, z and t', () => {
    fc.assert(
      fc.property(addresses, (planes) => {
        const listed = names(build(planes.map((plane) => ({ ...plane, row: plane.row % 26 }))));
        expect(listed).toEqual(listed.toSorted(compareNatural));
      }),
    );
  });

  it('accepts exactly the spelling that planeStem writes', () => {
    const index = build([{ row: 0, column: 0, site: 1, channel: 1, z: 1, t: 1 }]);
    expect(planeByName(index, 'A01_s001_w1_z001_t001.tif')).toBe(0);
    for (const name of [
      'A1_s001_w1_z001_t001.tif',
      'A001_s001_w1_z001_t001.tif',
      'A01_s1_w1_z001_t001.tif',
      'A01_s0001_w1_z001_t001.tif',
      'A01_s001_w01_z001_t001.tif',
      'A01_s001_w1_z001_t001.TIF',
      'A01_s001_w1_z001_t001.tif ',
      'A01_s001_w1_z001_t001',
      'a01_s001_w1_z001_t001.tif',
      'A01_s001_w1_z001_t0014294967297.tif',
      'A01_s001_w1_z001',
      '',
      '@',
    ])
      expect(planeByName(index, name), name).toBeUndefined();
  });

  it('agrees with parsePlaneName about any text near a name', () => {
    const near = address.chain((plane) => {
      const { row, column, ...rest } = plane;
      const stem = planeStem({ well: { row, column }, ...rest });
      return fc.tuple(
        fc.constant(plane),
        fc.constant(stem),
        fc.nat(stem.length),
        fc.string({ maxLength: 2 }),
      );
    });
    fc.assert(
      fc.property(near, ([plane, stem, at, insert]) => {
        const index = build([plane], '');
        const name = stem.slice(0, at) + insert + stem.slice(at);
        const parsed = parsePlaneName(name);
        const same = parsed !== undefined && parsed.rest === '' && planeStem(parsed.address) === stem;
        expect(planeByName(index, name)).toBe(same ? 0 : undefined);
      }),
    );
  });

  it('holds a tree: directories by path, files by name, children in order', () => {
    const folder = fc.stringMatching(/^[A-Za-zäµ0-9_]{1,6}$/);
    const paths = fc.uniqueArray(fc.array(folder, { minLength: 1, maxLength: 4 }), {
      selector: (parts) => parts.join('/'),
      maxLength: 40,
    });
    fc.assert(
      fc.property(paths, (files) => {
        const builder = new PlateIndexBuilder('/plate', STAT);
        const known = new Map([['', 0]]);
        const added: string[] = [];
        const folders = new Set(
          files.flatMap((parts) => parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join('/'))),
        );
        for (const parts of files) {
          if (folders.has(parts.join('/'))) continue;
          let parent = 0;
          for (let i = 1; i < parts.length; i += 1) {
            const path = parts.slice(0, i).join('/');
            const number = known.get(path) ?? builder.addDirectory(parent, parts[i - 1]!, STAT);
            known.set(path, number);
            parent = number;
          }
          builder.addFile(parent, parts.at(-1)!);
          added.push(parts.join('/'));
        }
        const index = builder.finish(FACTS);
        expect(index.files.count).toBe(added.length);
        for (const path of added) {
          const file = fileByPath(index, path);
          expect(file).toBeDefined();
          expect(filePath(index, file!)).toBe(path);
        }
        for (const path of known.keys())
          expect(directoryPath(index, directoryByPath(index, path)!)).toBe(path);
        let children = 0;
        for (let i = 0; i < index.directories.count; i += 1) {
          const { first, end } = childDirectories(index, i);
          for (let child = first; child < end; child += 1) expect(index.directories.parents[child]).toBe(i);
          children += end - first;
        }
        expect(children).toBe(index.directories.count - 1);
        expect(fileByName(index, 0, 'no such file')).toBeUndefined();
        expect(directoryByPath(index, 'no/such')).toBeUndefined();
      }),
    );
  });

  it('shows the first file in natural path order where several claim one address', () => {
    const builder = new PlateIndexBuilder('/plate', STAT);
    const ten = builder.addDirectory(0, 'd10', STAT);
    const two = builder.addDirectory(0, 'd2', STAT);
    for (const directory of [ten, two])
      builder.addPlane(builder.addFile(directory, 'x.tif'), 0, 0, 1, 1, 1, 1, '.tif');
    const index = builder.finish(FACTS);
    expect(index.planes.count).toBe(1);
    expect(filePath(index, index.planes.files[0]!)).toBe('d2/x.tif');
    expect(EXCLUSIONS[index.files.exclusions[fileByPath(index, 'd10/x.tif')!]!]).toBe('collision');
    expect(index.warnings).toMatchObject([{ kind: 'name-collision', files: ['d2/x.tif', 'd10/x.tif'] }]);
  });

  it('keeps ten thousand collisions short, and every loser marked', () => {
    const builder = new PlateIndexBuilder('/plate', STAT);
    for (let i = 1; i <= 10_000; i += 1)
      for (const prefix of ['a', 'b'])
        builder.addPlane(builder.addFile(0, `${prefix}${i}.tif`), 0, 0, i, 1, 1, 1, '.tif');
    const index = builder.finish(FACTS);
    expect(index.planes.count).toBe(10_000);
    expect(index.files.exclusions.filter((code) => EXCLUSIONS[code] === 'collision').length).toBe(10_000);
    expect(JSON.stringify(index.warnings).length).toBeLessThan(100_000);
    expect(index.warnings.at(-1)?.message).toContain('9900 more');
  });

  it('lists fields as ranges of planes, and the axes', () => {
    const planes = [1, 2].flatMap((site) =>
      [0, 1, 3].map((z) => ({ row: 1, column: 2, site, channel: 2, z, t: 5 })),
    );
    const index = build([...planes, { row: 0, column: 0, site: 1, channel: 4, z: 1, t: 5 }]);
    expect([...fieldStarts(index)]).toEqual([0, 1, 4, 7]);
    expect([...fields(index)].map(({ row, site }) => [row, site])).toEqual([
      [0, 1],
      [1, 1],
      [1, 2],
    ]);
    expect(planesOfField(index, 1, 2, 2)).toEqual({ first: 4, end: 7 });
    expect(planesOfField(index, 1, 2, 3)).toBeUndefined();
    expect(plateAxes(index)).toEqual({
      channels: [2, 4],
      zs: [1, 3],
      ts: [5],
      stackChannels: [2, 4],
      projectionChannels: [2],
    });
  });

  it('lists as missing exactly what the hull has and the plate lacks', () => {
    const small = fc.record({
      row: fc.constant(0),
      column: fc.nat(1),
      site: fc.integer({ min: 1, max: 2 }),
      channel: fc.integer({ min: 1, max: 2 }),
      z: fc.nat(3),
      t: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(small, { selector: keyOf, minLength: 1, maxLength: 40 }), (planes) => {
        const index = build(planes);
        const present = new Set(planes.map(keyOf));
        const has = (f: (plane: Address) => string): Set<string> => new Set(planes.map(f));
        const fieldKeys = has(({ column, site }) => `${column}/${site}`);
        const expected = new Set<string>();
        for (const field of fieldKeys)
          for (const channel of [1, 2])
            for (const z of [0, 1, 2, 3])
              for (const t of [1, 2, 3]) {
                const own = planes.filter((plane) => plane.channel === channel && plane.z > 0 === z > 0);
                const inHull =
                  own.length > 0 &&
                  (z === 0 || planes.some((plane) => plane.z === z)) &&
                  planes.some((plane) => plane.t === t);
                const [column, site] = field.split('/').map(Number);
                const key = keyOf({ row: 0, column: column!, site: site!, channel, z, t });
                if (inHull && !present.has(key)) expected.add(key);
              }
        const listed = [...missingPlanes(index)].map(({ well, ...rest }) => keyOf({ ...well, ...rest }));
        expect(new Set(listed)).toEqual(expected);
        expect(listed.length).toBe(expected.size);
        expect(missingPlaneCount(index)).toBe(expected.size);
      }),
    );
  });

  it('keeps ten thousand missing planes short', () => {
    const planes: Address[] = [];
    for (let site = 1; site <= 400; site += 1)
      for (let z = 1; z <= 50; z += 1)
        if ((site * 7 + z * 13) % 2 === 0 || site === 1)
          planes.push({ row: 0, column: 0, site, channel: 1, z, t: 1 });
    const index = build(planes);
    expect(missingPlaneCount(index)).toBe(400 * 50 - planes.length);
    expect(JSON.stringify(index.warnings).length).toBeLessThan(100_000);
  });

  it('tells a plate too sparse to look through as one number, at once', () => {
    const planes = Array.from({ length: 3000 }, (_, i) => ({
      row: 0,
      column: 0,
      site: i + 1,
      channel: 1,
      z: i + 1,
      t: i + 1,
    }));
    expect(build(planes).warnings).toMatchObject([
      { kind: 'missing-plane', message: expect.stringContaining(`${3000 ** 3 - 3000} planes`) },
    ]);
  });

  it('tells wells that have fewer fields than others', () => {
    const at = (column: number, site: number) => ({ row: 0, column, site, channel: 1, z: 1, t: 1 });
    const index = build([at(0, 1), at(0, 2), at(0, 3), at(1, 1), at(2, 1), at(2, 2), at(2, 3)]);
    expect(index.warnings).toEqual([
      {
        kind: 'missing-field',
        message: '1 of 3 wells have fewer fields than others: A02 lacks site 2–3',
        files: [],
      },
    ]);
  });

  it('lies in one shared buffer that its counts lay out again', () => {
    const index = build([{ row: 0, column: 0, site: 1, channel: 1, z: 1, t: 1 }]);
    const buffer = bufferOf(index);
    expect(buffer).toBeInstanceOf(SharedArrayBuffer);
    const again = layOutColumns(countsOf(index));
    expect(again.buffer.byteLength).toBe(buffer?.byteLength);
    new Uint8Array(again.buffer).set(new Uint8Array(buffer!));
    expect(planeName({ ...index, ...again.columns }, 0)).toBe('A01_s001_w1_z001_t001.tif');
    expect(structuredClone(index).planes.sites.buffer).toBeInstanceOf(SharedArrayBuffer);
  });
});
