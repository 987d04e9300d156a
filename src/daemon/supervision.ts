import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { errnoOf } from '../core/errno.ts';
import { explain, PlateFsError } from '../core/errors.ts';
import { abortConnection, setReadAhead } from '../fuse/connection.ts';
import { openMemoryFileSystem } from '../fuse/memory-file-system.ts';
import { type Mounted, mountFuse } from '../fuse/mount.ts';
import { mountAt } from '../fuse/mount-table.ts';
import type { Negotiated } from '../fuse/negotiation.ts';
import { MAX_READ_BYTES } from '../fuse/protocol.ts';
import { type UnmountResult, unmountFuse } from '../fuse/unmount.ts';
import { RespawnLimit } from './respawn-limit.ts';
import type {
  FatalMessage,
  FromDaemon,
  FromSupervisor,
  SupervisorSpec,
  ToDaemon,
} from './supervisor-messages.ts';

/** Where the daemon finds the device: behind its three standard streams. */
const DAEMON_FUSE_FD = 3;
/** Behind the channel to us. */
const DAEMON_MEMORY_FD = 5;
const DEATHS_MAX = 5;
const DEATH_WINDOW_MS = 10_000;
/** How long a daemon may take to end once its mount is gone. */
const END_TIMEOUT_MS = 5_000;
/**
 * Four of the kernel's largest requests: the next ones wait while one is answered, and readers work side by side
 * (64 MiB without passthrough: 1.6 GB/s, against 1.0 with one).
 */
const READ_AHEAD_KIB = (4 * MAX_READ_BYTES) / 1024;

export function fatalMessage(error: unknown): FatalMessage {
  const isOurs = error instanceof PlateFsError;
  return {
    type: 'fatal',
    tag: isOurs ? error.tag : 'io',
    message: isOurs ? error.message : `${explain(error)} (errno ${errnoOf(error)})`,
    ...(isOurs && error.advice !== undefined ? { advice: error.advice } : {}),
  };
}

/**
 * One mount kept alive over any number of daemons. States: serving (a daemon runs), draining (told to end),
 * ending (unmounted, waiting for the daemon to go), over (`finish` called with the exit code).
 */
export class Supervision {
  private readonly spec: SupervisorSpec;
  private readonly tell: (message: FromSupervisor) => void;
  private readonly finish: (exitCode: number) => void;
  private readonly limit: RespawnLimit;
  private mounted: Mounted | undefined;
  private negotiated: Negotiated | undefined;
  /** What daemons keep in it outlives each of them. */
  private memoryFd: number | undefined;
  private child: ChildProcess | undefined;
  private draining = false;
  private exitCode: number | undefined;

  /**
   * @param tell - Takes messages for whoever started us.
   * @param finish - Called once, when all is over, with the exit code.
   */
  constructor(
    spec: SupervisorSpec,
    tell: (message: FromSupervisor) => void,
    finish: (exitCode: number) => void,
  ) {
    this.spec = spec;
    this.limit = new RespawnLimit(spec.deathsMax ?? DEATHS_MAX, DEATH_WINDOW_MS);
    this.tell = tell;
    this.finish = finish;
  }

  /** Mounts and starts the first daemon. @throws BadMountpointError, FuseUnavailableError */
  start(): void {
    this.mount();
    if (this.mounted?.privileged) this.memoryFd = openMemoryFileSystem();
    this.spawnDaemon(false);
  }

  /** First call: the daemon writes out and ends. Second: mount and daemon go at once. */
  stop(): void {
    if (this.exitCode !== undefined) return;
    if (this.draining) {
      this.end(1);
      this.child?.kill('SIGKILL');
      return;
    }
    this.draining = true;
    this.send({ type: 'drain' });
  }

  private mount(): void {
    const { mountpoint, sourceLabel, allowOther } = this.spec;
    this.mounted = mountFuse({ mountpoint, sourceLabel, allowOther });
    this.negotiated = undefined;
    this.tell({
      type: 'mounted',
      mountpoint: this.mounted.mountpoint,
      connection: this.mounted.connection,
      privileged: this.mounted.privileged,
      mended: this.mounted.mended,
      pid: process.pid,
    });
  }

