import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callControl } from '../../src/control/control-client.ts';
import type { FaultPoint } from '../../src/core/fault-points.ts';
import type { Durability } from '../../src/model/mount-definition.ts';
import { ngffProblems } from '../interop/landing/ngff-problems.ts';
import { client, eventually, type TestMount } from './harness.ts';
import { type Client, PlateGround } from './killable-mount.ts';
import { oomKill } from './oom-kill.ts';

/** Where a daemon can be made to die while files are written, synced and landed. */
export const CRASH_POINTS: readonly FaultPoint[] = [
  'journal.before-append',
  'journal.after-append',
  'store.before-write',
  'store.after-write',
  'sync.before-sync',
  'sync.before-reply',
  'session.before-reply',
  'landing.before-note',
  'overlay.landed-not-freed',
];

/** Disks that fail: what a sync does, which must reach whoever asked for it and nobody else. */
const DISK_FAULTS = [
  'write:ENOSPC:durable/',
  'write:EIO:durable/',
  'write:SHORT:durable/',
  'syncData:EIO:durable/',
  'sync:EIO:durable',
  'write:ENOSPC:.platefs/staging',
  'write:SHORT:.platefs/staging',
  'rename:EIO:.platefs/staging',
  'syncFileSystem:EIO:',
] as const;

/** By how much the clock of daemons is off, in seconds: hours, days, and before 1970 is never reached. */
const CLOCK_OFFSETS = [0, 1, -1, 3600, -3600, 40 * 86_400, -40 * 86_400, 20 * 365 * 86_400];
const JUMPING_CLOCK = new URL('./fixture/jumping-clock.mjs', import.meta.url);

export interface CrashRound {
  readonly seed: number;
  readonly kills: number;
  readonly mode: Durability;
  /** How the mount ends: killed with its supervisor, the supervisor some time before, or by `umount`. */
  readonly end: 'both' | 'supervisor' | 'umount';
}

/** What a round came to. */
export interface EndedRound {
  readonly kills: number;
  /** Of these, by the kernel, for want of memory. */
  readonly oomKills: number;
  /** Calls of the programs. */
  readonly operations: number;
}

const SERVED_TIMEOUT_MS = 60_000;
/** A point that nothing comes to by then is not on the way of this round. */
const POINT_TIMEOUT_MS = 1500;
const OOM_TIMEOUT_MS = 3000;
const lengthOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
/** Arrays of the store are opened and read whole by zarr-python, whatever there is. */
const OPEN_ARRAYS = `
import os, sys, zarr
count = 0
for folder, folders, files in os.walk(sys.argv[1]):
    if '.zarray' in files:
        zarr.open_array(folder, mode='r')[:]
        count += 1
print(count)
`;

/** A daemon is killed again and again under writing programs; throws at the first thing that is not as it was acknowledged. */
export async function crashRound(round: CrashRound): Promise<EndedRound> {
  const ground = await PlateGround.make();
  try {
    return await new Round(ground, round).run();
  } finally {
    await ground.remove();
  }
}

class Round {
  readonly #ground: PlateGround;
  readonly #round: CrashRound;
  readonly #armed: string;
  readonly #failing: string;
  readonly #clock: string;
  #oomKills = 0;
  #state: number;
  #kills = 0;

  constructor(ground: PlateGround, round: CrashRound) {
    this.#ground = ground;
    this.#round = round;
    this.#state = round.seed >>> 0;
    this.#armed = join(ground.folder, 'armed');
    this.#failing = join(ground.folder, 'failing');
    this.#clock = join(ground.folder, 'clock');
  }

