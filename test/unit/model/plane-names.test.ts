import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadParameterError } from '../../../src/core/errors.ts';
import { compileNameTemplate } from '../../../src/model/name-template.ts';
import { PlaneNames } from '../../../src/model/plane-names.ts';
import { checkNames, namePlanes } from '../../../src/model/plane-naming.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { planeByName, planeName } from '../../../src/model/plate-lookup.ts';
import { shareTree, succeedTree } from '../../../src/tree/shared-tree.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';

interface Plane {
  row?: number;
  column?: number;
  site?: number;
  channel?: number;
  z?: number;
  t?: number;
  fieldId?: number;
  extension?: string;
}

function build(planes: readonly Plane[], format = 'test'): PlateIndex {
  const builder = new PlateIndexBuilder('/plate', { mtimeMs: 1, inode: 2n });
  for (const [i, plane] of planes.entries()) {
    const { row = 0, column = 0, site = 1, channel = 1, z = 1, t = 1, extension = '.tif', fieldId } = plane;
    const file = builder.addFile(0, `${i}${extension}`);
    builder.addPlane(
      file,
      row,
      column,
      site,
      channel,
      z,
      t,
      extension,
      fieldId === undefined ? undefined : { fieldId },
    );
  }
  return builder.finish({ name: 'p', format, formatDetail: '', channels: [] });
}

const namesOf = (index: PlateIndex, names?: string): PlaneNames =>
  new PlaneNames(index, namePlanes(index, names));

/** The plane at a path, walking from folder to folder as a program does. */
function planeAt(names: PlaneNames, path: string): number | undefined {
  const parts = path.split('/');
  let folder: number | undefined;
  for (const part of parts.slice(0, -1)) {
    folder = names.folderNamed(folder, part);
    if (folder === undefined) return undefined;
  }
  return names.planeNamed(folder, parts.at(-1) ?? '');
}

/** Every path that listings lead to. */
function listed(names: PlaneNames, folder?: number): string[] {
  const below = [...names.foldersIn(folder)].flatMap((child) => {
    expect(names.folderAbove(child)).toBe(folder);
    expect(names.folderNamed(folder, names.folderName(child))).toBe(child);
    return listed(names, child);
  });
  const own = folder === undefined ? [] : [...names.planesIn(folder)].map((plane) => names.pathOf(plane));
  return [...below, ...own];
}

const plane = fc.record({
  row: fc.integer({ min: 0, max: 31 }),
  column: fc.integer({ min: 0, max: 47 }),
  site: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12_000 })),
  channel: fc.integer({ min: 1, max: 12 }),
  z: fc.integer({ min: 0, max: 40 }),
  t: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9999 })),
  extension: fc.constantFrom('.tif', '.TIF', '.tiff'),
});
const planes = fc.uniqueArray(plane, {
  selector: ({ row, column, site, channel, z, t }) => [row, column, site, channel, z, t].join(),
  minLength: 1,
  maxLength: 40,
});
const width = fc.constantFrom('', ':01', ':02', ':03', ':05');
const separator = fc.constantFrom('', '', '_', '-', '/', 's', 'x1', 'A', '{{', '}}', 'µ', ' ');
const piece = fc.tuple(
  separator,
  fc.oneof(
    fc.constantFrom('{well}', '{row}'),
    fc
      .tuple(fc.constantFrom('row', 'column', 'site', 'field', 'channel', 'z', 't'), width)
      .map(([token, digits]) => `{${token}${digits}}`),
  ),
);
const template = fc
  .tuple(fc.array(piece, { minLength: 1, maxLength: 8 }), fc.constantFrom('{ext}', '{ext}', '.tif', ''))
  .map(([pieces, end]) => pieces.map(([before, token]) => before + token).join('') + end);
const COMPLETE = ['{well}', '{row:02}{column:02}', '{field:05}', '{channel}', '{z:03}', '{t:04}'];
/** Templates that tell everything, in any order, with and without folders. */
const completeTemplate = fc
  .tuple(
    fc.shuffledSubarray(COMPLETE, { minLength: 6, maxLength: 6 }),
    fc.array(fc.constantFrom('_', '/', '-f', ' '), { minLength: 6, maxLength: 6 }),
  )
  .map(
    ([tokens, between]) => `${tokens.map((token, i) => (i === 0 ? '' : between[i]) + token).join('')}{ext}`,
  );

