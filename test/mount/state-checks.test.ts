import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/changes/findings.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, readTree } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

interface Check {
  readonly findings: (Finding & { readonly weight: string })[];
}

const kinds = ({ findings }: Check): string[] => findings.map(({ kind }) => kind).sort();

/** Turns one byte in the middle of a file over. */
function flip(path: string, at = Math.floor(statSync(path).size / 2)): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
}

/** Files below a folder whose path matches. */
const below = (folder: string, pattern: RegExp): string[] =>
  [...readTree(folder).keys()].filter((name) => pattern.test(name)).map((name) => join(folder, name));

describe.skipIf(problem)(`a mount's state and output are checked, mended and cleared${why}`, () => {
  it('names what is damaged, keeps what could be data, and removes only what nothing refers to', async () => {
    await using mount = await PlateMount.start({
      plate: { wells: ['A01'], sites: 1, width: 32, height: 32 },
    });
    const words = [mount.plate, '--state', mount.state, '--output', mount.output];
    const fsck = (code: number, ...more: string[]): Promise<Check> =>
      mount.json<Check>(['fsck', ...words, ...more], code);
    await mount.shell(`cp images/A01_s001_w1_z001_t001.tif B02_s001_w1_z001_t001.tif
      echo one > one.csv; echo two > two.csv; mkdir deep; echo three > deep/three.csv`);
    await mount.flush();
    const mounted = await fsck(0);
    expect(kinds(mounted)).toEqual([]);
    for (const command of [
      ['gc', ...words],
      ['fsck', ...words, '--repair'],
    ]) {
      const refused = await mount.platefs(...command);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('is mounted')]);
    }
    expect((await mount.umount()).code).toBe(0);

    // Damage: a chunk, a plain file, a document of the store.
    const [chunk = ''] = below(mount.output, /B\/02\/0\/0\/.*\d$/);
    const [document = ''] = below(mount.output, /B\/02\/\.zattrs$/);
    flip(chunk);
    flip(join(mount.output, 'one.csv'));
    flip(document, 0);
    // Garbage: what crashes leave.
    writeFileSync(join(mount.state, 'spill', '200000000abc'), 'nobody');
    mkdirSync(join(mount.output, '.platefs/staging/batch-x/0'), { recursive: true });
    const indexes = join(mount.env['XDG_CACHE_HOME'] ?? '', 'platefs/index');
    const [index = ''] = readdirSync(indexes);
    flip(join(indexes, index));
    const found = await fsck(4);
    expect(kinds(found)).toEqual([
      'cache-damaged',
      'data-unnamed',
      'landing-unreadable',
      'landing-unreadable',
      'staging-left',
      'store-damaged',
    ]);
    const unreadable = found.findings.filter(({ kind }) => kind === 'landing-unreadable');
    expect(unreadable.map(({ path }) => path).sort()).toEqual(['B02_s001_w1_z001_t001.tif', 'one.csv']);
    const results = (): Map<string, Buffer> => {
      const tree = readTree(mount.output);
      // It says who had the folder last.
      tree.delete('.platefs/lock');
      return tree;
    };
    const output = results();
    const dry = await mount.json<{ removed: unknown[]; found: unknown[] }>(['gc', ...words, '--dry-run']);
    expect([dry.removed.length, dry.found.length]).toEqual([0, 3]);
    expect((await mount.json<{ removed: unknown[] }>(['gc', ...words])).removed.length).toBe(3);
    expect(results()).toEqual(output);
    expect(existsSync(join(mount.state, 'spill', '200000000abc'))).toBe(false);
    for (const path of [chunk, document, join(mount.output, 'one.csv')])
      flip(path, path === document ? 0 : undefined);
    expect(kinds(await fsck(0))).toEqual([]);

    // A journal with a damaged record: no mount starts, until it is mended; its other names are all there.
    const journal = join(mount.state, 'journal');
    const at = readFileSync(journal).indexOf('"two.csv"');
    flip(journal, at + 2);
    writeFileSync(join(mount.state, 'spill', '200000000abd'), 'maybe data');
    const refused = await mount.platefs(...mount.mountWords());
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('fsck')]);
    expect((await mount.platefs('gc', ...words)).stderr).toContain('--repair');
    expect(kinds(await fsck(4))).toContain('journal-damaged');
    await fsck(0, '--repair');
    expect(existsSync(`${journal}.damaged-1`)).toBe(true);
    expect(readFileSync(join(mount.state, 'rescued', 'spill-200000000abd-1'), 'utf8')).toBe('maybe data');
    await mount.mount();
    expect(await mount.shell('cat one.csv deep/three.csv; ls two.csv || true')).toBe('one\nthree\n');
  });
});
