/**
 * `waiting` → `running` → `done`, `failed` or back to `waiting` for another attempt; `cancelled` from either of
 * the first two. The last three are final.
 */
export type HookJobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

/** A rule on a file; a snapshot that does not change. */
export interface HookJob {
  readonly id: number;
  readonly rule: string;
  readonly mountPath: string;
  readonly state: HookJobState;
  /** How many times it was started. */
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly message?: string;
  /** Paths below the mount that it wrote, once done. */
  readonly outputs?: readonly string[];
  /** A waiting job does not start before this time (ms since the epoch). */
  readonly notBeforeMs: number;
}

export interface LedgerOptions {
  readonly maxAttempts: number;
  /** Pause before the second attempt; it doubles with every further one. */
  readonly retryDelayMs: number;
  /** Final jobs that are remembered for whoever asks. */
  readonly keepFinished: number;
}

const keyOf = (rule: string, mountPath: string): string => `${rule}\0${mountPath}`;

/** Books of a queue of hook jobs: who waits, runs, has ended. No clock, no I/O. */
export class QueueLedger {
  readonly #options: LedgerOptions;
  readonly #waiting = new Map<number, HookJob>();
  readonly #running = new Map<number, HookJob>();
  readonly #finished: HookJob[] = [];
  /** Job of each rule and path that waits or runs. */
  readonly #active = new Map<string, number>();
  readonly #rulesByPath = new Map<string, Set<string>>();
  #nextId = 1;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Running, then waiting, then the latest that ended. */
  jobs(): readonly HookJob[] {
    return [...this.#running.values(), ...this.#waiting.values(), ...this.#finished];
  }

  /** A new job; one of the same rule and file that had not ended is cancelled by it. */
  enqueue(rule: string, mountPath: string): { readonly job: HookJob; readonly cancelled?: HookJob } {
    const previous = this.#active.get(keyOf(rule, mountPath));
    const cancelled = previous === undefined ? undefined : this.cancel(previous);
    const job: HookJob = {
      id: this.#nextId++,
      rule,
      mountPath,
      state: 'waiting',
      attempts: 0,
      notBeforeMs: 0,
    };
    this.#waiting.set(job.id, job);
    this.#active.set(keyOf(rule, mountPath), job.id);
    const rules = this.#rulesByPath.get(mountPath) ?? new Set();
    this.#rulesByPath.set(mountPath, rules.add(rule));
    return cancelled === undefined ? { job } : { job, cancelled };
  }

  /** The waiting job to start next, or when the first of them may start, or neither. */
  next(nowMs: number): { readonly job?: HookJob; readonly atMs?: number } {
    let atMs: number | undefined;
    for (const job of this.#waiting.values()) {
      if (job.notBeforeMs <= nowMs) return { job };
      atMs = Math.min(atMs ?? job.notBeforeMs, job.notBeforeMs);
    }
    return atMs === undefined ? {} : { atMs };
  }

  start(id: number): HookJob | undefined {
    const job = this.#waiting.get(id);
    if (job === undefined) return undefined;
    this.#waiting.delete(id);
    const started: HookJob = { ...job, state: 'running', attempts: job.attempts + 1 };
    this.#running.set(id, started);
    return started;
  }

  succeed(id: number, outputs: readonly string[]): HookJob | undefined {
    const job = this.#running.get(id);
    if (job === undefined) return undefined;
    const { message: _earlier, ...rest } = job;
    return this.#finish({ ...rest, state: 'done', outputs });
  }

  /** Waits for another attempt if that may help and any is left, else has failed. */
  fail(id: number, message: string, mayRetry: boolean, nowMs: number): HookJob | undefined {
    const job = this.#running.get(id);
    if (job === undefined) return undefined;
    const { maxAttempts, retryDelayMs } = this.#options;
    if (!mayRetry || job.attempts >= maxAttempts) return this.#finish({ ...job, state: 'failed', message });
    this.#running.delete(id);
    const notBeforeMs = nowMs + retryDelayMs * 2 ** (job.attempts - 1);
    const waiting: HookJob = { ...job, state: 'waiting', message, notBeforeMs };
    this.#waiting.set(id, waiting);
    return waiting;
  }

  cancel(id: number): HookJob | undefined {
    const job = this.#waiting.get(id) ?? this.#running.get(id);
    return job === undefined ? undefined : this.#finish({ ...job, state: 'cancelled' });
  }

  /** Cancels whatever waits or runs on a file. */
  cancelPath(mountPath: string): readonly HookJob[] {
    return [...(this.#rulesByPath.get(mountPath) ?? [])].flatMap((rule) => {
      const id = this.#active.get(keyOf(rule, mountPath));
      const cancelled = id === undefined ? undefined : this.cancel(id);
      return cancelled === undefined ? [] : [cancelled];
    });
  }

  #finish(job: HookJob): HookJob {
    const { id, rule, mountPath } = job;
    this.#waiting.delete(id);
    this.#running.delete(id);
    this.#active.delete(keyOf(rule, mountPath));
    const rules = this.#rulesByPath.get(mountPath);
    rules?.delete(rule);
    if (rules?.size === 0) this.#rulesByPath.delete(mountPath);
    this.#finished.push(job);
    if (this.#finished.length > this.#options.keepFinished) this.#finished.shift();
    return job;
  }
}
