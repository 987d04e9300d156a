import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { makePlate, type PlateTruth } from '../../scripts/plate-maker/plate-maker.ts';
import type { PlateOptions } from '../../scripts/plate-maker/plate-options.ts';
import type { LandingResult, StatusDocument } from '../../src/control/documents.ts';
import { explain, NotRunningError } from '../../src/core/errors.ts';
import { abortConnection } from '../../src/fuse/connection.ts';
import {
  type ClientOptions,
  type ClientResult,
  client,
  eventually,
  killIfAlive,
  PLAIN_USER,
} from './harness.ts';
import { sayMemory } from './machine-memory.ts';
import { MountControl, type Status } from './mount-control.ts';
import { makeNamespace } from './mount-namespace.ts';
import { connectionsBelow, daemonsOf, hasEnded } from './mount-processes.ts';

/**
 * A plate mounted by the real command line, for tests with real programs. The test process itself never touches
 * a path under the mountpoint: everything there is done by child processes with deadlines.
 */
const ROOT = resolve(import.meta.dirname, '../..');
export const PLATEFS = join(ROOT, 'bin/platefs');
/** Data of real instruments, where it lies beside the project. */
export const SHARED_DATA = resolve(ROOT, '../shared/data');
/** Debian's Python: the one that has tifffile, zarr, numpy, scipy and skimage. */
export const PYTHON = '/usr/bin/python3';

export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
}

/** A small plate with several of every axis. */
export const SMALL_PLATE: Partial<PlateOptions> = {
  plateName: 'Assay_B2_plate',
  wells: ['A01', 'B12'],
  sites: 2,
  channels: ['DAPI', 'FITC'],
  zSteps: 2,
  timePoints: 2,
  width: 48,
  height: 40,
};

export interface PlateMountOptions {
  /** A plate that exists, or what to make. Without it a small one is made. */
  plate?: string | Partial<PlateOptions>;
  /** Changes a made plate before it is mounted. */
  prepare?: (root: string, truth: PlateTruth) => void | Promise<void>;
  /** Rules, the `hooks:` of a mount definition as YAML: then the plate is mounted by a definition. */
  hooks?: string;
  /** Further words for `platefs mount`. */
  args?: readonly string[];
  /** PlateFS sees a machine with plenty of memory, whatever else runs on this one: nothing is let go. */
  hasPlenty?: boolean;
  /** Run PlateFS and all clients as nobody. */
  asPlainUser?: boolean;
  /** A shell script run in a mount namespace of its own, in which PlateFS and all clients then live. `$T` is the temporary folder. */
  namespace?: string;
}

/** Makes everything in a folder as old as a plate that was acquired an hour ago. */
export function agePlate(folder: string): void {
  const hourAgo = new Date(Date.now() - 3_600_000);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) agePlate(path);
    else if (entry.isFile()) utimesSync(path, hourAgo, hourAgo);
  }
  utimesSync(folder, hourAgo, hourAgo);
}

/** What commands say on stderr of work that takes a while. */
export const PROGRESS = /^(?:writing out.*\n)*$/;

/** What is available where nothing else runs. */
const PLENTY_MIB = 8192;
export class PlateMount {
  readonly folder: string;
  readonly mountpoint: string;
  readonly output: string;
  readonly state: string;
  readonly env: Record<string, string>;
  readonly #options: PlateMountOptions;
  #plate = '';
  #truth: PlateTruth | undefined;
  #namespace: ChildProcess | undefined;
  #prefix: readonly string[] = [];

