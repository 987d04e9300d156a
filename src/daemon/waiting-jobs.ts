/** How long a job may wait for what it needs, whatever comes between. */
const MOST_WAIT_MS = 10_000;

/**
 * What a thread is asked to do, in order, where some of it can only be done once something is loaded. The thread goes
 * on meanwhile, but takes up nothing else.
 */
export class WaitingJobs<Job extends object> {
  readonly #run: (job: Job) => void;
  readonly #mostWaitMs: number;
  /** Those that came since; undefined while nothing is waited for. */
  #behind: Job[] | undefined;
  /** When jobs began to wait that wait now or have just waited. */
  readonly #sinceMs = new WeakMap<Job, number>();

  /** @param run does a job; what it can't do yet it gives to {@link hold}. */
  constructor(run: (job: Job) => void, mostWaitMs = MOST_WAIT_MS) {
    this.#run = run;
    this.#mostWaitMs = mostWaitMs;
  }

  hear(job: Job): void {
    if (this.#behind) this.#behind.push(job);
    else this.#run(job);
  }

  /** Whether a job may wait (once more). */
  mayWait(job: Job): boolean {
    const sinceMs = this.#sinceMs.get(job);
    return sinceMs === undefined || performance.now() - sinceMs < this.#mostWaitMs;
  }

  /**
   * Does the job again when `ready` is settled, and what comes meanwhile after it. When `ready` is rejected the job may
   * not wait once more.
   */
  hold(job: Job, ready: Promise<void>): void {
    const nowMs = performance.now();
    if (!this.#sinceMs.has(job)) this.#sinceMs.set(job, nowMs);
    this.#behind = [job];
    void this.#goOnAfter(job, ready);
  }

  async #goOnAfter(job: Job, ready: Promise<void>): Promise<void> {
    try {
      await ready;
    } catch {
      // The job finds out itself why it can't be done.
      this.#sinceMs.set(job, Number.NEGATIVE_INFINITY);
    }
    const all = this.#behind ?? [];
    this.#behind = undefined;
    for (const one of all) this.hear(one);
  }
}
