import { Worker } from 'node:worker_threads';
import { CancelledError, FsRefusal, NoSpaceError, type PlateFsError } from '../core/errors.ts';
import type { JobAnswer, JobFailure, JobReport, LandingJob } from './landing-job.ts';

/** How long an idle worker is kept. */
const IDLE_MS = 2000;
const NO_SPACE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** A TIFF whose pixels turned out to be undecodable while they were encoded. */
export class UndecodableImage extends Error {}

interface Pending {
  readonly job: LandingJob;
  readonly resolve: (report: JobReport<LandingJob>) => void;
  readonly reject: (error: Error) => void;
  /** Was in a group whose worker ended: goes to a worker without others, so that it can't take them along again. */
  isSuspect: boolean;
}

/** Jobs that cross to a worker, and back, in one message: few large ones, or many small ones. */
type Group = readonly Pending[];
const GROUP_FILES = 16;
const GROUP_BYTES = 4 << 20;
/** Groups that a worker holds, the one it works on included: it need not wait for the deciding thread in between. */
const GROUPS_AHEAD = 2;

interface Member {
  readonly worker: Worker;
  /** In the order in which the worker answers them. */
  readonly pending: Group[];
  idleTimer: NodeJS.Timeout | undefined;
}

/** The error that a failed write of our files is, by the system's code. */
export function landingError(code: string | undefined, message: string): PlateFsError {
  if (code !== undefined && NO_SPACE_CODES.has(code)) {
    return new NoSpaceError(`the output folder can't take more: ${message}`, {
      advice: 'free space there, or name another folder with --output; the bytes stay in the mount',
    });
  }
  if (code === 'EIO') {
    return new FsRefusal('io', `the disk of the output folder refuses: ${message}`, {
      advice: 'see the log of the kernel (dmesg); landing is tried again, the bytes stay in the mount',
    });
  }
  if (code === 'EROFS') return new FsRefusal('read-only', message);
  if (code === 'EACCES' || code === 'EPERM') return new FsRefusal('not-permitted', message);
  return new FsRefusal('io', message);
}

/** Who does the jobs of landings. */
export interface JobRunner {
  /** Jobs at once. */
  readonly size: number;
  /** @throws NoSpaceError, FsRefusal, UndecodableImage; CancelledError after an abort. */
  run<J extends LandingJob>(job: J, signal: AbortSignal): Promise<JobReport<J>>;
  close(): Promise<void>;
}

/** Worker threads that stage files: started when needed, ended when idle; never more than `size` jobs at once. */
export class LandingPool implements JobRunner {
  readonly size: number;
  private readonly members = new Set<Member>();
  private readonly queue: Pending[] = [];
  private isClosed = false;
  private readonly script: URL;

  /** `script` takes groups of jobs as landing-worker.ts does. */
  constructor(size: number, script = new URL('./landing-worker.ts', import.meta.url)) {
    this.size = Math.max(1, size);
    this.script = script;
  }

  /** @throws NoSpaceError, FsRefusal, UndecodableImage, CancelledError. */
  run<J extends LandingJob>(job: J, signal: AbortSignal): Promise<JobReport<J>> {
    if (signal.aborted || this.isClosed) return Promise.reject(new CancelledError('landing was cancelled'));
    return new Promise((resolve, reject) => {
      // A report has the shape its job asks for: landing-worker.ts answers by `job.kind`.
      this.queue.push({ job, resolve: resolve as Pending['resolve'], reject, isSuspect: false });
      // What is asked for in one turn of the event loop makes groups.
      if (this.queue.length === 1) queueMicrotask(() => this.dispatch());
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
        for (const pending of member.pending.splice(0).flat())
          pending.reject(new CancelledError('landing was cancelled'));
        await member.worker.terminate();
      }),
    );
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      const member = this.freest();
      if (!member) return;
      const group = this.nextGroup();
      clearTimeout(member.idleTimer);
      member.pending.push(group);
      member.worker.ref();
      member.worker.postMessage(group.map((pending) => pending.job));
    }
  }

  /** Takes the next jobs off the queue, at least one. */
  private nextGroup(): Group {
    let sizeBytes = 0;
    const length = this.queue.findIndex(({ job, isSuspect }, index) => {
      const before = sizeBytes;
      sizeBytes += 'file' in job ? job.file.sizeBytes : GROUP_BYTES;
      if (index === 0) return false;
      return isSuspect || this.queue[0]?.isSuspect || index >= this.fairShare() || before >= GROUP_BYTES;
    });
    return this.queue.splice(0, length < 0 ? this.queue.length : length);
  }

  /** Jobs per group: towards the end of the queue smaller ones, so that the workers end together. */
  private fairShare(): number {
    return Math.min(GROUP_FILES, Math.ceil(this.queue.length / (GROUPS_AHEAD * this.size)));
  }

  /** An idle worker, else a new one, else the one with the least to do; undefined when all have enough. */
  private freest(): Member | undefined {
    const [least] = [...this.members].toSorted((a, b) => a.pending.length - b.pending.length);
    if (least?.pending.length === 0) return least;
    if (this.members.size < this.size) return this.start();
    return least && least.pending.length < GROUPS_AHEAD ? least : undefined;
  }

  private start(): Member {
    const worker = new Worker(this.script);
    const member: Member = { worker, pending: [], idleTimer: undefined };
    this.members.add(member);
    worker.on('message', (answers: readonly JobAnswer[]) => {
      const group = member.pending.shift() ?? [];
      // The next group goes out before what comes of this one is thought about.
      this.dispatch();
      if (member.pending.length === 0) this.rest(member);
      group.forEach((pending, index) => {
        const answer = answers[index];
        if (answer) settle(pending, answer);
      });
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
    // Only the first group was begun: one of it ended the worker, and when it was alone, it is known which.
    const [begun = [], ...others] = member.pending.splice(0);
    const [only] = begun;
    if (only && begun.length === 1) only.reject(new FsRefusal('io', 'a landing worker ended', { cause }));
    else for (const pending of begun) pending.isSuspect = true;
    this.queue.unshift(...(begun.length > 1 ? begun : []), ...others.flat());
    if (!this.isClosed) this.dispatch();
  }
}

function settle(pending: Pending, answer: JobAnswer): void {
  if ('report' in answer) {
    pending.resolve(answer.report);
    return;
  }
  pending.reject(failedJob(answer.failure));
}

/** The error that a job ended with. */
export function failedJob({ code, message, isUndecodable }: JobFailure): Error {
  return isUndecodable ? new UndecodableImage(message) : landingError(code, message);
}