  private constructor(options: PlateMountOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'pfs-'));
    this.mountpoint = join(this.folder, 'mnt');
    this.output = join(this.folder, 'results');
    this.state = join(this.folder, 'state');
    this.env = {
      HOME: this.folder,
      XDG_STATE_HOME: join(this.folder, 'xs'),
      XDG_CACHE_HOME: join(this.folder, 'xc'),
      XDG_RUNTIME_DIR: join(this.folder, 'r'),
      NODE_COMPILE_CACHE: join(tmpdir(), `pfs-node-${options.asPlainUser ? 'plain' : 'own'}`),
      // What others do on this machine must not make memory tight for a mount that counts on it.
      PLATEFS_MEMORY_ROOT: join(this.folder, 'machine'),
    };
    chmodSync(this.folder, 0o755);
    sayMemory(join(this.folder, 'machine'), PLENTY_MIB);
    mkdirSync(this.mountpoint);
    mkdirSync(join(this.folder, 'r'), { mode: 0o700 });
    if (options.hasPlenty) {
      this.env['PLATEFS_MEMORY_ROOT'] = join(this.folder, 'system');
      this.sayMemory(PLENTY_MIB);
    }
    if (options.asPlainUser)
      for (const path of [this.folder, this.mountpoint, join(this.folder, 'r')])
        chownSync(path, PLAIN_USER.uid, PLAIN_USER.gid);
  }

  /** What is available on the machine that PlateFS sees where `PLATEFS_MEMORY_ROOT` is the folder `system`. */
  sayMemory(availableMib: number): void {
    sayMemory(join(this.folder, 'system'), availableMib);
  }

  /** Everything but the mount itself. Call {@link remove} in the end, whatever happens. */
  static async make(options: PlateMountOptions = {}): Promise<PlateMount> {
    const made = new PlateMount(options);
    try {
      await made.#makeParts();
      return made;
    } catch (error) {
      await made.remove();
      throw error;
    }
  }

  /** Made and mounted. */
  static async start(options: PlateMountOptions = {}): Promise<PlateMount> {
    const made = await PlateMount.make(options);
    try {
      await made.mount();
      return made;
    } catch (error) {
      await made.remove();
      throw error;
    }
  }

  async #makeParts(): Promise<void> {
    const { plate = SMALL_PLATE, prepare, namespace } = this.#options;
    if (typeof plate === 'string') this.#plate = plate;
    else {
      const folder = join(this.folder, 'plate');
      this.#truth = await makePlate(folder, plate);
      this.#plate = this.#truth.root;
      await prepare?.(this.#plate, this.#truth);
      agePlate(this.#plate);
    }
    if (namespace === undefined) return;
    this.#namespace = await makeNamespace(this.folder, namespace);
    this.#prefix = ['nsenter', '-t', String(this.#namespace.pid), '-m', '--'];
  }

  get plate(): string {
    return this.#plate;
  }

  /** What the plate maker made. */
  get truth(): PlateTruth {
    if (!this.#truth) throw new Error('this plate was not made here');
    return this.#truth;
  }

  /** A path below the mountpoint: for clients, never for this process. */
  path(...parts: string[]): string {
    return join(this.mountpoint, ...parts);
  }

  /** Where the daemon has renders in memory that were pinned or read whole; undefined where it has none. */
  async rendersInMemory(kind: 'pins' | 'hot'): Promise<string | undefined> {
    const { pid } = await this.status();
    const folders = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}/${kind}`);
    return [...folders, join(this.memoryFolder, kind)].find((folder) => existsSync(folder));
  }

  /** Where the written bytes lie in memory while mounted. */
  get memoryFolder(): string {
    return this.#memoryFolderOf(this.state);
  }

  #memoryFolderOf(state: string): string {
    const digest = createHash('sha256').update(state).digest('hex').slice(0, 16);
    const uid = this.#options.asPlainUser ? PLAIN_USER.uid : (process.getuid?.() ?? 0);
    return `/dev/shm/platefs-${uid}-${digest}`;
  }

  get log(): string {
    const path = join(this.state, 'platefs.log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** Runs a program to its end, in the mountpoint's world (user, namespace, environment). */
  async run(
    program: string,
    args: readonly string[] = [],
    options: ClientOptions = {},
  ): Promise<ClientResult> {
    const [first = program, ...rest] = [...this.#prefix, program, ...args];
    return await client(first, rest, {
      asPlainUser: this.#options.asPlainUser === true,
      ...options,
      env: { ...this.env, ...options.env },
    });
  }

  /** {@link run}, throwing unless it ends with code 0. @returns its standard output. */
  async succeed(program: string, args: readonly string[] = [], options: ClientOptions = {}): Promise<string> {
    const { code, signal, stdout, stderr } = await this.run(program, args, options);
    if (code === 0) return stdout;
    const text = [program, ...args].join(' ').slice(0, 300);
    throw new Error(
      `${text}: ended with ${code ?? signal}\n${stdout}${stderr}\nlog: ${this.log.slice(-2000)}`,
    );
  }

  /** A shell script in the mountpoint. */
  async shell(script: string, ...args: string[]): Promise<string> {
    return await this.succeed('sh', ['-ec', `cd "$0"\n${script}`, this.mountpoint, ...args]);
  }

  /** Python statements; `mnt` is the mountpoint, `argv` the further arguments, and os, sys, json, np are there. */
  async python(code: string, ...args: string[]): Promise<string> {
    const head = 'import os, sys, json\nimport numpy as np\nmnt, argv = sys.argv[1], sys.argv[2:]\n';
    return await this.succeed(PYTHON, ['-c', head + code, this.mountpoint, ...args]);
  }

  async platefs(...args: string[]): Promise<ClientResult> {
    return await this.run(PLATEFS, args);
  }

  /** The document of `platefs … --json`. @throws when it exits with anything but `code`. */
  async json<T>(args: readonly string[], code = 0): Promise<T> {
    const result = await this.platefs(...args, '--json');
    if (result.code !== code)
      throw new Error(
        `platefs ${args.join(' ')} exited with ${result.code}: ${result.stdout}${result.stderr}\nlog: ${this.log.slice(-3000)}`,
      );
    return JSON.parse(result.stdout) as T;
  }

  mountWords(): string[] {
    const { args = [], hooks } = this.#options;
    if (hooks === undefined)
      return ['mount', this.plate, this.mountpoint, '--output', this.output, '--state', this.state, ...args];
    const definition = join(this.folder, 'mount.yaml');
    const head = { source: this.plate, mountpoint: this.mountpoint, output: this.output, state: this.state };
    const lines = Object.entries(head).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
    writeFileSync(definition, `${lines.join('')}hooks:\n${hooks}`);
    return ['mount', definition, ...args];
  }

  async mount(...more: string[]): Promise<StatusDocument> {
    return await this.json<StatusDocument>([...this.mountWords(), ...more]);
  }

  async umount(): Promise<ClientResult> {
    return await this.platefs('umount', this.mountpoint, '--timeout', '170');
  }

  /** @throws NotRunningError while a daemon that died has no successor. */
  async status(): Promise<Status> {
    if (this.#options.asPlainUser) {
      const { status } = await this.json<{ status: Status }>(['status', this.mountpoint]);
      return status;
    }
    return await this.#control.status();
  }

  /** Undefined while nobody answers. */
  async statusIfServed(): Promise<Status | undefined> {
    try {
      return await this.status();
    } catch (error) {
      if (error instanceof NotRunningError) return undefined;
      throw error;
    }
  }

  async flush(): Promise<LandingResult> {
    if (this.#options.asPlainUser) return await this.json(['flush', this.mountpoint]);
    return await this.#control.flush();
  }

  get #control(): MountControl {
    return new MountControl(this.env['XDG_RUNTIME_DIR'] ?? '', this.mountpoint);
  }

  /** Processes of this mount. */
  processes(): number[] {
    return daemonsOf(this.folder);
  }

  get #mountinfo(): string {
    return `/proc/${this.#namespace?.pid ?? 'self'}/mountinfo`;
  }

  #connections(): { minor: number; path: string }[] {
    return connectionsBelow(this.folder, this.#mountinfo);
  }

  get isMounted(): boolean {
    return this.#connections().length > 0;
  }

  /** SIGKILL to everything of this mount, the connection aborted. */
  async kill(): Promise<void> {
    for (const { minor } of this.#connections()) abortConnection(minor);
    for (const pid of this.processes()) killIfAlive(pid);
    for (const { path } of this.#connections())
      await client(this.#prefix[0] ?? 'umount', [
        ...this.#prefix.slice(1),
        ...(this.#prefix.length ? ['umount'] : []),
        '-l',
        path,
      ]);
  }

  /** SIGKILL to every process of this mount; resolves once all are gone. */
  async shootAll(): Promise<void> {
    await eventually('all processes are gone', () => {
      const left = this.processes();
      for (const pid of left) killIfAlive(pid);
      return left.length === 0;
    });
  }

  /** What `platefs umount` has done, or by that itself where only it may. @returns what went wrong, or ''. */
  async #unmount(): Promise<string> {
    if (this.#options.asPlainUser || (await this.statusIfServed()) === undefined) {
      const { code, stderr, stdout } = await this.umount();
      return code === 0 || code === 3 ? '' : `umount ended with ${code}: ${stdout}${stderr}`;
    }
    const pids = this.processes();
    await this.#control.drain();
    await eventually('it is unmounted', () => !this.isMounted);
    // They may have a mount open that lies below this one's plate.
    await eventually('its processes have ended', () => pids.every(hasEnded));
    return '';
  }

  /** Unmounts, by force where it must, and removes everything. @throws when force was needed. */
  async remove(): Promise<void> {
    let problem = '';
    let log = '';
    const pids = this.processes();
    try {
      if (this.isMounted) problem = await this.#unmount();
    } catch (error) {
      problem = `it could not be unmounted: ${explain(error)}`;
    } finally {
      log = this.log.slice(-3000);
      await this.kill();
      this.#namespace?.kill('SIGKILL');
      const branches = join(this.state, 'branches');
      const states = existsSync(branches) ? readdirSync(branches).map((name) => join(branches, name)) : [];
      for (const state of [this.state, ...states])
        rmSync(this.#memoryFolderOf(state), { recursive: true, force: true });
      await this.#removeFolder(pids);
    }
    if (problem !== '') throw new Error(`${problem}\n${log}`);
  }

  /** Waits for what was killed to let go of its files. */
  async #removeFolder(pids: readonly number[]): Promise<void> {
    await eventually('nothing of the mount runs', () => [...pids, ...this.processes()].every(hasEnded));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}

/** Relative path → contents of every file below a real folder. */
export function readTree(folder: string): Map<string, Buffer> {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  return new Map(
    entries
      .filter((name) => lstatSync(join(folder, name)).isFile())
      .map((name) => [name, readFileSync(join(folder, name))]),
  );
}
