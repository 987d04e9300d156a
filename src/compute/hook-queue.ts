import { EventEmitter } from 'node:events';
import {
  BadParameterError,
  BadRuleError,
  BadTiffError,
  DeviceFailedError,
  explain,
  HookFailedError,
  PlateFsError,
} from '../core/errors.ts';
import { type HookJob, type LedgerOptions, QueueLedger } from './queue-ledger.ts';

/** Does a job's work and publishes its outputs; gives their paths below the mount. */
export type HookWork = (job: HookJob, signal: AbortSignal) => Promise<readonly string[]>;

/** A clock that was set back must not make one wait longer than a timer can. */
const LONGEST_SLEEP_MS = 60_000;

export interface HookQueueOptions extends Partial<LedgerOptions> {
  readonly work: HookWork;
  /** Jobs that run at once. */
  readonly concurrency: number;
}

const DEFAULTS: LedgerOptions = { maxAttempts: 3, retryDelayMs: 1000, keepFinished: 1000 };

/**
 * Whether another attempt may end otherwise: the device or the system failed, not the file or the rule.
 * Everything that says the file itself is wrong does not change by waiting.
 */
export function mayRetry(error: unknown): boolean {
  if (error instanceof DeviceFailedError) return true;
  if (error instanceof BadParameterError || error instanceof BadRuleError || error instanceof BadTiffError) {
    return false;
  }
  if (error instanceof HookFailedError) return error.cause !== undefined && mayRetry(error.cause);
  if (error instanceof PlateFsError) return error.cause !== undefined && mayRetry(error.cause);
  return error instanceof Error && 'errno' in error;
}

/**
 * A queue of hook jobs. A job that fails is noted and the next one starts; one whose file is written again is
 * cancelled. Every change of a job is a `change` event with a snapshot of it.
 */
export class HookQueue extends EventEmitter<{ change: [HookJob] }> implements AsyncDisposable {
  readonly #options: HookQueueOptions;
  readonly #ledger: QueueLedger;
  readonly #running = new Map<number, { readonly stop: AbortController; readonly ended: Promise<void> }>();
  readonly #idle: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: HookQueueOptions) {
    super();
    this.#options = options;
    this.#ledger = new QueueLedger({ ...DEFAULTS, ...options });
  }

  /** Running, then waiting, then the latest that ended. */
  jobs(): readonly HookJob[] {
    return this.#ledger.jobs();
  }

  get waitingCount(): number {
    return this.#ledger.waitingCount;
  }

  get runningCount(): number {
    return this.#ledger.runningCount;
  }

  /** Asks for a rule on a file that was just closed; the same rule's earlier job on it is cancelled. */
  enqueue(rule: string, mountPath: string): HookJob {
    const { job, cancelled } = this.#ledger.enqueue(rule, mountPath);
    if (cancelled !== undefined) this.#cancelled(cancelled);
    this.emit('change', job);
    this.#pump();
    return job;
  }

  /** To be called when a file is opened for writing, renamed or deleted. */
  cancel(mountPath: string): void {
    for (const job of this.#ledger.cancelPath(mountPath)) this.#cancelled(job);
    this.#pump();
  }

  /** Resolves once nothing waits or runs. */
  idle(): Promise<void> {
    return this.#isIdle() ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Cancels everything and waits until nothing runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { state, mountPath } of this.jobs()) {
      if (state === 'waiting' || state === 'running') this.cancel(mountPath);
    }
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  #isIdle(): boolean {
    return this.#ledger.waitingCount === 0 && this.#running.size === 0;
  }

  #cancelled(job: HookJob): void {
    this.#running.get(job.id)?.stop.abort();
    this.emit('change', job);
  }

  #pump(): void {
    clearTimeout(this.#timer);
    while (!this.#closed && this.#running.size < this.#options.concurrency) {
      const { job, atMs } = this.#ledger.next(Date.now());
      if (job === undefined) {
        if (atMs !== undefined)
          this.#timer = setTimeout(
            () => this.#pump(),
            Math.min(LONGEST_SLEEP_MS, Math.max(0, atMs - Date.now())),
          );
        break;
      }
      const started = this.#ledger.start(job.id);
      if (started !== undefined) this.#start(started);
    }
    if (this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #start(job: HookJob): void {
    const stop = new AbortController();
    const ended = this.#work(job, stop.signal).then((after) => {
      this.#running.delete(job.id);
      if (after !== undefined) this.emit('change', after);
      this.#pump();
    });
    this.#running.set(job.id, { stop, ended });
    this.emit('change', job);
  }

  async #work(job: HookJob, signal: AbortSignal): Promise<HookJob | undefined> {
    try {
      return this.#ledger.succeed(job.id, await this.#options.work(job, signal));
    } catch (error) {
      return this.#ledger.fail(job.id, explain(error), mayRetry(error), Date.now());
    }
  }
}
