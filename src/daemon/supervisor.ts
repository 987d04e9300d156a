import { flushCompileCache } from 'node:module';
import { explain } from '../core/errors.ts';
import { unmapSpentCode } from '../memory/spent-memory.ts';
import { logLine } from './log.ts';
import { fatalMessage, Supervision } from './supervision.ts';
import type { FromSupervisor, SupervisorSpec } from './supervisor-messages.ts';

/**
 * Entry of the supervisor process: `node supervisor.ts ['<SupervisorSpec as JSON>']`; without one, its first
 * message over IPC is the specification. It mounts, runs the daemon, and runs it again when it dies. It imports nothing it does not need, because it stays in memory as
 * long as the mount. Whoever started it over IPC hears FromSupervisor messages and may disconnect at any time.
 */
const REST_AFTER_MS = 1000;
let unsent = 0;
let isFinished = false;

/** Ends once the last message has left. */
function exitWhenSent(): void {
  if (isFinished && unsent === 0) process.exit();
}

/** From here on it waits, for days as a rule. */
function rest(): void {
  setTimeout(() => {
    unmapSpentCode().catch((error: unknown) => logLine(`memory was not given back: ${explain(error)}`));
  }, REST_AFTER_MS).unref();
}

function tell(message: FromSupervisor): void {
  if (message.type === 'ready') {
    // Now and not at the end, so that the next supervisor profits while this one lives.
    flushCompileCache();
    rest();
  }
  if (process.connected && process.send !== undefined) {
    unsent++;
    process.send(message, () => {
      unsent--;
      exitWhenSent();
    });
  } else if (message.type === 'fatal')
    logLine(`${message.message}${message.advice === undefined ? '' : ` (${message.advice})`}`);
}

function finish(exitCode: number): void {
  process.exitCode = exitCode;
  isFinished = true;
  exitWhenSent();
}

function begin(spec: SupervisorSpec): void {
  const supervision = new Supervision(spec, tell, finish);
  process.on('SIGTERM', () => supervision.stop());
  process.on('SIGINT', () => supervision.stop());
  // A terminal that closes is no reason to unmount.
  process.on('SIGHUP', () => undefined);
  try {
    supervision.start();
  } catch (error) {
    tell(fatalMessage(error));
    finish(1);
  }
}

const [, , spec] = process.argv;
if (spec !== undefined) begin(JSON.parse(spec) as SupervisorSpec);
else {
  // Whoever started us may find that there is nothing to mount, or end.
  const leave = (): never => process.exit();
  process.once('disconnect', leave);
  process.once('message', (message: SupervisorSpec) => {
    process.off('disconnect', leave);
    begin(message);
  });
}
