import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ChangeRow } from '../../src/changes/change-rows.ts';
import { eventually, mountProblem } from './harness.ts';
import { PLATEFS, PlateMount, readTree } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const SCRIPT = `
mkdir -p results/deep
printf 'a,b' > results/deep/table.csv
cp images/A01_s001_w1_z001_t001.tif results/A01_s001_w1_z001_t001_labels.tif
printf X | dd of=images/A01_s001_w2_z001_t001.tif conv=notrunc bs=1 status=none
chmod 600 images/A01_s001_w1_z002_t001.tif
rm images/A01_s002_w1_z001_t001.tif
mv images/A01_s002_w2_z001_t001.tif results/moved.tif
mv stacks hyperstacks
ln -s deep/table.csv results/link
`;

interface Diff {
  readonly isMounted: boolean;
  readonly counts: Record<string, number>;
  readonly changes: ChangeRow[];
}

/** `A path`, `R from → path` of every change. */
const words = ({ changes }: Diff): string[] =>
  changes.map(({ kind, path, from }) => `${kind} ${from === undefined ? '' : `${from} → `}${path}`);

const EXPECTED = [
  'renamed stacks → hyperstacks',
  'changed images/A01_s001_w1_z002_t001.tif',
  'changed images/A01_s001_w2_z001_t001.tif',
  'deleted images/A01_s002_w1_z001_t001.tif',
  'added results',
  'added results/A01_s001_w1_z001_t001_labels.tif',
  'added results/deep',
  'added results/deep/table.csv',
  'added results/link',
  'renamed images/A01_s002_w2_z001_t001.tif → results/moved.tif',
];