  #roll(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#roll(items.length)] as T;
  }

  async run(): Promise<EndedRound> {
    const { seed, kills, mode, end } = this.#round;
    const ground = this.#ground;
    const env = {
      PLATEFS_FAULT: `${this.#pick(CRASH_POINTS)}:${1 + this.#roll(20)}:${this.#armed}`,
      PLATEFS_CLOCK_OFFSET: this.#clock,
      NODE_OPTIONS: `--import=${JUMPING_CLOCK.href}`,
      PLATEFS_DISK_FAULT: `${this.#pick(DISK_FAULTS)}:1:${this.#failing}`,
    };
    // A disk that fails is told to whoever syncs, so then programs must bear with it; in 'write' all calls would.
    const isFailing = end === 'umount' && mode !== 'write';
    const lastMode = end === 'umount' ? 'write' : 'write-cut';
    let mount = await ground.mount({ env, durability: mode, budgetBytes: 16 * 2 ** 20 });
    const writers: [string, Client][] = [
      ['one', ground.write('one', seed, isFailing ? 'write-tolerant' : 'write')],
      ['two', ground.write('two', seed + 1, isFailing ? 'write-tolerant' : lastMode)],
    ];
    let images = 0;
    while (this.#kills < kills - 1) {
      await this.#landSomething(images++);
      if (isFailing && this.#roll(3) === 0) writeFileSync(this.#failing, '');
      if (this.#roll(4) === 0) this.#setClock(this.#pick(CLOCK_OFFSETS));
      await pause(this.#roll(150));
      const lengths = writers.map(([, { list }]) => lengthOf(list));
      await this.#kill(mount);
      this.#checkStore();
      // Some die before they are up.
      if (this.#roll(8) === 0) continue;
      await this.#served(mount, () => writers.some(([, { list }], i) => lengthOf(list) > (lengths[i] ?? 0)));
    }
    rmSync(this.#failing, { force: true });
    // The mount may go away under the other.
    const first = await writers[0]?.[1].stop();
    if (end !== 'umount') {
      const daemon = await mount.daemonPid();
      process.kill(mount.supervisor.pid ?? 0, 'SIGKILL');
      if (end === 'supervisor') {
        // The daemon goes on alone; nobody would follow it.
        const list = writers[1]?.[1].list ?? '';
        const before = lengthOf(list);
        await this.#served(mount, () => lengthOf(list) > before);
      }
      process.kill(daemon, 'SIGKILL');
      await eventually('the daemon is gone', () => !existsSync(`/proc/${daemon}`), SERVED_TIMEOUT_MS);
      this.#kills++;
    }
    const second = await writers[1]?.[1].stop();
    for (const ended of [first, second])
      if (ended?.code !== 0 || ended.stderr !== '')
        throw new Error(`a program saw an error: ${ended?.stderr}\n${mount.output.slice(-3000)}`);
    if (end === 'umount') {
      await mount.stop();
      this.#kills++;
    }
    this.#checkStore();
    // Without the flags it had.
    mount = await ground.mount();
    for (const [name] of writers) {
      const { code, stdout, stderr } = await ground.check(name);
      if (code !== 0) throw new Error(`${name}: ${stdout}${stderr}`);
    }
    await mount.stop();
    this.#checkStore();
    await this.#openArrays();
    const operations = [first, second].reduce(
      (sum, ended) => sum + (JSON.parse(ended?.stdout ?? '{}') as { operations: number }).operations,
      0,
    );
    return { kills: this.#kills, oomKills: this.#oomKills, operations };
  }

  async #served(mount: TestMount, isServed: () => boolean): Promise<void> {
    try {
      await eventually('somebody is served again', isServed, SERVED_TIMEOUT_MS);
    } catch (error) {
      throw new Error(`nobody is served after ${this.#kills} kills: ${mount.output.slice(-3000)}`, {
        cause: error,
      });
    }
  }

  /** A plane is copied under a new name, and what is closed lands; the daemon may be dead by then. */
  async #landSomething(image: number): Promise<void> {
    const { mountpoint, planes, folder } = this.#ground;
    const [plane = ''] = Object.keys(planes);
    const place = join(mountpoint, 'copies');
    if (image === 0) await client('mkdir', ['-p', place]);
    await client('cp', [
      join(mountpoint, 'images', plane),
      join(place, plane.replace('s001', `s${100 + image}`)),
    ]);
    void callControl(join(folder, 'socket'), 'flush').catch(() => undefined);
  }

  async #kill(mount: TestMount): Promise<void> {
    if (this.#roll(2) === 0) {
      writeFileSync(this.#armed, '');
      try {
        await eventually('the daemon dies', () => !existsSync(this.#armed), POINT_TIMEOUT_MS);
        this.#kills++;
        return;
      } catch {
        // Nothing brought it to that point.
        rmSync(this.#armed, { force: true });
      }
    }
    if (this.#roll(4) === 0 && (await oomKill(await mount.daemonPid(), OOM_TIMEOUT_MS))) this.#oomKills++;
    else await mount.shootDaemon();
    this.#kills++;
  }

  /** Sets the clock of daemons that run, and of those to come. */
  #setClock(offsetSeconds: number): void {
    writeFileSync(`${this.#clock}.new`, String(offsetSeconds));
    renameSync(`${this.#clock}.new`, this.#clock);
  }

  #checkStore(): void {
    const problems = ngffProblems(join(this.#ground.output, 'results.ome.zarr'));
    if (problems.length > 0) throw new Error(`the store is not valid: ${problems.join('\n')}`);
  }

  async #openArrays(): Promise<void> {
    const store = join(this.#ground.output, 'results.ome.zarr');
    if (!existsSync(store) || !existsSync('/usr/bin/python3')) return;
    mkdirSync(join(this.#ground.folder, 'py'), { recursive: true });
    const { code, stderr } = await client('/usr/bin/python3', ['-c', OPEN_ARRAYS, store]);
    if (code !== 0) throw new Error(`zarr-python can't read the store: ${stderr}`);
  }
}
