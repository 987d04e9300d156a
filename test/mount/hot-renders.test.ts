import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { changePlane } from './changed-plane.ts';
import { eventually, mountProblem } from './harness.ts';
import { servedBytes } from './metrics.ts';
import { PlateMount, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

/** Stacks of a little over 2 MiB. */
const PLATE = { ...SMALL_PLATE, width: 512, height: 256, compression: 'deflate' as const };
const STACK = 'stacks/A01_s001.tif';

const sum = (mount: PlateMount, path: string): Promise<string> => mount.shell('cksum < "$1"', path);
/** Read past the kernel's pages. */
const directSum = (mount: PlateMount, path: string): Promise<string> =>
  mount.shell('dd if="$1" iflag=direct bs=64k status=none | cksum', path);

const hotFiles = async (mount: PlateMount): Promise<number> => (await mount.status()).hot?.files ?? -1;

const untilKept = (mount: PlateMount, files: number): Promise<void> =>
  eventually(`${files} files are kept`, async () => (await hotFiles(mount)) === files);

async function keptBytes(mount: PlateMount): Promise<number> {
  const folder = await mount.rendersInMemory('hot');
  const paths = folder === undefined ? [] : readdirSync(folder).map((name) => join(folder, name));
  return paths.reduce((total, path) => total + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

describe.skipIf(problem)(`files that were read whole${why}`, () => {
  it('are read by the kernel alone from then on, until their source changes', async () => {
    await using mount = await PlateMount.start({ hasPlenty: true, plate: PLATE });
    const right = await sum(mount, STACK);
    await untilKept(mount, 1);
    const { hot, memory } = await mount.status();
    const sizeBytes = Number(await mount.shell('stat -c %s "$1"', STACK));
    expect(hot).toMatchObject({ files: 1, sizeBytes });
    expect(memory.hotBytes).toBe(sizeBytes);
    expect(await keptBytes(mount)).toBeGreaterThanOrEqual(sizeBytes);
    const before = await servedBytes(mount);
    expect(await directSum(mount, STACK)).toBe(right);
    expect(await sum(mount, STACK)).toBe(right);
    expect(await servedBytes(mount)).toBe(before);
    await changePlane(mount);
    const changed = await directSum(mount, STACK);
    expect(changed).not.toBe(right);
    expect(await sum(mount, STACK)).toBe(changed);
    await eventually('the plate is found changed, and the stack kept as it is now', async () => {
      const now = await sum(mount, STACK);
      expect(now).not.toBe(right);
      const served = await servedBytes(mount);
      return now === (await directSum(mount, STACK)) && served === (await servedBytes(mount));
    });
    const kept = await sum(mount, STACK);
    await mount.json(['drop', mount.path('stacks')]);
    expect(await hotFiles(mount)).toBe(0);
    expect(await keptBytes(mount)).toBeLessThan(1024);
    expect(await directSum(mount, STACK)).toBe(kept);
  });

  it('take no more memory than they may, the least recently opened going first, and none when it is tight', async () => {
    await using mount = await PlateMount.make({
      hasPlenty: true,
      plate: PLATE,
      args: ['-o', 'hot-cache=5MiB'],
    });
    await mount.mount();
    const stacks = (await mount.shell('ls -d stacks/*[0-9].tif')).trim().split('\n').slice(0, 3);
    const right = new Map<string, string>();
    for (const [i, stack] of stacks.entries()) {
      right.set(stack, await sum(mount, stack));
      await untilKept(mount, Math.min(2, i + 1));
    }
    await eventually('the third is kept in place of the first', async () => {
      const { hot, memory } = await mount.status();
      expect(memory.hotBytes).toBeLessThanOrEqual(5 * 2 ** 20);
      expect(await keptBytes(mount)).toBeLessThan(5 * 2 ** 20);
      if (memory.hotBytes !== hot?.sizeBytes) return false;
      const before = await servedBytes(mount);
      await directSum(mount, stacks[2]!);
      return (await servedBytes(mount)) === before;
    });
    mount.sayMemory(100);
    await eventually('all are let go', async () => (await hotFiles(mount)) === 0);
    const { memory } = await mount.status();
    expect(memory.hotBytes).toBe(0);
    for (const [stack, bytes] of right) expect(await sum(mount, stack)).toBe(bytes);
  });

  it('stay whole for whoever has them open when they are let go, and when the daemon is killed', async () => {
    await using mount = await PlateMount.start({
      hasPlenty: true,
      plate: PLATE,
      args: ['-o', 'hot-cache=1GiB'],
    });
    const { pid } = await mount.status();
    const right = await sum(mount, STACK);
    await untilKept(mount, 1);
    const marker = join(mount.folder, 'go');
    const reading = mount.shell(
      'exec 3< "$1"; dd bs=64k count=4 status=none <&3; touch "$2"; while [ -e "$2" ]; do sleep 0.05; done; cat <&3',
      STACK,
      marker,
    );
    const whole = await mount.shell('cat "$1"', STACK);
    await eventually('it is open', () => existsSync(marker));
    process.kill(pid, 'SIGKILL');
    await eventually('the next daemon keeps it', async () => {
      const status = await mount.statusIfServed();
      return status !== undefined && status.pid !== pid && status.hot?.files === 1;
    });
    expect(await sum(mount, STACK)).toBe(right);
    await mount.json(['drop', mount.path('stacks')]);
    expect(await sum(mount, STACK)).toBe(right);
    await mount.succeed('rm', [marker]);
    expect((await reading) === whole).toBe(true);
    expect(await sum(mount, STACK)).toBe(right);
  });

  it('are not kept where that is switched off, or the kernel can not read them by itself', async () => {
    for (const option of ['hot-cache=off', 'nopassthrough']) {
      await using mount = await PlateMount.start({ hasPlenty: true, plate: PLATE, args: ['-o', option] });
      const right = await sum(mount, STACK);
      expect((await mount.status()).hot).toBeNull();
      expect(await sum(mount, STACK)).toBe(right);
    }
  });
});