describe.skipIf(problem)(`what was written to a plate is a change set${why}`, () => {
  it('that is told, committed and discarded, mounted or not', async () => {
    await using mount = await PlateMount.start();
    const before = readTree(mount.plate);
    await mount.shell(SCRIPT);
    const live = await mount.json<Diff>(['diff', mount.mountpoint]);
    expect(words(live)).toEqual(EXPECTED);
    const row = (path: string): ChangeRow | undefined => live.changes.find((one) => one.path === path);
    expect(row('images/A01_s002_w1_z001_t001.tif')?.plane).toEqual({
      well: 'A01',
      field: 2,
      channel: 1,
      z: 1,
      t: 1,
    });
    expect(row('images/A01_s001_w1_z002_t001.tif')?.attributesOnly).toBe(true);
    expect(row('results/A01_s001_w1_z001_t001_labels.tif')?.plane?.well).toBe('A01');
    const one = await mount.json<Diff>(['diff', mount.path('results/deep')]);
    expect(words(one)).toEqual(['added results/deep', 'added results/deep/table.csv']);
    expect((await mount.platefs('diff', mount.mountpoint, 'nowhere')).code).toBe(1);

    // Half of it landed, half of it in memory: byte for byte what the mount shows.
    await mount.flush();
    await mount.shell(
      "printf 'more' > results/late.txt; setfattr -n user.note -v 7 results/late.txt || true",
    );
    const files = join(mount.folder, 'files');
    const committed = await mount.json<{ written: number; kept: unknown[]; gone: string[] }>([
      'commit',
      mount.mountpoint,
      '--to',
      files,
    ]);
    expect([committed.kept, committed.gone.length]).toEqual([[], 3]);
    await mount.shell(
      `
      for name in $(cd "$1" && find . -type f); do cmp "$name" "$1/$name"; done
      test "$(readlink "$1/results/link")" = deep/table.csv
      test "$(stat -c %a "$1/images/A01_s001_w1_z002_t001.tif")" = 600
      test "$(stat -c %Y results/late.txt)" = "$(stat -c %Y "$1/results/late.txt")"`,
      files,
    );
    expect(existsSync(join(files, 'hyperstacks/A01_s001.ome.tif'))).toBe(true);

    // A second run finds everything there; other bytes are never replaced unasked, and then nothing is written.
    const again = await mount.json<{ written: number }>(['commit', mount.mountpoint, '--to', files]);
    expect(again.written).toBe(0);
    writeFileSync(join(files, 'results/late.txt'), 'mine');
    rmSync(join(files, 'results/moved.tif'));
    const refused = await mount.platefs('commit', mount.mountpoint, '--to', files);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('results/late.txt')]);
    expect(readFileSync(join(files, 'results/late.txt'), 'utf8')).toBe('mine');
    expect(existsSync(join(files, 'results/moved.tif'))).toBe(false);
    await mount.json(['commit', mount.mountpoint, '--to', files, '--overwrite']);
    expect(readFileSync(join(files, 'results/late.txt'), 'utf8')).toBe('more');
    const intoSource = await mount.platefs('commit', mount.mountpoint, '--to', mount.plate);
    expect([intoSource.code, intoSource.stderr]).toEqual([2, expect.stringContaining('--into-source')]);

    // Unmounted, the state folder tells the same.
    expect((await mount.umount()).code).toBe(0);
    const saved = ['--state', mount.state, '--output', mount.output];
    const cold = await mount.json<Diff>(['diff', mount.plate, ...saved]);
    expect([cold.isMounted, words(cold)]).toEqual([
      false,
      [...EXPECTED, 'added results/late.txt'].sort(byPath),
    ]);
    const elsewhere = join(mount.folder, 'cold');
    await mount.json(['commit', mount.plate, ...saved, '--to', elsewhere]);
    expect(readTree(elsewhere)).toEqual(readTree(files));
    expect((await mount.platefs('discard', mount.plate, ...saved, '--yes')).code).toBe(1);

    // A file that landed leaves the store with what is discarded; what is open to write stays unless forced.
    await mount.mount();
    const landed = await mount.succeed('find', [mount.output, '-name', '*.landed']);
    expect(landed).not.toBe('');
    expect((await mount.platefs('discard', mount.mountpoint, 'results')).code).toBe(2);
    await mount.json(['discard', mount.mountpoint, 'images', '--yes']);
    expect(words(await mount.json<Diff>(['diff', mount.mountpoint]))).not.toContainEqual(
      expect.stringContaining(' images/'),
    );
    await mount.json(['discard', mount.mountpoint, '--yes']);
    expect(words(await mount.json<Diff>(['diff', mount.mountpoint]))).toEqual([]);
    await mount.shell('cmp images/A01_s001_w2_z001_t001.tif "$1"', truthOf(mount));
    expect(await mount.succeed('find', [mount.output, '-name', '*.landed'])).toBe('');
    expect(existsSync(join(mount.output, 'results/deep/table.csv'))).toBe(false);
    expect(readTree(mount.plate)).toEqual(before);
  });

  it('of which a program that still writes is left out, and can be let go of by force only', async () => {
    await using mount = await PlateMount.start({
      plate: { wells: ['A01'], sites: 1, width: 32, height: 32 },
    });
    const writer = mount.shell(
      `
      exec 3> open.txt; printf one >&3; printf done > closed.txt
      while ! test -e "$1"; do sleep 0.02; done; printf two >&3; exec 3>&-`,
      join(mount.folder, 'go'),
    );
    await eventually('the file is there', async () =>
      words(await mount.json<Diff>(['diff', mount.mountpoint])).includes('added open.txt'),
    );
    const to = join(mount.folder, 'out');
    const kept = await mount.json<{ kept: { path: string }[]; written: number }>(
      ['commit', mount.mountpoint, '--to', to],
      3,
    );
    expect(kept.kept.map(({ path }) => path)).toEqual(['open.txt']);
    expect(kept.written).toBe(1);
    await mount.json(['discard', mount.mountpoint, 'open.txt', '--yes'], 1);
    await mount.json(['discard', mount.mountpoint, 'open.txt', '--yes', '--force']);
    writeFileSync(join(mount.folder, 'go'), '');
    await writer;
    expect(words(await mount.json<Diff>(['diff', mount.mountpoint]))).toEqual(['added closed.txt']);
  });

  it('that is committed as OME-Zarr to a place of its own, written as its results are', async () => {
    await using mount = await PlateMount.start({
      plate: { wells: ['A01'], sites: 1, width: 32, height: 32 },
      args: ['-o', 'output-chunks=sharded,output-codec=zstd:2,output-levels=2'],
    });
    await mount.shell('cp images/A01_s001_w1_z001_t001.tif B02_s001_w1_z001_t001.tif; echo 1 > t.csv');
    const to = join(mount.folder, 'zarr');
    await mount.json(['commit', mount.mountpoint, '--to', to, '--as', 'zarr']);
    const read = (path: string) => JSON.parse(readFileSync(join(to, 'results.ome.zarr', path), 'utf8'));
    expect(JSON.stringify(read('B/02/0/1/zarr.json').codecs)).toMatch(/sharding_indexed.*"zstd".*"level":2/);
    expect(read('zarr.json').attributes.ome.plate.wells).toEqual([
      { path: 'B/02', rowIndex: 0, columnIndex: 0 },
    ]);
    expect(readFileSync(join(to, 't.csv'), 'utf8')).toBe('1\n');
    await mount.json(['commit', mount.mountpoint, '--to', to, '--as', 'zarr']);
    const foreign = join(mount.folder, 'foreign');
    mkdirSync(join(foreign, 'results.ome.zarr'), { recursive: true });
    const refused = await mount.platefs('commit', mount.mountpoint, '--to', foreign, '--as', 'zarr');
    expect([refused.code, statSync(join(foreign, 'results.ome.zarr')).nlink]).toEqual([1, 2]);
  });

  it('whose commit goes on where it was killed', async () => {
    await using mount = await PlateMount.start({
      plate: { wells: ['A01'], sites: 1, width: 32, height: 32 },
    });
    await mount.shell(
      'mkdir many; i=0; while [ $i -lt 60 ]; do head -c 200000 /dev/urandom > many/$i; i=$((i+1)); done',
    );
    const to = join(mount.folder, 'out');
    const run = mount.succeed('sh', [
      '-c',
      '"$0" commit "$1" --to "$2" & pid=$!; while [ "$(ls "$2/many" 2>/dev/null | wc -l)" -lt 5 ]; do :; done; kill -9 $pid; wait $pid; true',
      PLATEFS,
      mount.mountpoint,
      to,
    ]);
    await run;
    const partly = readTree(to);
    expect(partly.size).toBeGreaterThan(0);
    const rest = await mount.json<{ written: number; present: number }>([
      'commit',
      mount.mountpoint,
      '--to',
      to,
    ]);
    expect(rest.written + rest.present).toBe(60);
    await mount.shell('diff -r many "$1"', join(to, 'many'));
  });
});

const byPath = (one: string, other: string): number => {
  const path = (line: string): string => line.split(' ').at(-1) ?? '';
  return path(one) < path(other) ? -1 : 1;
};

/** The source's file behind A01, field 1, channel 2, z 1, t 1. */
function truthOf(mount: PlateMount): string {
  const [first] = [...readTree(mount.plate).keys()].filter((name) => /A01_s1_w2\.tif$/i.test(name));
  return join(mount.plate, first ?? '');
}
