import { type ChildProcess, spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FromSupervisor, SupervisorSpec } from './supervisor-messages.ts';

/**
 * Flags that keep the supervisor's memory down: a small young generation, an interpreter-sized heap, no
 * helper threads to compile code that runs once.
 */
export const SUPERVISOR_FLAGS: readonly string[] = [
  '--max-semi-space-size=1',
  '--max-old-space-size=64',
  '--v8-pool-size=0',
  '--disable-warning=ExperimentalWarning',
];

/**
 * The caller's environment, with Node's compile cache on for supervisor and daemon: without it each of them
 * loads the WebAssembly that strips types, which costs a supervisor 27 MB as long as it lives.
 */
export function supervisorEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const caches = environment['XDG_CACHE_HOME'] ?? join(environment['HOME'] ?? homedir(), '.cache');
  return { NODE_COMPILE_CACHE: join(caches, 'platefs', 'node'), ...environment };
}

export interface SupervisorProcess {
  readonly process: ChildProcess;
  /** Lets it live on without us: the caller may then exit. */
  detach(): void;
}

/** A supervisor that loads and waits to be told what to mount. */
export interface WaitingSupervisor {
  /**
   * Has it mount.
   *
   * @param spec - Relative paths are taken from the caller's folder.
   * @param onMessage - Hears what it and its daemon report until {@link SupervisorProcess.detach}.
   */
  begin(spec: SupervisorSpec, onMessage: (message: FromSupervisor) => void): SupervisorProcess;
  /** Ends it, where it was not told to mount; else it goes by itself. */
  abandon(): void;
}

/**
 * Starts a supervisor in a session of its own, without the terminal: Ctrl-C does not reach it, so a caller
 * that stays in the foreground passes signals on. It loads while the caller finds out what to mount, and ends by
 * itself when the caller ends before it says so.
 *
 * @param output - Where its and the daemon's output goes: nowhere, or to the caller's standard error.
 */
export function prepareSupervisor(output: 'ignore' | 'inherit' = 'ignore'): WaitingSupervisor {
  const entry = fileURLToPath(new URL('./supervisor.ts', import.meta.url));
  const child = spawn(process.execPath, [...SUPERVISOR_FLAGS, entry], {
    detached: true,
    stdio: ['ignore', output === 'inherit' ? 2 : 'ignore', output === 'inherit' ? 2 : 'ignore', 'ipc'],
    cwd: '/',
    env: supervisorEnvironment(),
  });
  // Whoever launches it hears of this as well; nobody may be listening yet.
  child.on('error', () => undefined);
  const detach = (): void => {
    if (child.connected) child.disconnect();
    child.unref();
  };
  let hasBegun = false;
  return {
    begin(spec, onMessage) {
      hasBegun = true;
      const absolute: SupervisorSpec = {
        ...spec,
        mountpoint: resolve(spec.mountpoint),
        daemonEntry: resolve(spec.daemonEntry),
        ...(spec.detachedLog === undefined ? {} : { detachedLog: resolve(spec.detachedLog) }),
      };
      child.on('message', (message) => onMessage(message as FromSupervisor));
      // What goes wrong here shows as its exit.
      if (child.connected) child.send(absolute, () => undefined);
      return { process: child, detach };
    },
    abandon: () => {
      detach();
      // One that mounts has to unmount. Of another nothing is left, and by itself it would still write into folders that
      // are gone by then.
      if (!hasBegun) child.kill('SIGKILL');
    },
  };
}
