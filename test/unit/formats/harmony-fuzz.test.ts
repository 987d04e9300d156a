import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import harmony from '../../../src/formats/harmony.ts';
import { planesOf } from '../../conformance/formats.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';
import { type HarmonyPlate, makeHarmonyPlate } from '../../fixtures/harmony-plate.ts';

const signal = new AbortController().signal;
/** Longest that a plate of 32 images may take, on a busy machine. */
const DEADLINE_MS = 5_000;
/** Warnings that say that names may not be what an undamaged Index gives. */
const TELLING = new Set([
  'contradiction',
  'bad-metadata',
  'unplaced-field',
  'name-collision',
  'unmapped-axis',
]);

let folder = '';
let plate: HarmonyPlate;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-harmony-fuzz-'));
  plate = makeHarmonyPlate(join(folder, 'plate'), {
    wells: [
      [1, 1],
      [2, 2],
    ],
    fields: [
      { id: 3, x: -640, y: 640 },
      { id: 4, x: 0, y: 640 },
      { id: 2, x: -640, y: 0 },
      { id: 1, x: 0, y: 0 },
    ],
    planes: 1,
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Damage = (index: Buffer) => Buffer;

/** A place among the images, or anywhere. */
const place = fc.record({ share: fc.nat(9999).map((part) => part / 10_000), inImages: fc.boolean() });
const at = (index: Buffer, { share, inImages }: { share: number; inImages: boolean }): number => {
  const from = inImages ? index.indexOf('<Images>') : 0;
  return Math.min(index.length - 1, Math.floor(from + share * (index.length - from)));
};

const flip = fc.tuple(place, fc.nat(255)).map(
  ([where, byte]): Damage =>
    (index) => {
      const damaged = Buffer.from(index);
      damaged[at(index, where)] = byte;
      return damaged;
    },
);
const digit = fc.tuple(place, fc.nat(9)).map(
  ([where, value]): Damage =>
    (index) => {
      const damaged = Buffer.from(index);
      for (let i = at(index, where); i < damaged.length; i += 1)
        if ((damaged[i] ?? 0) >= 48 && (damaged[i] ?? 0) <= 57) {
          damaged[i] = 48 + value;
          break;
        }
      return damaged;
    },
);
const truncation = place.map(
  (where): Damage =>
    (index) =>
      index.subarray(0, at(index, where)),
);
const removal = fc.tuple(place, fc.integer({ min: 1, max: 400 })).map(
  ([where, length]): Damage =>
    (index) =>
      Buffer.concat([index.subarray(0, at(index, where)), index.subarray(at(index, where) + length)]),
);
/** A whole element's line twice, or out of place. */
const line = fc.tuple(place, place, fc.boolean()).map(
  ([from, to, twice]): Damage =>
    (index) => {
      const lines = index.toString().split('\n');
      const source = index.subarray(0, at(index, from)).toString().split('\n').length - 1;
      const target = index.subarray(0, at(index, to)).toString().split('\n').length - 1;
      lines.splice(twice ? source : target, 0, lines[source] ?? '');
      return Buffer.from(lines.join('\n'));
    },
);
const image = fc.tuple(place, place).map(
  ([from, to]): Damage =>
    (index) => {
      const parts = index.toString().split('    <Image Version');
      const pick = (where: typeof from): number =>
        1 + Math.floor(where.share * Math.max(0, parts.length - 3));
      parts.splice(pick(to), 0, parts[pick(from)] ?? '');
      return Buffer.from(parts.join('    <Image Version'));
    },
);
// Half of them plausible: a wrong number is harder to tell than an impossible one.
const NUMBERS = [
  'NaN',
  'INF',
  '-INF',
  '-1',
  '0',
  '-0',
  '1e400',
  '1E-400',
  '999999999999999999999',
  '1e308',
  '',
  ' ',
  '0x10',
  '٣',
  '1',
  '2',
  '3',
  '4',
  '640E-06',
  '-640E-06',
  '320E-06',
  '100E-06',
  '0.00064',
];
const number = fc.tuple(place, fc.constantFrom(...NUMBERS)).map(
  ([where, value]): Damage =>
    (index) => {
      const text = index.toString('latin1');
      const match = /(>)[-+.0-9E]+(<)/g;
      match.lastIndex = at(index, where);
      const found = match.exec(text);
      if (!found) return index;
      return Buffer.concat([
        index.subarray(0, found.index + 1),
        Buffer.from(value),
        index.subarray(found.index + found[0].length - 1),
      ]);
    },
);

describe('a damaged Index', () => {
  it('never crashes, hangs or shows a plane under a wrong name without saying so', async () => {
    const truth = new Map([...plate.planes].map(([name, path]) => [path, name]));
    const damage = fc.oneof(
      { arbitrary: fc.oneof(flip, truncation, removal, line), weight: 1 },
      { arbitrary: fc.oneof(digit, image, number), weight: 3 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
        const index = damages.reduce<Buffer>((bytes, apply) => apply(bytes), Buffer.from(plate.xml));
        writeFileSync(join(plate.root, plate.index), index);
        const begin = cpuNowMs();
        const result = await harmony.index(plate.root, {}, signal);
        expect(cpuNowMs() - begin).toBeLessThan(DEADLINE_MS);
        const told = result.warnings.some(({ kind }) => TELLING.has(kind));
        const shown = planesOf(result);
        // Every image exists and is named by the grammar, so none may be lost without a word either.
        if (shown.size < truth.size) expect(result.warnings).not.toEqual([]);
        for (const [name, path] of shown)
          if (truth.get(path) !== name) expect({ name, path, told }).toMatchObject({ told: true });
      }),
      { numRuns: 250 },
    );
  });

  it('full of hostile numbers and paths stays within bounds', async () => {
    const image = (i: number, url: string, x: string): string =>
      `<Image><URL>${url}</URL><Row>1</Row><Col>1</Col><FieldID>${i + 1}</FieldID><PlaneID>1</PlaneID><ChannelID>1</ChannelID><PositionX>${x}</PositionX><PositionY>${i}</PositionY></Image>`;
    const images = Array.from({ length: 20_000 }, (_, i) => image(i, `../${i}.tiff`, '1e300'));
    const safe = Array.from({ length: 20_000 }, (_, i) =>
      image(i, `n${i}.tiff`, i % 2 === 0 ? '1e300' : '-1e300'),
    );
    writeFileSync(
      join(plate.root, plate.index),
      `<EvaluationInputData xmlns="HarmonyV5"><Images>${images.join('')}${safe.join('')}</Images></EvaluationInputData>`,
    );
    const begin = cpuNowMs();
    const { warnings, planes } = await harmony.index(plate.root, {}, signal);
    expect(cpuNowMs() - begin).toBeLessThan(DEADLINE_MS);
    expect(planes.count).toBe(plate.planes.size);
    expect(warnings.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['absent-image', 'unsafe-path', 'bad-metadata', 'unlisted-image']),
    );
    expect(JSON.stringify(warnings).length).toBeLessThan(20_000);
  });
});
