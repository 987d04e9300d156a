import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import { RemoteError } from '../control/protocol.ts';
import { CancelledError, FuseUnavailableError } from '../core/errors.ts';
import { DAEMON_FLAGS } from '../daemon/daemon-flags.ts';
import type { SupervisorSpec } from '../daemon/supervisor-messages.ts';
import type { WaitingSupervisor } from '../daemon/supervisor-process.ts';

const DAEMON_ENTRY = new URL('../daemon/main.ts', import.meta.url);
/** A log that grew past this is set aside as `platefs.log.1` at the next mount. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;

/** How long a supervisor that can't mount may take to end: longer than it gives its daemon. */
const END_TIMEOUT_MS = 10_000;

export interface LaunchOptions {
  readonly spec: DaemonSpec;
  readonly onProgress: (text: string) => void;
  /** Stop the supervisor when this fires before the mount is ready. */
  readonly signal: AbortSignal;
  /** Stay its parent, with its and the daemon's output on our standard error. */
  readonly attached: boolean;
  /** Tells a supervisor that is loading what to mount. */
  readonly start: WaitingSupervisor['begin'];
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

/** Sets a large log aside. */
function rotateLog(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
}

function supervisorSpec({ spec, attached }: LaunchOptions): SupervisorSpec {
  const { definition } = spec;
  return {
    mountpoint: definition.mountpoint,
    allowOther: definition.options.allowOther,
    sourceLabel: definition.source,
    daemonEntry: fileURLToPath(DAEMON_ENTRY),
    daemonArguments: DAEMON_FLAGS,
    daemonSpec: spec,
    ...(attached ? {} : { detachedLog: logPath(definition.state) }),
  };
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
    const log = logPath(spec.definition.state);
    rotateLog(log);
    const supervisor = options.start(supervisorSpec(options), (message) => {
      if (message.type === 'progress') onProgress(message.text);
      else if (message.type === 'fatal') refused(new RemoteError(message));
      else if (message.type === 'ready') {
        if (!attached) supervisor.detach();
        // From here on an interrupt is for the mount's owner, who drains; a second signal would cut that short.
        signal.removeEventListener('abort', onAbort);
        resolve({ supervisorPid: child.pid ?? 0, ended, stop: () => void child.kill('SIGTERM') });
      }
    });
    const child = supervisor.process;
    const ended = new Promise<number>((settle) => child.once('exit', (code) => settle(code ?? 1)));
    const fail = (error: Error): void => {
      supervisor.detach();
      reject(error);
    };
    /** Once it has unmounted and ended, so that the mountpoint is free when the user hears of it. */
    const refused = (error: Error): void => {
      child.off('exit', onExit);
      const end = setTimeout(() => fail(error), END_TIMEOUT_MS);
      void ended.then(() => {
        clearTimeout(end);
        fail(error);
      });
    };
    const onAbort = (): void => {
      child.kill('SIGTERM');
      fail(new CancelledError('mount was interrupted'));
    };
    signal.addEventListener('abort', onAbort);
    const onExit = (code: number | null, name: string | null): void =>
      fail(
        new FuseUnavailableError(
          `the supervisor ended before the mount was ready (${name ?? `status ${code}`})`,
          { advice: attached ? 'see its messages above' : `see  tail ${log}` },
        ),
      );
    child.once('error', (cause) =>
      fail(new FuseUnavailableError('the supervisor cannot be started', { cause })),
    );
    child.once('exit', onExit);
    // It was started before, and may be gone before we listened.
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
    else if (child.pid === undefined) fail(new FuseUnavailableError('the supervisor cannot be started'));
  });
}
