import { Worker } from 'node:worker_threads';
import { CancelledError, FsRefusal, NoSpaceError, type PlateFsError } from '../core/errors.ts';
import type { JobFailure, JobReport, LandingJob } from './landing-job.ts';

/** How long an idle worker is kept. */
const IDLE_MS = 2000;
const NO_SPACE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EIO']);

/** A TIFF whose pixels turned out to be undecodable while they were encoded. */
export class UndecodableImage extends Error {}

interface Pending {
  readonly job: LandingJob;
  readonly resolve: (report: JobReport<LandingJob>) => void;
  readonly reject: (error: Error) => void;
}

/** Jobs that a worker holds, the one it works on included: it need not wait for the deciding thread in between. */
const JOBS_AHEAD = 4;

interface Member {
  readonly worker: Worker;
  /** In the order in which the worker answers them. */
  readonly pending: Pending[];
  idleTimer: NodeJS.Timeout | undefined;
}

/** The error that a failed write of our files is, by the system's code. */
export function landingError(code: string | undefined, message: string): PlateFsError {
  if (code !== undefined && NO_SPACE_CODES.has(code)) {
    return new NoSpaceError(`the output folder can't take more: ${message}`, {
      advice: 'free space there, or name another folder with --output; the bytes stay in the mount',
    });
  }
  if (code === 'EROFS') return new FsRefusal('read-only', message);
  if (code === 'EACCES' || code === 'EPERM') return new FsRefusal('not-permitted', message);
  return new FsRefusal('io', message);
}

/** Worker threads that stage files: started when needed, ended when idle; never more than `size` jobs at once. */
export class LandingPool {
  private readonly size: number;
  private readonly members = new Set<Member>();
  private readonly queue: Pending[] = [];
  private isClosed = false;

  constructor(size: number) {
    this.size = Math.max(1, size);
  }

  /** @throws NoSpaceError, FsRefusal, UndecodableImage, CancelledError. */
  run<J extends LandingJob>(job: J, signal: AbortSignal): Promise<JobReport<J>> {
    if (signal.aborted || this.isClosed) return Promise.reject(new CancelledError('landing was cancelled'));
    return new Promise((resolve, reject) => {
      // A report has the shape its job asks for: landing-worker.ts answers by `job.kind`.
      this.queue.push({ job, resolve: resolve as Pending['resolve'], reject });
      this.dispatch();
    });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const pending of this.queue.splice(0)) pending.reject(new CancelledError('landing was cancelled'));
    const members = [...this.members];
    this.members.clear();
    await Promise.all(
      members.map(async (member) => {
        clearTimeout(member.idleTimer);
        for (const pending of member.pending.splice(0))
          pending.reject(new CancelledError('landing was cancelled'));
        await member.worker.terminate();
      }),
    );
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      const member = this.freest();
      const pending = member && this.queue.shift();
      if (!member || !pending) return;
      clearTimeout(member.idleTimer);
      member.pending.push(pending);
      member.worker.ref();
      member.worker.postMessage(pending.job);
    }
  }

  /** An idle worker, else a new one, else the one with the least to do; undefined when all have enough. */
  private freest(): Member | undefined {
    const [least] = [...this.members].toSorted((a, b) => a.pending.length - b.pending.length);
    if (least?.pending.length === 0) return least;
    if (this.members.size < this.size) return this.start();
    return least && least.pending.length < JOBS_AHEAD ? least : undefined;
  }

  private start(): Member {
    const worker = new Worker(new URL('./landing-worker.ts', import.meta.url));
    const member: Member = { worker, pending: [], idleTimer: undefined };
    this.members.add(member);
    worker.on('message', (answer: { report: JobReport<LandingJob> } | { failure: JobFailure }) => {
      const pending = member.pending.shift();
      if (member.pending.length === 0) this.rest(member);
      if ('report' in answer) pending?.resolve(answer.report);
      else {
        const { code, message, isUndecodable } = answer.failure;
        pending?.reject(isUndecodable ? new UndecodableImage(message) : landingError(code, message));
      }
      this.dispatch();
    });
    worker.on('error', (error) => this.lose(member, error));
    worker.on('exit', (exitCode) => this.lose(member, new Error(`landing worker ended with ${exitCode}`)));
    return member;
  }

  private rest(member: Member): void {
    member.worker.unref();
    member.idleTimer = setTimeout(() => {
      this.members.delete(member);
      void member.worker.terminate();
    }, IDLE_MS);
    member.idleTimer.unref();
  }

  private lose(member: Member, cause: unknown): void {
    clearTimeout(member.idleTimer);
    this.members.delete(member);
    // Only the first was begun; the others go to another worker.
    const [begun, ...others] = member.pending.splice(0);
    begun?.reject(new FsRefusal('io', 'a landing worker ended', { cause }));
    this.queue.unshift(...others);
    if (!this.isClosed) this.dispatch();
  }
}
