import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storage, useStorage } from '../../src/core/storage.ts';
import type { LandingFormat } from '../../src/model/landing-format.ts';
import { smallTiff } from '../interop/landing/small-tiff.ts';
import { LandingMount } from './landing-mount.ts';

const RUNS = Number(process.env['PLATEFS_MODEL_RUNS'] ?? 8);
const FORMATS: readonly LandingFormat[] = [{}, { chunks: 'sharded' }, { chunks: 'well', levels: 2 }];
const PLANES = ['A01', 'B02'].flatMap((well) =>
  [1, 2, 3].map((channel) => `out/${well}_s001_w${channel}_z001_t001.tif`),
);
const NAMES = [...PLANES, 'notes.csv', 'stack.tif'];

let folder = '';
let output = '';
let mounts: LandingMount[] = [];

/** A mount that lands in the one output folder; of the same state it is the same one again. */
function mountOf(name: string, source: string): LandingMount {
  const own = join(folder, name);
  mkdirSync(own);
  const owner = { id: name, mountpoint: `/mnt/${name}`, source, stateFolder: join(own, 'state') };
  const mount = new LandingMount(own, { output, owner });
  mounts.push(mount);
  return mount;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-shared-'));
  output = join(folder, 'out');
  mounts = [];
  // Power loss is not looked at here.
  useStorage({ ...storage, syncFileSystem: () => true });
});

afterEach(async () => {
  useStorage(undefined);
  await Promise.all(mounts.map((mount) => mount.close()));
  rmSync(folder, { recursive: true, force: true });
});

const nameAt = (index: number): string => NAMES[index] ?? '';
const contentOf = (name: string, seed: number): Buffer =>
  name.endsWith('.csv') ? Buffer.from(`a\n${seed}\n`) : smallTiff(12, 10, seed);

type Step = { readonly mount: 0 | 1; readonly name: number; readonly seed: number } & {
  readonly kind: 'write' | 'delete' | 'rename' | 'remount';
};

const step: fc.Arbitrary<Step> = fc.record({
  mount: fc.constantFrom(0, 1),
  kind: fc.constantFrom('write', 'write', 'write', 'delete', 'rename', 'remount'),
  name: fc.nat(NAMES.length - 1),
  seed: fc.nat(200),
});

async function take(mount: LandingMount, { kind, name, seed }: Step, format: LandingFormat): Promise<void> {
  const path = nameAt(name);
  if (kind === 'write') await mount.write(new Map([[path, contentOf(path, seed)]]));
  else if (kind === 'delete') await mount.delete(path);
  else if (kind === 'rename') await mount.rename(path, nameAt((name + seed) % NAMES.length));
  else {
    await mount.close();
    await mount.open(format);
  }
}

describe('two mounts that land in one output folder', () => {
  it.each([
    ['of one plate', '/plate'],
    ['of two plates', '/other'],
  ])(
    '%s write, rename, delete and begin anew at once: each reads its own bytes, the store stays valid',
    async (_, source) => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 4, maxLength: 12 }),
          fc.nat(FORMATS.length - 1),
          async (steps, format) => {
            run++;
            output = join(folder, `out${run}`);
            const both = [mountOf(`a${run}`, '/plate'), mountOf(`b${run}`, source)];
            await Promise.all(both.map((mount) => mount.open(FORMATS[format] ?? {})));
            await Promise.all(
              both.map(async (mount, at) => {
                for (const one of steps.filter((each) => each.mount === at)) {
                  await take(mount, one, FORMATS[format] ?? {});
                  mount.check();
                }
              }),
            );
            for (const mount of both) {
              mount.check();
              expect([...mount.files.values()].filter(({ landing }) => !landing)).toEqual([]);
            }
          },
        ),
        { numRuns: RUNS },
      );
    },
    60_000,
  );

  it('of one plate: a plane that the other has already becomes an image of its own, and says whose it is', async () => {
    const [one, two] = [mountOf('a', '/plate'), mountOf('b', '/plate')];
    await one.open({});
    await two.open({});
    const [plane = '', next = ''] = PLANES;
    await one.write(new Map([[plane, smallTiff(12, 10, 1)]]));
    await two.write(
      new Map([
        [plane, smallTiff(12, 10, 2)],
        [next, smallTiff(12, 10, 3)],
        ['notes.txt', Buffer.from('b')],
      ]),
    );
    await one.write(new Map([['notes.txt', Buffer.from('a')]]));
    const noteOf = (mount: LandingMount, name: string) => mount.files.get(name)?.landing?.note;
    expect(noteOf(two, plane)).toBe(
      'the mount of /plate at /mnt/a has its place on the plate; to keep the names apart, give one of the two another --output',
    );
    expect(noteOf(one, 'notes.txt')).toBe(
      'notes.txt was taken in the output folder by the mount of /plate at /mnt/b; to keep the names apart, give one of the two another --output',
    );
    expect(noteOf(two, next)).toBeUndefined();
    for (const mount of [one, two]) mount.check();
    // Its own it replaces.
    await two.write(new Map([[next, smallTiff(12, 10, 4)]]));
    expect(noteOf(two, next)).toBeUndefined();
    two.check();
  });

  it('of two plates: the same wells get fields of their own', async () => {
    const [one, two] = [mountOf('a', '/plate'), mountOf('b', '/other')];
    await one.open({});
    await two.open({});
    const [plane = ''] = PLANES;
    await one.write(new Map([[plane, smallTiff(12, 10, 1)]]));
    await two.write(new Map([[plane, smallTiff(9, 7, 2)]]));
    const landings = [one, two].map((mount) => mount.files.get(plane)?.landing);
    expect(landings).toMatchObject([
      { path: 'results.ome.zarr/A/01/0', placement: 'plate' },
      { path: 'results.ome.zarr/A/01/1', placement: 'plate' },
    ]);
    for (const mount of [one, two]) {
      mount.check();
      expect(mount.unsettled).toEqual([]);
    }
    const plate = JSON.parse(readFileSync(join(output, 'results.ome.zarr/.zattrs'), 'utf8'));
    expect(plate.plate.acquisitions).toMatchObject([{ name: 'out' }, { name: 'out of /other' }]);
  });
});
