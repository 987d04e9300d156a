import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import { RemoteError } from '../control/protocol.ts';
import { CancelledError, FuseUnavailableError } from '../core/errors.ts';

type FromSupervisor =
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'ready' | 'mounted' | 'respawned' | 'done' }
  | { readonly type: 'fatal'; readonly tag: string; readonly message: string; readonly advice?: string };

/** A log that grew past this is set aside as `platefs.log.1` at the next mount. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;

export interface LaunchOptions {
  readonly supervisorEntry: URL;
  readonly daemonEntry: URL;
  readonly spec: DaemonSpec;
  readonly onProgress: (text: string) => void;
  /** Stop the supervisor when this fires before the mount is ready. */
  readonly signal: AbortSignal;
  /** Keep the channel open and stay its parent. */
  readonly attached: boolean;
}

export interface Launched {
  readonly supervisorPid: number;
  /** Resolves with the supervisor's exit status; only where attached. */
  readonly ended: Promise<number>;
  /** Asks it to drain and unmount; only where attached. */
  stop(): void;
}

/** Where supervisor and daemon write what they have to say. */
export function logPath(state: string): string {
  return join(state, 'platefs.log');
}

function openLog(state: string): number {
  const path = logPath(state);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}

/** The one argument of the supervisor; `SupervisorSpec` of the daemon room. */
function supervisorArgument({ spec, daemonEntry }: LaunchOptions): string {
  const { definition } = spec;
  return JSON.stringify({
    mountpoint: definition.mountpoint,
    allowOther: definition.options.allowOther,
    sourceLabel: definition.source,
    daemonEntry: fileURLToPath(daemonEntry),
    daemonSpec: spec,
  });
}

function start(options: LaunchOptions): ChildProcess {
  const { supervisorEntry, spec, attached } = options;
  const log = openLog(spec.definition.state);
  try {
    return spawn(
      process.execPath,
      [...process.execArgv, fileURLToPath(supervisorEntry), supervisorArgument(options)],
      {
        detached: true,
        cwd: '/',
        stdio: ['ignore', attached ? 'inherit' : log, attached ? 'inherit' : log, 'ipc'],
      },
    );
  } finally {
    closeSync(log);
  }
}

/**
 * Starts the process that keeps the mount, and waits until it is usable.
 * @throws whatever the other side reports, with its tag; FuseUnavailableError when it ends without a word;
 *   CancelledError.
 */
export function launchSupervisor(options: LaunchOptions): Promise<Launched> {
  const { spec, signal, onProgress, attached } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new CancelledError('mount was interrupted'));
      return;
    }
    const child = start(options);
    const ended = new Promise<number>((settle) => child.once('exit', (code) => settle(code ?? 1)));
    const log = logPath(spec.definition.state);
    const fail = (error: Error): void => {
      if (child.connected) child.disconnect();
      reject(error);
    };
    signal.addEventListener('abort', () => {
      child.kill('SIGTERM');
      fail(new CancelledError('mount was interrupted'));
    });
    child.once('error', (cause) =>
      fail(new FuseUnavailableError('the supervisor cannot be started', { cause })),
    );
    child.once('exit', (code, name) =>
      fail(
        new FuseUnavailableError(
          `the supervisor ended before the mount was ready (${name ?? `status ${code}`})`,
          {
            advice: attached ? 'see its messages above' : `see  tail ${log}`,
          },
        ),
      ),
    );
    child.on('message', (message: unknown) => {
      const said = message as FromSupervisor;
      if (said.type === 'progress') onProgress(said.text);
      else if (said.type === 'fatal') fail(new RemoteError(said));
      else if (said.type === 'ready') {
        if (!attached) {
          child.disconnect();
          child.unref();
        }
        resolve({ supervisorPid: child.pid ?? 0, ended, stop: () => void child.kill('SIGTERM') });
      }
    });
  });
}