  private spawnDaemon(resumed: boolean): void {
    const { mounted, spec } = this;
    if (mounted === undefined) throw new Error('a daemon needs a mount');
    const log = spec.detachedLog === undefined ? undefined : openSync(spec.detachedLog, 'a');
    const child = spawn(process.execPath, [...(spec.daemonArguments ?? []), spec.daemonEntry], {
      stdio: ['ignore', log ?? 'inherit', log ?? 'inherit', mounted.fd, 'ipc', this.memoryFd ?? 'ignore'],
    });
    if (log !== undefined) closeSync(log);
    this.child = child;
    child.on('message', (message) => this.hear(message as FromDaemon));
    child.on('error', (error) => {
      if (child.pid === undefined) this.fail(fatalMessage(error));
    });
    child.on('exit', (code, signal) => this.onExit(code, signal));
    this.send({
      type: 'start',
      fuseFd: DAEMON_FUSE_FD,
      resumed,
      privileged: mounted.privileged,
      mountpoint: mounted.mountpoint,
      connection: mounted.connection,
      ...(this.memoryFd === undefined ? {} : { memoryFd: DAEMON_MEMORY_FD }),
      ...(this.negotiated === undefined ? {} : { negotiated: this.negotiated }),
      spec: spec.daemonSpec,
    });
    if (this.draining) this.send({ type: 'drain' });
  }

  /** A daemon that can't be told anything is dying: its exit says the rest. */
  private send(message: ToDaemon): void {
    if (this.child?.connected) this.child.send(message, () => undefined);
  }

  private hear(message: FromDaemon): void {
    if (message.type === 'negotiated') {
      this.negotiated = message.negotiated;
      const { mounted } = this;
      if (mounted?.privileged) setReadAhead(mounted.connection, this.spec.readAheadKib ?? READ_AHEAD_KIB);
    } else if (message.type === 'fatal') {
      this.fail(message);
      // It has tidied up, and all that still runs are threads that were loading.
      this.child?.kill('SIGKILL');
    } else if (message.type === 'unmount')
      this.send({ type: 'unmounted', result: this.tryUnmount(message.lazy) });
    else if (message.type === 'done') this.end(0);
    else {
      if (message.type === 'ready') this.limit.served();
      this.tell(message);
    }
  }

  /** Unmounts and leaves the connection to the daemon, which hears from the kernel that it is over. */
  private tryUnmount(lazy: boolean): UnmountResult {
    const { mounted } = this;
    if (mounted === undefined || mountAt(mounted.mountpoint)?.minor !== mounted.connection)
      return 'not-mounted';
    return unmountFuse(mounted.mountpoint, { lazy });
  }

  private fail(message: FatalMessage): void {
    this.tell(message);
    this.end(1);
  }

  /**
   * Takes the mount away and waits for the daemon to go. A daemon that ended cleanly goes by itself, one that
   * failed is told to, and one that does neither is killed.
   */
  private end(exitCode: number): void {
    if (this.exitCode !== undefined) return;
    this.exitCode = exitCode;
    this.unmount();
    const { child } = this;
    if (
      child === undefined ||
      child.pid === undefined ||
      child.exitCode !== null ||
      child.signalCode !== null
    )
      this.over();
    else {
      if (exitCode !== 0) child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
    }
  }

  private over(): void {
    if (this.exitCode === 0) this.tell({ type: 'done' });
    this.finish(this.exitCode ?? 1);
  }

  /** Whether the kernel still has the connection; it lives on after a lazy unmount while files are open. */
  private isConnected(mounted: Mounted): boolean {
    return (
      existsSync(`/sys/fs/fuse/connections/${mounted.connection}`) ||
      mountAt(mounted.mountpoint)?.minor === mounted.connection
    );
  }

  /** Clients that hang are freed: the connection is aborted where the mount does not go by itself. */
  private unmount(): void {
    const { mounted } = this;
    if (mounted === undefined) return;
    this.mounted = undefined;
    if (mountAt(mounted.mountpoint)?.minor === mounted.connection) {
      const isClean = this.exitCode === 0 && unmountFuse(mounted.mountpoint) !== 'busy';
      if (!isClean) unmountFuse(mounted.mountpoint, { lazy: true });
    }
    abortConnection(mounted.connection);
    closeSync(mounted.fd);
  }

  private onExit(code: number | null, signal: string | null): void {
    const cause = signal === null ? `exit code ${code}` : signal;
    if (this.exitCode !== undefined) this.over();
    else if (code === 0 || this.mounted === undefined || !this.isConnected(this.mounted)) this.end(0);
    else if (!this.limit.allows(performance.now()))
      this.fail({
        type: 'fatal',
        tag: 'not-running',
        message: `the daemon died ${this.limit.text} (last: ${cause})`,
        advice: `see ${this.spec.detachedLog ?? 'its output above'}; what was written is kept for the next mount`,
      });
    else this.replace(cause);
  }

  /**
   * Starts the next daemon on the same connection, where the kernel can resend what the last one left; else on
   * a fresh mount, and what was in flight fails.
   */
  private replace(cause: string): void {
    const resumed = this.negotiated?.resend === true;
    try {
      if (!resumed) {
        this.unmount();
        this.mount();
      }
      this.spawnDaemon(resumed);
      this.tell({ type: 'respawned', deaths: this.limit.deaths, cause, resumed });
    } catch (error) {
      this.fail(fatalMessage(error));
    }
  }
}
