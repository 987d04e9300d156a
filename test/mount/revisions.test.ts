import { describe, expect, it } from 'vitest';
import { type Revision, RevisionStore } from '../../src/changes/revision-store.ts';
import { eventually, mountProblem } from './harness.ts';
import { PlateMount } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

interface History {
  readonly keptBytes: number;
  readonly revisions: Revision[];
}

describe.skipIf(problem)(`what was written is kept as revisions${why}`, () => {
  it('which show everything as it was, byte for byte, through overwriting, daemons that die, and mounts', async () => {
    await using mount = await PlateMount.start({
      plate: { wells: ['A01'], sites: 1, zSteps: 1, timePoints: 1, width: 32, height: 32 },
    });
    const versions = mount.path('.platefs/versions');
    const history = (place = mount.mountpoint): Promise<History> =>
      mount.json<History>(['history', place, '--output', mount.output, '--state', mount.state]);
    // A plane of a plate's own, an image beside, a table, a link; one deleted, one renamed.
    await mount.shell(
      `
      cp images/A01_s001_w1_z001_t001.tif B02_s001_w1_z001_t001.tif
      cp images/A01_s001_w1_z001_t001.tif stack.tif
      echo one > table.csv; mkdir deep; echo inside > deep/x; ln -s deep/x link
      cp -p stacks/A01_s001.tif stacks/copy.tif
      mkdir "$1"; cp -a B02_s001_w1_z001_t001.tif stack.tif table.csv deep link stacks "$1"`,
      `${mount.folder}/first`,
    );
    const first = await mount.json<Revision>(['snapshot', mount.mountpoint, '-m', 'the first']);
    expect([first.number, first.message, first.leftOut]).toEqual([1, 'the first', []]);
    // Overwritten in place, replaced by another file of the same name, renamed, deleted.
    await mount.shell(`
      cp images/A01_s001_w2_z001_t001.tif stack.tif
      rm B02_s001_w1_z001_t001.tif; cp images/A01_s001_w2_z001_t001.tif B02_s001_w1_z001_t001.tif
      echo two > table.csv; mv deep elsewhere; rm link stacks/copy.tif`);
    await mount.flush();
    const same = `for name in B02_s001_w1_z001_t001.tif stack.tif table.csv deep/x link stacks; do
      diff -r --no-dereference "$1/$name" "$2/1/$name"; done`;
    await mount.shell(same, `${mount.folder}/first`, versions);
    expect(await mount.shell('ls "$1"', versions)).toBe('1\n');
    expect((await mount.run('sh', ['-c', 'echo x > "$0/1/table.csv"', versions])).code).not.toBe(0);

    // A daemon that dies at the worst moment makes the revision, or does not; what there is stays what it was.
    await mount.shell('echo three > table.csv');
    const { pid } = await mount.status();
    process.kill(pid, 'SIGKILL');
    await eventually('another daemon answers', async () => {
      const status = await mount.statusIfServed();
      return status !== undefined && status.pid !== pid;
    });
    await mount.json(['commit', mount.mountpoint]);
    await mount.shell(same, `${mount.folder}/first`, versions);
    expect(await mount.shell('cat "$1"/2/table.csv', versions)).toBe('three\n');
    expect((await mount.json<{ revision?: number }>(['commit', mount.mountpoint])).revision).toBeUndefined();

    // Unmounting keeps what changed since; the next mount shows all, and lets go of what is dropped.
    await mount.shell('echo four > table.csv');
    expect((await mount.umount()).code).toBe(0);
    await mount.mount();
    expect(await mount.shell('cat "$1"/*/table.csv', versions)).toBe('one\nthree\nfour\n');
    const { revisions } = await history();
    expect(revisions.map(({ reason }) => reason)).toEqual(['snapshot', 'commit', 'unmount']);
    // Restored: one file, then everything; what was there before is a revision again, and nothing is lost by it.
    await mount.json(['restore', mount.mountpoint, '1', 'table.csv']);
    expect(await mount.shell('cat table.csv; cat elsewhere/x')).toBe('one\ninside\n');
    const all = await mount.json<{ before: number; kept: unknown[] }>(['restore', mount.mountpoint, '1']);
    expect(all.kept).toEqual([]);
    await mount.shell(same.replaceAll('$2/1/', '$2/'), `${mount.folder}/first`, mount.mountpoint);
    expect(await mount.shell('ls -d elsewhere 2>/dev/null || true')).toBe('');
    await mount.json(['restore', mount.mountpoint, String(all.before)]);
    expect(await mount.shell('cat table.csv; cat elsewhere/x; ls -d deep 2>/dev/null || true')).toBe(
      'one\ninside\n',
    );
    expect((await mount.platefs('restore', mount.mountpoint, '99')).code).toBe(1);
    const { keptBytes } = await history();
    const left = await mount.json<History>(['history', mount.mountpoint, '--drop', '1']);
    expect(left.revisions.map(({ number }) => number).slice(0, 2)).toEqual([2, 3]);
    expect(left.keptBytes).toBeLessThan(keptBytes);
    expect(await mount.shell('ls "$1" | head -2; cat "$1/3/table.csv"', versions)).toBe('2\n3\nfour\n');
    expect((await mount.platefs('history', mount.mountpoint, '--drop', '1')).code).toBe(1);

    // More than may be kept: the oldest that nobody named go, and what was asked for stays.
    expect((await mount.umount()).code).toBe(0);
    const before = await history(mount.plate);
    new RevisionStore(mount.state).noteQuota(1);
    const collected = await mount.json<{ dropped: number[]; keptBytes: number }>([
      ...['gc', mount.plate, '--output', mount.output, '--state', mount.state],
    ]);
    expect(collected.dropped.length).toBeGreaterThan(0);
    const after = await history(mount.plate);
    const kept = before.revisions.filter(({ number }) => !collected.dropped.includes(number));
    expect(after.revisions).toEqual(kept);
    expect(after.keptBytes).toBe(collected.keptBytes);
    const named = (all: History) => all.revisions.filter(({ reason }) => reason === 'snapshot');
    expect(named(after)).toEqual(named(before));
  });
});