describe('names by template', () => {
  it('lead back to their plane, for every plane and every template that is not refused', () => {
    let accepted = 0;
    fc.assert(
      fc.property(planes, fc.oneof(template, completeTemplate), (given, text) => {
        const index = build(given);
        let names: PlaneNames;
        try {
          names = namesOf(index, text);
        } catch (error) {
          expect(error).toBeInstanceOf(BadParameterError);
          return;
        }
        accepted += 1;
        const all = Array.from({ length: index.planes.count }, (_, i) => names.pathOf(i));
        expect(new Set(all).size).toBe(all.length);
        for (const [i, path] of all.entries()) {
          expect(planeAt(names, path), `${text} ${path}`).toBe(i);
          for (const part of path.split('/')) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(255);
        }
        if (names.depth > 0) expect(listed(names).sort()).toEqual(all.sort());
      }),
      { numRuns: 600 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('are found by no other spelling', () => {
    fc.assert(
      fc.property(
        planes,
        completeTemplate,
        fc.nat(60),
        fc.string({ maxLength: 2 }),
        (given, text, at, insert) => {
          const index = build(given);
          const names = namesOf(index, text);
          const path = names.pathOf(0);
          const changed = path.slice(0, at) + insert + path.slice(at);
          const found = planeAt(names, changed);
          if (found !== undefined) expect(names.pathOf(found)).toBe(changed);
        },
      ),
    );
  });

  it('agree with the canonical ones, which are a template too', () => {
    fc.assert(
      fc.property(planes, fc.string({ maxLength: 2 }), fc.nat(30), (given, insert, at) => {
        const index = build(given);
        // The same names, by another template: the canonical one is not asked itself.
        const names = namesOf(index, '{row}{column:02}_s{site:03}_w{channel}_z{z:03}_t{t:03}{ext}');
        const own = namesOf(index);
        for (let i = 0; i < index.planes.count; i += 1) {
          const name = planeName(index, i);
          expect(names.pathOf(i)).toBe(name);
          expect(own.pathOf(i)).toBe(name);
          expect(own.planeNamed(undefined, name)).toBe(i);
          expect(names.planeNamed(undefined, name)).toBe(i);
          const changed = name.slice(0, at) + insert + name.slice(at);
          expect(names.planeNamed(undefined, changed)).toBe(planeByName(index, changed));
        }
      }),
    );
  });

  it('format and parse an address', () => {
    const { format, parse } = compileNameTemplate({
      parameter: 'names',
      template: 'p/{well}/{field:03}_{z}{ext}',
    });
    const address = { well: { row: 31, column: 47 }, site: 2, channel: 1, z: 7, t: 1 };
    expect(format(address, '.TIF', 12)).toBe('p/AF48/012_7.TIF');
    expect([...(parse('p/AF48/012_7.TIF')?.values ?? [])]).toEqual([31, 47, -1, 12, -1, 7, -1]);
    expect(parse('p/AF48/012_7.TIF')?.rest).toBe('.TIF');
    for (const other of [
      'p/AF48/12_7.TIF',
      'p/AF48/0012_7.TIF',
      'p/af48/012_7',
      'AF48/012_7',
      'p/AF48/012_',
      'p/AG01/012_7',
    ])
      expect(parse(other), other).toBeUndefined();
  });
});

describe('styles of names', () => {
  it("harmony has the instrument's field numbers, and p000 for projections", () => {
    const index = build([
      { row: 2, column: 11, site: 1, fieldId: 9, z: 0, extension: '.tiff' },
      { row: 2, column: 11, site: 1, fieldId: 9, z: 1, channel: 2, t: 12, extension: '.tiff' },
      { row: 2, column: 11, site: 2, fieldId: 1, z: 1, extension: '.tiff' },
    ]);
    const names = namesOf(index, 'harmony');
    const all = [0, 1, 2].map((i) => names.pathOf(i));
    expect(all).toEqual([
      'r03c12f009p000-ch1sk1fk1fl1.tiff',
      'r03c12f009p001-ch2sk12fk1fl1.tiff',
      'r03c12f001p001-ch1sk1fk1fl1.tiff',
    ]);
    for (const [i, name] of all.entries()) expect(names.planeNamed(undefined, name)).toBe(i);
  });

  it('openhcs is what OpenHCS gives: Harmony plates keep their grammar, with fields in raster order', () => {
    const given = [
      { site: 2, fieldId: 7 },
      { site: 1, fieldId: 1 },
    ];
    expect(namesOf(build(given, 'harmony'), 'openhcs').pathOf(1)).toBe('r01c01f002p001-ch1sk1fk1fl1.tif');
    expect(namesOf(build(given), 'openhcs').pathOf(1)).toBe('A01_s002_w1_z001_t001.tif');
  });

  it('{site} and {field} may stand together', () => {
    const names = namesOf(
      build([
        { site: 1, fieldId: 9 },
        { site: 2, fieldId: 9 },
      ]),
      '{site}_{field}{ext}',
    );
    expect([names.pathOf(0), names.pathOf(1)]).toEqual(['1_9.tif', '2_9.tif']);
    expect(names.planeNamed(undefined, '2_9.tif')).toBe(1);
    expect(names.planeNamed(undefined, '2_8.tif')).toBeUndefined();
  });
});

const messageOf = (call: () => unknown): string => {
  try {
    call();
    return 'accepted';
  } catch (error) {
    if (error instanceof BadParameterError) return error.message;
    throw error;
  }
};

describe('templates that are refused', () => {
  it.each([
    ['', 'is empty'],
    ['{wel}_{site}{ext}', 'holds {wel}; known are {well} {row}'],
    ['{z}{t}{ext}', 'has {t} right behind {z}, so that nobody could tell where z ends; write {z:03}'],
    ['{site}1{ext}', 'has a digit right behind {site}'],
    ['{row}{well}{ext}', 'has a letter right behind {row}'],
    ['{site:3}{ext}', 'write {site:03} for at least three digits, or {site}'],
    ['{well:02}{ext}', 'is no number; write {well}'],
    ['{site{ext}', 'holds {site{ext}'],
    ['{site', 'has a { without its }'],
    ['site}', 'has a } without its {'],
    ['{site}', 'has no extension'],
    ['images{ext}', 'tells planes apart by nothing'],
    ['{ext}', 'tells planes apart by nothing'],
    ['{well}/{ext}', 'has nothing before {ext}'],
    ['{site}{ext}.tif', 'has {ext} before its end'],
    ['{site}{ext}/{z}{ext}', "has {ext} before its end|has {ext} in a folder's name"],
    ['/{site}{ext}', 'has an empty name'],
    ['{well}//{site}{ext}', 'has an empty name'],
    ['../{site}{ext}', "holds '..', which leads elsewhere"],
    ['*_{site}{ext}', 'holds *'],
    ['{site}\n{ext}', 'holds a control character'],
    ['{site}\0{ext}', 'holds a control character'],
    ['{site}\ud800{ext}', 'holds a control character'],
    [`${'x'.repeat(2000)}{site}{ext}`, 'is 2011 characters long'],
    [`${'a/'.repeat(40)}{site}{ext}`, 'has 41 names in a row'],
    ['harmonie', 'is no kind of names; write canonical, harmony, openhcs or a template'],
    ['toString', 'is no kind of names'],
  ])('%j', (text, why) => {
    const message = messageOf(() => checkNames('--names', text));
    expect(
      why.split('|').some((one) => message.includes(one)),
      message,
    ).toBe(true);
    expect(message.length).toBeLessThan(400);
  });

  const varied = build([
    {},
    { z: 3 },
    { row: 1, t: 1200, extension: '.TIF' },
    { row: 1, column: 3, site: 2, channel: 2 },
  ]);
  it.each([
    [
      '{well}_s{site}_w{channel}_t{t}{ext}',
      "doesn't tell z positions apart, and the plate has 1 to 3: several planes would have one name; write for instance {well}_s{site}_w{channel}_t{t}_z{z:03}{ext}",
    ],
    [
      '{well}_s{site}_w{channel}_z{z}.tif',
      "doesn't tell time points apart, and the plate has 1 to 1200: several planes would have one name; write for instance {well}_s{site}_w{channel}_z{z}_t{t:03}.tif",
    ],
    [
      's{site}_w{channel}_z{z}_t{t}{ext}',
      "doesn't tell rows apart, and the plate has 1 to 2: several planes would have one name; write for instance {well}_s",
    ],
    ['{row}_s{site}_w{channel}_z{z}_t{t}{ext}', "doesn't tell columns apart"],
    [
      '{well}_s{site}_w{channel}_t{t:03}{z:03}{ext}',
      'leaves too little room for t, which has 4 digits on this plate, before what follows it; write {t:04}',
    ],
    [
      '{well}_s{site}_w{channel}_t{t}_z{z}.png',
      'ends in .png, but images of the plate are .tif; write {well}_s{site}_w{channel}_t{t}_z{z}{ext}',
    ],
    [`${'é'.repeat(120)}{well}_s{site}_w{channel}_t{t}_z{z}{ext}`, 'gives names of 26'],
  ])('for what the plate is: %j', (text, why) => {
    expect(messageOf(() => namePlanes(varied, text))).toContain(why);
  });

  it("for the instrument's field numbers", () => {
    const twice = build([
      { site: 1, fieldId: 9 },
      { site: 2, fieldId: 9 },
    ]);
    expect(messageOf(() => namePlanes(twice, 'harmony'))).toContain(
      '9 is that of two sites of A01; write {site}',
    );
    const several = build([
      { z: 1, fieldId: 9 },
      { z: 2, fieldId: 8 },
    ]);
    expect(messageOf(() => namePlanes(several, 'harmony'))).toContain(
      'planes of A01 site 1 have several; write {site}',
    );
    const mixed = build([{ site: 1, fieldId: 2 }, { site: 2 }]);
    expect(messageOf(() => namePlanes(mixed, 'harmony'))).toContain('2 is that of two sites of A01');
  });

  it('costs no time that grows with the text', () => {
    const startedMs = cpuNowMs();
    for (const text of [
      `${'{z:09}'.repeat(160)}{ext}`,
      `${'{{'.repeat(499)}`,
      '{'.repeat(999),
      '{z:'.repeat(300),
    ])
      messageOf(() => checkNames('names', text));
    expect(cpuNowMs() - startedMs).toBeLessThan(2000);
  });
});

describe('folders', () => {
  it('keep their numbers when the plate grows', () => {
    const some = [{ row: 1 }, { row: 1, site: 2 }];
    const before = namesOf(build(some), '{well}/{site:03}{ext}');
    const after = namesOf(build([{ row: 0 }, ...some, { row: 3 }]), '{well}/{site:03}{ext}');
    const folder = before.folderNamed(undefined, 'B01');
    expect(after.folderNamed(undefined, 'B01')).toBe(folder);
    expect([...after.foldersIn(undefined)].map((one) => after.folderName(one)).sort()).toEqual([
      'A01',
      'B01',
      'D01',
    ]);
    expect(after.hasFolder(12345)).toBe(false);
    expect(after.folderNamed(undefined, 'C01')).toBeUndefined();
    expect(after.planeNamed(undefined, '001.tif')).toBeUndefined();
  });

  it('refuse a plate that grew along an axis that names do not tell', () => {
    const options = { mountpoint: '/m', missing: 'zeros', names: '{well}_{site}{ext}' } as const;
    const before = shareTree(build([{}, { site: 2 }]), 0, options);
    expect(succeedTree(before, build([{}, { site: 2 }, { site: 3 }]), 1).after.naming.template).toBe(
      options.names,
    );
    expect(messageOf(() => succeedTree(before, build([{}, { site: 2, t: 2 }]), 1))).toContain(
      "doesn't tell time points apart, and the plate has 1 to 2",
    );
  });
});
