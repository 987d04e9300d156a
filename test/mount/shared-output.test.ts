import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { callControl } from '../../src/control/control-client.ts';
import type { LandingResult } from '../../src/control/documents.ts';
import { NotRunningError } from '../../src/core/errors.ts';
import { ngffProblems } from '../interop/landing/ngff-problems.ts';
import { client, eventually, mountProblem, succeed, type TestMount } from './harness.ts';
import { type Client, PlateGround } from './killable-mount.ts';
import { PYTHON } from './plate-mount.ts';

/** More, also of two plates, and at other moments, with PLATEFS_SHARED_KILLS=200 PLATEFS_TEST_SEED=7. */
const WANTED_KILLS = process.env['PLATEFS_SHARED_KILLS'];
const KILLS = Number(WANTED_KILLS ?? 2);
const SEED = Number(process.env['PLATEFS_TEST_SEED'] ?? 5);
const OPEN_STORES = resolve(import.meta.dirname, '../interop/landing/open-stores.py');
const problem = mountProblem();
const lengthOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** One of the mounts, and what is written there. */
class Side {
  readonly ground: PlateGround;
  readonly mount: TestMount;
  readonly writer: Client;
  /** SHA-256 of what was copied, by its name in copies/. */
  readonly copies = new Map<string, string>();

  constructor(ground: PlateGround, mount: TestMount, seed: number) {
    this.ground = ground;
    this.mount = mount;
    this.writer = ground.write('one', seed);
  }

  get socket(): string {
    return join(this.ground.folder, 'socket');
  }

  /** Copies a plane to a place on the plate; the other mount may use the same one. */
  async copy(site: number): Promise<void> {
    const { mountpoint, planes } = this.ground;
    const [name = '', sum = ''] = Object.entries(planes)[site % Object.keys(planes).length] ?? [];
    const copied = name.replace(/s\d{3}/, `s${100 + site}`);
    await succeed('mkdir', ['-p', join(mountpoint, 'copies')]);
    await succeed('cp', [join(mountpoint, 'images', name), join(mountpoint, 'copies', copied)]);
    this.copies.set(copied, sum);
    void callControl(this.socket, 'flush').catch(() => undefined);
  }

  async landAll(): Promise<LandingResult> {
    let landed: LandingResult | undefined;
    // A daemon that has taken over listens a little after it serves.
    await eventually('somebody is asked to land', async () => {
      landed = (await callControl(this.socket, 'flush').catch((error: unknown) => {
        if (!(error instanceof NotRunningError)) throw error;
        return undefined;
      })) as LandingResult | undefined;
      return landed !== undefined;
    });
    return landed as LandingResult;
  }

  /** Does something while this side's daemon stands still, wherever it was. */
  async whileStopped(work: () => Promise<void>): Promise<void> {
    const pid = await this.mount.daemonPid();
    process.kill(pid, 'SIGSTOP');
    try {
      await eventually('the daemon stands still', () => isStill(pid));
      await work();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  /** Everything reads as it was acknowledged. */
  async check(): Promise<void> {
    expect(await this.ground.check('one')).toMatchObject({ code: 0, stderr: '' });
    const names = [...this.copies.keys()];
    const sums = await succeed('sha256sum', names, { cwd: join(this.ground.mountpoint, 'copies') });
    expect(sums.trim().split('\n')).toEqual(names.map((name) => `${this.copies.get(name)}  ${name}`));
  }
}

describe.skipIf(problem !== undefined)('two mounts that land in one output folder', () => {
  const kinds: [string, boolean][] = [
    ['of one plate', true],
    ['of two plates', false],
  ];
  it.each(WANTED_KILLS === undefined ? kinds.slice(0, 1) : kinds)(
    '%s, killed at random: both go on, each reads its own bytes, and zarr-python opens every array',
    async (_, isOnePlate) => {
      const grounds = [await PlateGround.make(), await PlateGround.make()] as const;
      const [first, second] = grounds;
      const output = join(first.folder, 'shared');
      const draw = draws(SEED);
      try {
        const sides = [
          new Side(first, await first.mount({ output }), 1),
          new Side(second, await second.mount({ output, ...(isOnePlate ? { plate: first.plate } : {}) }), 2),
        ];
        for (let kill = 0; kill < KILLS; kill++) {
          await Promise.all(sides.map((side) => side.copy(draw(6))));
          const [killed, other] = (draw(2) === 0 ? sides : sides.toReversed()) as [Side, Side];
          const { writer, mount } = killed;
          const length = lengthOf(writer.list);
          await other.whileStopped(async () => {
            await mount.shootDaemon();
            expect(ngffProblems(join(output, 'results.ome.zarr'))).toEqual([]);
          });
          await eventually('it is served again', () => lengthOf(writer.list) > length);
        }
        for (const { writer, mount } of sides)
          expect(await writer.stop(), mount.output.slice(-3000)).toMatchObject({ code: 0, stderr: '' });
        const landed = await Promise.all(sides.map((side) => side.landAll()));
        expect(landed.map(({ kept }) => kept)).toEqual([[], []]);
        await Promise.all(sides.map((side) => side.check()));
        for (const { mount } of sides) await mount.stop();
        expect(ngffProblems(join(output, 'results.ome.zarr'))).toEqual([]);
        expect(
          readdirSync(join(output, '.platefs/mounts')).filter((name) => name.endsWith('.json')),
        ).toHaveLength(2);
        if (spawnSync(PYTHON, ['-c', 'import zarr']).status === 0) {
          const read = await client(PYTHON, [OPEN_STORES], { input: output });
          expect(read).toMatchObject({
            code: 0,
            stderr: '',
            stdout: expect.stringMatching(/^[1-9]\d* arrays\n$/),
          });
        }
      } finally {
        for (const ground of grounds) await ground.remove();
      }
    },
    KILLS * 20_000 + 120_000,
  );
});

/** Whether every thread of a process is stopped. */
function isStill(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) =>
      /^ [Tt] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').replace(/.*\)/s, '')),
    );
  } catch {
    // A thread ended meanwhile.
    return false;
  }
}

/** Numbers below what is asked for, the same each time. */
function draws(seed: number): (below: number) => number {
  let count = 0;
  return (below) => createHash('sha256').update(`${seed} ${count++}`).digest().readUInt32LE() % below;
}
