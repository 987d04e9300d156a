import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

interface Branches {
  readonly branches: readonly {
    readonly name: string;
    readonly from?: { readonly branch: string; readonly revision: number };
    readonly state: string;
    readonly output: string;
    readonly mountpoint?: string;
  }[];
}

interface Diff {
  readonly changes: readonly { readonly kind: string; readonly path: string }[];
}

describe.skipIf(problem)(`branches of one plate${why}`, () => {
  it('begin with what another has, are mounted beside it, and go on for themselves', async () => {
    await using mount = await PlateMount.start({
      plate: { wells: ['A01'], sites: 1, zSteps: 1, timePoints: 1, width: 32, height: 32 },
    });
    const side = join(mount.folder, 'side');
    const first = join(mount.folder, 'first');
    mkdirSync(side);
    const places = ['--output', mount.output, '--state', mount.state];
    const list = async (): Promise<Branches['branches']> =>
      (await mount.json<Branches>(['branch', 'list', mount.plate, ...places])).branches;
    const mountSide = (...words: string[]): Promise<unknown> =>
      mount.json(['mount', mount.plate, side, ...places, ...words]);
    const refusal = async (...words: string[]): Promise<string> => {
      const { code, stderr } = await mount.platefs(...words);
      expect(code).toBe(1);
      return stderr;
    };
    const inSide = (script: string): Promise<string> =>
      mount.succeed('sh', ['-ec', `cd "$0"\n${script}`, side, first]);
    try {
      await mount.shell(
        `cp images/A01_s001_w1_z001_t001.tif B02_s001_w1_z001_t001.tif
        cp images/A01_s001_w1_z001_t001.tif stack.tif
        echo one > table.csv; mkdir deep; echo inside > deep/x
        mkdir "$1"; cp -a B02_s001_w1_z001_t001.tif stack.tif table.csv deep "$1"`,
        first,
      );
      // What main has now, while it is mounted; nothing is copied.
      await mountSide('--branch', 'otsu', '--from', 'main');
      await inSide('for name in $(ls "$1"); do diff -r "$1/$name" "$name"; done');
      const [main, otsu] = await list();
      expect([main?.mountpoint, otsu?.mountpoint]).toEqual([mount.mountpoint, side]);
      expect(otsu?.from).toEqual({ branch: 'main', revision: 1 });
      expect(existsSync(otsu?.output ?? '')).toBe(false);

      // Each writes over what they share, and over what the plate has; neither sees it of the other.
      await inSide(`
        cp images/A01_s001_w2_z001_t001.tif stack.tif; cp stack.tif images/A01_s001_w1_z001_t001.tif
        echo branch > table.csv; echo more >> deep/x; echo only > only`);
      await mount.shell(`
        cp images/A01_s001_w2_z001_t001.tif B02_s001_w1_z001_t001.tif
        echo main > table.csv; mv deep elsewhere; rm stack.tif`);
      await mount.flush();
      await mount.json(['flush', side]);
      expect(
        await inSide(`cat table.csv deep/x only; cmp stack.tif images/A01_s001_w2_z001_t001.tif
          cmp "$1"/B02_s001_w1_z001_t001.tif B02_s001_w1_z001_t001.tif`),
      ).toBe('branch\ninside\nmore\nonly\n');
      expect(
        await mount.shell(
          `cmp images/A01_s001_w1_z001_t001.tif "$1"/stack.tif
          cat table.csv elsewhere/x; ls deep only stack.tif 2>/dev/null || true`,
          first,
        ),
      ).toBe('main\ninside\n');
      expect(readdirSync(otsu?.output ?? '').sort()).toEqual([
        '.platefs',
        'deep',
        'only',
        'results.ome.zarr',
        'table.csv',
      ]);
      const between = await mount.json<Diff>(['diff', side, '--against', 'main']);
      expect(between.changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
        'changed B02_s001_w1_z001_t001.tif',
        'added deep',
        'added deep/x',
        'deleted elsewhere',
        'deleted elsewhere/x',
        'changed images/A01_s001_w1_z001_t001.tif',
        'added only',
        'added stack.tif',
        'changed table.csv',
      ]);
      // Its revisions have what it shares, and bring it back.
      await mount.json(['snapshot', side]);
      const shared = 'B02_s001_w1_z001_t001.tif';
      await inSide(`cmp "$1"/${shared} .platefs/versions/1/${shared}; rm ${shared}`);
      await mount.json(['restore', side, '1', shared]);
      await inSide(`cmp "$1"/${shared} ${shared}`);
      // What a branch refers to stays.
      expect(await refusal('history', mount.mountpoint, '--drop', '1')).toContain('otsu');
      expect(await refusal('branch', 'delete', mount.plate, 'otsu', ...places, '-y')).toContain('is mounted');
      expect((await mount.platefs('umount', side)).code).toBe(0);

      // A branch of the branch: its files lie with both that it comes from.
      await mount.json(['branch', 'create', mount.plate, 'third', ...places, '--from', 'otsu@1']);
      expect(await refusal('branch', 'delete', mount.plate, 'otsu', ...places, '-y')).toContain("'third'");
      await mount.json(['branch', 'rename', mount.plate, 'otsu', 'second', ...places]);
      expect(existsSync(join(mount.output, 'branches/second/table.csv'))).toBe(true);
      const checked = await mount.json<{ findings: unknown[]; records: number }>([
        ...['fsck', mount.plate, ...places],
        '--branch',
        'third',
      ]);
      expect([checked.findings, checked.records > 0]).toEqual([[], true]);
      await mountSide('--branch', 'third');
      await mount.json(['discard', side, 'table.csv', '-y']);
      await mount.json(['commit', side, '--to', `${mount.folder}/paper`]);
      expect(
        await inSide(`cd "$1"/../paper; cat deep/x only; cmp "$1"/B02_s001_w1_z001_t001.tif B02_s001_w1_z001_t001.tif
          ls table.csv 2>/dev/null || true`),
      ).toBe('inside\nmore\nonly\n');
      expect((await mount.platefs('umount', side)).code).toBe(0);
      const { output = '', state = '' } = (await list())[2] ?? {};
      await mount.json(['branch', 'delete', mount.plate, 'third', ...places, '-y']);
      expect([existsSync(state), existsSync(output)]).toEqual([false, false]);
      expect(await mount.shell('cat table.csv elsewhere/x')).toBe('main\ninside\n');
    } finally {
      await mount.platefs('umount', side, '--timeout', '25');
    }
  }, 180_000);
});
