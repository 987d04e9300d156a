import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callControl } from '../../src/control/control-client.ts';
import type { FaultPoint } from '../../src/core/fault-points.ts';
import { client, eventually, mountProblem, succeed } from './harness.ts';
import { filesBelow, NUCLEI_RULE, PlateGround } from './killable-mount.ts';

const problem = mountProblem();
let ground: PlateGround;

beforeEach(async () => {
  ground = await PlateGround.make();
});
afterEach(() => ground.remove());

/** The daemon dies once `armed` exists and the point is passed for the nth time; the file goes with it. */
const armedFile = (): string => join(ground.folder, 'armed');
const faultAt = (point: FaultPoint, passes = 1): Record<string, string> => ({
  PLATEFS_FAULT: `${point}:${passes}:${armedFile()}`,
});
const arm = (): void => writeFileSync(armedFile(), '');
const hasDied = (): Promise<void> => eventually('the daemon dies', () => !existsSync(armedFile()));

/** Lands everything, by the control socket; again when the daemon dies in it. */
async function flush(): Promise<void> {
  await eventually('everything lands', async () => {
    try {
      await callControl(join(ground.folder, 'socket'), 'flush');
      return true;
    } catch {
      return false;
    }
  });
}

describe.skipIf(problem !== undefined)('a daemon that dies', () => {
  it.each<[FaultPoint, number]>([
    ['journal.before-append', 40],
    ['journal.after-append', 40],
    ['store.after-write', 30],
    ['session.before-reply', 60],
  ])('at %s takes nothing with it, and nothing happens twice', async (point, passes) => {
    let mount = await ground.mount({ env: faultAt(point, passes), budgetBytes: 16 * 2 ** 20 });
    const writer = ground.write('work', 7);
    for (let death = 0; death < 3; death++) {
      arm();
      await hasDied();
    }
    const end = await writer.stop();
    expect(end, mount.output).toMatchObject({ code: 0, stderr: '' });
    expect(await ground.check('work')).toMatchObject({ code: 0 });
    await mount.stop();
    mount = await ground.mount();
    expect(await ground.check('work')).toMatchObject({ code: 0 });
  });

  it('between a copy and its name lets a program append to a plane as if nothing were', async () => {
    const mount = await ground.mount({ env: faultAt('store.after-adopt') });
    const [name = ''] = Object.keys(ground.planes);
    const path = join(ground.mountpoint, 'images', name);
    arm();
    await succeed('sh', ['-c', `printf tail >> ${path}`]);
    expect(existsSync(armedFile()), mount.output).toBe(false);
    const sum = async (command: string): Promise<string> =>
      (await succeed('sh', ['-c', `${command} | sha256sum`])).slice(0, 64);
    expect(await sum(`head -c -4 ${path}`)).toBe(ground.planes[name]);
    expect(await succeed('tail', ['-c', '4', path])).toBe('tail');
    expect(
      (await succeed('ls', [join(ground.mountpoint, 'images')])).split('\n').sort().join('\n').trim(),
    ).toBe(Object.keys(ground.planes).sort().join('\n'));
  });

  it.each<FaultPoint>(['landing.before-note', 'overlay.landed-not-freed'])(
    'at %s has landed every file once and shows the bytes that were written',
    async (point) => {
      let mount = await ground.mount({ env: faultAt(point) });
      const names = Object.keys(ground.planes).slice(0, 6);
      const copies = names.map((name) => name.replace('A01', 'C05'));
      const copy = names.map(
        (name, i) => `cp ${ground.mountpoint}/images/${name} ${ground.mountpoint}/${copies[i]}`,
      );
      await succeed('sh', ['-c', `${copy.join(' && ')} && echo note > ${ground.mountpoint}/note.txt`]);
      arm();
      const failed = callControl(join(ground.folder, 'socket'), 'flush').catch(() => undefined);
      await hasDied();
      await failed;
      await flush();
      const compare = async (): Promise<void> => {
        const sums = await succeed(
          'sha256sum',
          copies.map((name) => join(ground.mountpoint, name)),
        );
        expect(
          sums
            .trim()
            .split('\n')
            .map((line) => line.slice(0, 64)),
          mount.output,
        ).toEqual(names.map((name) => ground.planes[name]));
        expect(await succeed('cat', [join(ground.mountpoint, 'note.txt')])).toBe('note\n');
      };
      await compare();
      await mount.stop();
      const chunks = filesBelow(ground.output).filter((path) => /(?:\/\d+){5}$/.test(path));
      expect(chunks.length).toBe(copies.length);
      expect(filesBelow(ground.output).filter((path) => path.endsWith('note.txt'))).toEqual(['note.txt']);
      mount = await ground.mount();
      await compare();
    },
  );

  it.each<FaultPoint>(['hook.before-publish', 'hook.after-publish'])(
    'at %s brings out a rule’s outputs once, and all of them',
    async (point) => {
      const mount = await ground.mount({ env: faultAt(point), hooks: [NUCLEI_RULE] });
      const [name = ''] = Object.keys(ground.planes);
      const results = join(ground.mountpoint, 'results');
      // The kernel remembers that they are not there.
      await client('ls', [results]);
      await client('stat', [join(results, 'x_labels.tif'), join(results, 'x_objects.csv')]);
      arm();
      await succeed('sh', [
        '-c',
        `mkdir ${ground.mountpoint}/inbox && cp ${ground.mountpoint}/images/${name} ${ground.mountpoint}/inbox/x.tif`,
      ]);
      await hasDied();
      await eventually(
        'the outputs are there',
        async () => (await client('stat', [join(results, 'x_objects.csv')])).code === 0,
      );
      expect((await succeed('ls', [results])).trim().split('\n'), mount.output).toEqual([
        'x_labels.tif',
        'x_objects.csv',
      ]);
      expect(await succeed('head', ['-n', '1', join(results, 'x_objects.csv')])).toContain('label');
      await eventually('all hooks are done', async () => {
        const status = await callControl(join(ground.folder, 'socket'), 'status').catch(() => undefined);
        const { hooks } = (status ?? {}) as { hooks?: { running: number; waiting: number; failed: number } };
        expect(hooks?.failed ?? 0).toBe(0);
        return hooks?.running === 0 && hooks.waiting === 0;
      });
    },
  );

  it.each([1, 2])('while it writes out at the end (pass %i) leaves the rest to the next', async (passes) => {
    let mount = await ground.mount({ env: faultAt('daemon.draining', passes) });
    const writer = ground.write('work', 11);
    await eventually(
      'something is written',
      () => existsSync(writer.list) && readFileSync(writer.list).length > 9000,
    );
    expect(await writer.stop()).toMatchObject({ code: 0, stderr: '' });
    arm();
    expect(await mount.stop(), mount.output).toBe(0);
    expect(existsSync(armedFile())).toBe(false);
    mount = await ground.mount();
    expect(await ground.check('work')).toMatchObject({ code: 0 });
  });

  it('together with its supervisor leaves a stale mount that the next one mends', async () => {
    let mount = await ground.mount();
    const writer = ground.write('work', 13, 'write-cut');
    await eventually(
      'something is written',
      () => existsSync(writer.list) && readFileSync(writer.list).length > 9000,
    );
    const daemon = await mount.daemonPid();
    process.kill(mount.supervisor.pid ?? 0, 'SIGKILL');
    process.kill(daemon, 'SIGKILL');
    // The client is cut off, and ends by itself: its last call fails, everything before it was acknowledged.
    expect(await writer.end).toMatchObject({ code: 0, stderr: '' });
    mount = await ground.mount();
    expect(mount.find('mounted')).toMatchObject({ mended: 1 });
    expect(await ground.check('work')).toMatchObject({ code: 0 });
  });
});
