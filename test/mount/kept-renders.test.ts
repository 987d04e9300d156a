import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DropResult, KeepResult } from '../../src/control/documents.ts';
import { changePlane } from './changed-plane.ts';
import { eventually, mountProblem } from './harness.ts';
import { decodedBytes } from './metrics.ts';
import { PlateMount, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const PLATE = { ...SMALL_PLATE, width: 256, height: 256, compression: 'deflate' as const };
const STACK = 'stacks/A01_s001.tif';

async function keep(mount: PlateMount, command: 'pin' | 'warm', ...paths: string[]): Promise<KeepResult> {
  const words = [command, ...paths.map((path) => mount.path(path))];
  const { mounts } = await mount.json<{ mounts: KeepResult[] }>(words);
  expect(mounts).toHaveLength(1);
  const [result] = mounts;
  if (!result) throw new Error('no mount answered');
  return result;
}

const drop = (mount: PlateMount, ...paths: string[]): Promise<DropResult> =>
  mount.json<DropResult>(['drop', ...paths.map((path) => mount.path(path))]);

const sum = (mount: PlateMount, path: string): Promise<string> => mount.shell('cksum < "$1"', path);

for (const words of [[], ['-o', 'nopassthrough']]) {
  const how = words.length === 0 ? 'passed through' : 'without passthrough';
  describe.skipIf(problem)(`files that are kept as they are, ${how}${why}`, () => {
    it('pinned files are read from memory, are in the status, and go with drop', async () => {
      await using mount = await PlateMount.start({ hasPlenty: true, plate: PLATE, args: words });
      const right = await sum(mount, STACK);
      const result = await keep(mount, 'pin', STACK, 'images');
      expect(result).toMatchObject({ files: 1, present: 0, failed: [] });
      expect(result.plain).toBeGreaterThan(0);
      expect(await keep(mount, 'pin', STACK)).toMatchObject({ files: 0, present: 1 });
      const { pins, memory } = await mount.status();
      expect(pins).toEqual({ files: 1, sizeBytes: result.sizeBytes, paths: [STACK] });
      expect(memory.pinnedBytes).toBe(result.sizeBytes);
      const before = await decodedBytes(mount);
      expect(await sum(mount, STACK)).toBe(right);
      expect(await mount.shell('dd if="$1" iflag=direct bs=64k status=none | cksum', STACK)).toBe(right);
      expect(await decodedBytes(mount)).toBe(before);
      expect(await drop(mount, 'stacks')).toMatchObject({ pins: 1, coldFiles: 0 });
      expect((await mount.status()).pins.files).toBe(0);
      const folder = await mount.rendersInMemory('pins');
      expect(readdirSync(folder!).filter((name) => name !== 'lock')).toEqual([]);
      expect(await sum(mount, STACK)).toBe(right);
    });

    it('the cold cache is found again by the next mount, and never for a source that changed', async () => {
      await using mount = await PlateMount.make({ hasPlenty: true, plate: PLATE, args: words });
      await mount.mount();
      const right = await sum(mount, STACK);
      expect(await keep(mount, 'warm', STACK)).toMatchObject({ files: 1, failed: [] });
      expect((await mount.umount()).code).toBe(0);
      await mount.mount();
      expect(await sum(mount, STACK)).toBe(right);
      expect(await decodedBytes(mount)).toBe(0);
      await changePlane(mount);
      const changed = await mount.shell('dd if="$1" iflag=direct bs=64k status=none | cksum', STACK);
      expect(changed).not.toBe(right);
      expect(await keep(mount, 'warm', STACK)).toMatchObject({ files: 1 });
      expect(await mount.shell('dd if="$1" iflag=direct bs=64k status=none | cksum', STACK)).toBe(changed);
      const renders = join(mount.folder, 'xc/platefs/renders');
      expect(existsSync(renders)).toBe(true);
      expect((await drop(mount)).coldFiles).toBeGreaterThan(0);
      expect(readdirSync(renders).filter((name) => name !== 'lock')).toEqual([]);
      expect(await sum(mount, STACK)).toBe(changed);
    });
  });
}

describe.skipIf(problem)(`files that are kept as they are${why}`, () => {
  it('a damaged render is thrown away and made anew, and that is told', async () => {
    await using mount = await PlateMount.make({ hasPlenty: true, plate: PLATE });
    await mount.mount();
    const right = await sum(mount, STACK);
    await keep(mount, 'warm', STACK);
    await mount.umount();
    const renders = join(mount.folder, 'xc/platefs/renders');
    const [name = ''] = readdirSync(renders).filter((one) => /^[0-9a-f]{40}$/.test(one));
    const bytes = readFileSync(join(renders, name));
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
    writeFileSync(join(renders, name), bytes);
    await mount.mount();
    expect(await sum(mount, STACK)).toBe(right);
    expect(existsSync(join(renders, name))).toBe(false);
    await eventually('that is told', async () =>
      (await mount.shell('cat .platefs/warnings.json')).includes('damaged'),
    );
  });

  it('pins survive the daemon, and give way when memory is tight', async () => {
    await using mount = await PlateMount.make({ hasPlenty: true, plate: PLATE });
    const { pid } = await mount.mount();
    const right = await sum(mount, STACK);
    await keep(mount, 'pin', 'stacks');
    const { pins } = await mount.status();
    expect(pins.files).toBe(8);
    process.kill(pid, 'SIGKILL');
    await eventually('the next daemon has the pins', async () => {
      const status = await mount.statusIfServed();
      return status !== undefined && status.pid !== pid && status.pins.files === 8;
    });
    expect(await sum(mount, STACK)).toBe(right);
    mount.sayMemory(100);
    const steps = new Set<string>();
    await eventually('pins are let go, and that is told', async () => {
      const { memory, pins } = await mount.status();
      for (const { kind } of memory.lastReclaim?.steps ?? []) steps.add(kind);
      return pins.files < 8 && steps.has('drop-pins');
    });
    expect(await sum(mount, STACK)).toBe(right);
  });

  it('says what is wrong with a path, a mount without a cold cache, and pins that find no room', async () => {
    await using mount = await PlateMount.start({
      hasPlenty: true,
      plate: { ...PLATE, width: 1024, height: 1024 },
      args: ['-o', 'cold-cache=off', '--budget', '16MiB'],
    });
    const wrong = await mount.platefs('pin', mount.path('stacks/Z99.tif'));
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('stacks/Z99.tif')]);
    const outside = await mount.platefs('pin', mount.folder);
    expect([outside.code, outside.stderr]).toEqual([1, expect.stringContaining('lies in no mount of yours')]);
    const cold = await mount.platefs('warm', mount.path('stacks'));
    expect([cold.code, cold.stderr]).toEqual([1, expect.stringContaining('cold-cache=off')]);
    const full = await mount.platefs('pin', mount.path(STACK));
    expect([full.code, full.stdout]).toEqual([1, expect.stringContaining('no room for 16 MiB')]);
    expect(await mount.rendersInMemory('pins')).toBeUndefined();
  });
});
