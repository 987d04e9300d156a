import { type ChildProcess, spawn } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DAEMON_FLAGS } from '../../src/daemon/daemon-flags.ts';
import type { FromSupervisor, SupervisorSpec } from '../../src/daemon/supervisor-messages.ts';
import { SUPERVISOR_FLAGS, supervisorEnvironment } from '../../src/daemon/supervisor-process.ts';
import { abortConnection } from '../../src/fuse/connection.ts';
import { mountAt } from '../../src/fuse/mount-table.ts';
import { unmountFuse } from '../../src/fuse/unmount.ts';

/**
 * Real mounts for tests. The test process never touches a path under a mountpoint itself: clients are child
 * processes, each with a deadline, and whatever happens the connection is aborted in the end.
 */
const SUPERVISOR = resolve(import.meta.dirname, '../../src/daemon/supervisor.ts');
const FIXTURE_DAEMON = resolve(import.meta.dirname, 'fixture/daemon.ts');
/** Deadlines end what hangs. A machine that does much else besides is to meet them all the same. */
const DEADLINE_MS = 180_000;
/** nobody, nogroup. */
export const PLAIN_USER = { uid: 65534, gid: 65534 };

const isRoot = process.geteuid?.() === 0;

/** Why real mounts can't be made here, or undefined. */
export function mountProblem(): string | undefined {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return '/dev/fuse is missing or not ours to open';
  }
}

/** Why a plain user can't mount here, or undefined. */
export function plainUserProblem(): string | undefined {
  const problem = mountProblem();
  if (problem !== undefined) return problem;
  if (!isRoot) return undefined;
  if ((statSync('/dev/fuse').mode & 0o006) !== 0o006) return '/dev/fuse is not open to plain users';
  if (!(process.env['PATH'] ?? '').split(':').some((folder) => isExecutable(join(folder, 'fusermount3'))))
    return 'fusermount3 is missing (apt install fuse3)';
  for (let folder = SUPERVISOR; folder !== '/'; folder = resolve(folder, '..'))
    if ((statSync(folder).mode & 0o005) === 0) return `${folder} is not open to plain users`;
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface ClientResult {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface ClientOptions {
  timeoutMs?: number;
  cwd?: string;
  asPlainUser?: boolean;
  input?: string;
  /** On top of the environment of the tests. */
  env?: Record<string, string>;
}

/** Runs a program to its end, or kills it at the deadline (then `signal` is SIGKILL). */
export async function client(
  program: string,
  args: readonly string[],
  options: ClientOptions = {},
): Promise<ClientResult> {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      LC_ALL: 'C.UTF-8',
      ...(options.asPlainUser ? { HOME: '/nonexistent' } : {}),
      ...options.env,
    },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.asPlainUser ? PLAIN_USER : {}),
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? DEADLINE_MS);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return await new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      done({ code, signal, stdout, stderr });
    });
  });
}

/** {@link client}, throwing unless it ends with code 0. @returns its standard output. */
export async function succeed(
  program: string,
  args: readonly string[],
  options: ClientOptions = {},
): Promise<string> {
  const result = await client(program, args, options);
  if (result.code !== 0)
    throw new Error(
      `${program} ${args.join(' ')}: ${result.code ?? result.signal}\n${result.stdout}${result.stderr}`,
    );
  return result.stdout;
}

/** Polls until `condition` holds. @throws after the deadline. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = DEADLINE_MS,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** Process ids of a process's children. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(parent) === pid && state !== 'Z';
      } catch {
        return false;
      }
    })
    .map(Number);
}

export interface MountOptions {
  asPlainUser?: boolean;
  allowOther?: boolean;
  /** The daemon's main module; without it the fixture's. */
  daemonEntry?: string;
  /** Handed to the daemon; the fixture gets `stateFolder` besides. */
  daemonSpec?: Record<string, unknown>;
  /** Mount here, on a folder that the caller made, instead of on a new one. */
  mountpoint?: string;
  /** Deaths within ten seconds that the supervisor puts up with. */
  deathsMax?: number;
  /** Environment of supervisor and daemon, on top of ours. */
  env?: Readonly<Record<string, string>>;
  /** Do not wait for 'ready'. */
  unready?: boolean;
}

const running = new Set<TestMount>();
// A test process that ends early (a failed hook, a timeout) must not leave clients hanging either.
process.on('exit', () => {
  for (const mount of running) mount.kill();
});

/** A supervised mount in a temporary folder. */
export class TestMount {
  readonly folder: string;
  readonly mountpoint: string;
  readonly stateFolder: string;
  readonly messages: FromSupervisor[] = [];
  readonly supervisor: ChildProcess;
  private readonly exited: Promise<number | null>;
  output = '';

  private constructor(options: MountOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'platefs-mount-'));
    this.mountpoint = options.mountpoint ?? join(this.folder, 'mnt');
    this.stateFolder = join(this.folder, 'state');
    if (options.mountpoint === undefined) mkdirSync(this.mountpoint);
    mkdirSync(this.stateFolder);
    const asPlainUser = options.asPlainUser === true && isRoot;
    chmodSync(this.folder, 0o755);
    if (asPlainUser)
      for (const path of [this.folder, this.mountpoint, this.stateFolder])
        chownSync(path, PLAIN_USER.uid, PLAIN_USER.gid);
    const spec: SupervisorSpec = {
      mountpoint: this.mountpoint,
      allowOther: options.allowOther === true,
      sourceLabel: 'test, of commas',
      daemonEntry: options.daemonEntry ?? FIXTURE_DAEMON,
      daemonArguments: DAEMON_FLAGS,
      daemonSpec: { ...options.daemonSpec, stateFolder: this.stateFolder },
      ...(options.deathsMax === undefined ? {} : { deathsMax: options.deathsMax }),
    };
    this.supervisor = spawn(process.execPath, [...SUPERVISOR_FLAGS, SUPERVISOR, JSON.stringify(spec)], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      cwd: '/',
      env: supervisorEnvironment({
        ...process.env,
        ...(asPlainUser ? { HOME: this.folder } : {}),
        ...options.env,
      }),
      ...(asPlainUser ? PLAIN_USER : {}),
    });
    this.supervisor.on('message', (message) => this.messages.push(message as FromSupervisor));
    this.supervisor.stdout?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.supervisor.stderr?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.exited = new Promise((done) => this.supervisor.on('exit', (code) => done(code)));
    running.add(this);
  }

  /** @throws when it is not ready in time; nothing is left behind then. */
  static async start(options: MountOptions = {}): Promise<TestMount> {
    const mount = new TestMount(options);
    if (options.unready === true) return mount;
    try {
      await eventually('the mount is ready', () => {
        if (mount.find('fatal') !== undefined || mount.supervisor.exitCode !== null)
          throw new Error(`the mount failed: ${JSON.stringify(mount.messages)} ${mount.output}`);
        return mount.find('ready') !== undefined;
      });
      return mount;
    } catch (error) {
      await mount.stop();
      throw error;
    }
  }

  /** The latest message of a type. */
  find<T extends FromSupervisor['type']>(type: T): Extract<FromSupervisor, { type: T }> | undefined {
    return this.messages.findLast((message) => message.type === type) as
      | Extract<FromSupervisor, { type: T }>
      | undefined;
  }

  path(...parts: string[]): string {
    return join(this.mountpoint, ...parts);
  }

  /** The daemon's process id, once there is one. */
  async daemonPid(): Promise<number> {
    let pid: number | undefined;
    await eventually('a daemon runs', () => {
      [pid] = childrenOf(this.supervisor.pid!);
      return pid !== undefined;
    });
    return pid!;
  }

  /** SIGKILL to whichever daemon runs. */
  async shootDaemon(): Promise<void> {
    for (;;) {
      const pid = await this.daemonPid();
      try {
        process.kill(pid, 'SIGKILL');
        return;
      } catch (error) {
        // It was on its way out by itself, and the next one comes.
        if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
      }
    }
  }

  /** SIGKILL to the daemon. @returns once its successor is ready. */
  async killDaemon(): Promise<void> {
    const readies = this.messages.filter((message) => message.type === 'ready').length;
    process.kill(await this.daemonPid(), 'SIGKILL');
    await eventually(
      'a new daemon is ready',
      () => this.messages.filter((message) => message.type === 'ready').length > readies,
    );
  }

  /** The supervisor's exit code, when it ends by itself within the deadline. */
  async ended(timeoutMs = DEADLINE_MS): Promise<number | null> {
    const late = new Promise<never>((_, fail) =>
      setTimeout(() => fail(new Error(`the supervisor goes on: ${this.output}`)), timeoutMs).unref(),
    );
    return await Promise.race([this.exited, late]);
  }

  /** Unmounts and removes everything, by force where it must. @returns the supervisor's exit code. */
  async stop(): Promise<number | null> {
    try {
      if (this.supervisor.exitCode === null && this.supervisor.signalCode === null)
        this.supervisor.kill('SIGTERM');
      return await this.ended();
    } finally {
      this.kill();
    }
  }

  /** Takes everything away by force, at once. */
  kill(): void {
    running.delete(this);
    const { pid, exitCode, signalCode } = this.supervisor;
    const isAlive = pid !== undefined && exitCode === null && signalCode === null;
    const daemons = isAlive ? childrenOf(pid) : [];
    if (isAlive) killIfAlive(pid);
    for (const daemon of daemons) killIfAlive(daemon);
    const left = mountAt(this.mountpoint);
    if (left !== undefined) {
      abortConnection(left.minor);
      unmountFuse(this.mountpoint, { lazy: true });
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** SIGKILL, also where the process ends by itself meanwhile. */
export function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
