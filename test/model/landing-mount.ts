import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { lockExclusively } from '../../src/fuse/syscalls.ts';
import { loadSidecar } from '../../src/materializer/landed-image.ts';
import { LandedReader } from '../../src/materializer/landed-reader.ts';
import { LANDED_PATH, type Landing, STORE_NAME } from '../../src/materializer/landing.ts';
import type { JobReport, LandingJob } from '../../src/materializer/landing-job.ts';
import { failedJob, type JobRunner } from '../../src/materializer/landing-pool.ts';
import { Materializer } from '../../src/materializer/materializer.ts';
import type { LandingOwner } from '../../src/materializer/output-owners.ts';
import { answerJob } from '../../src/materializer/perform-job.ts';
import { ByteCache } from '../../src/memory/byte-cache.ts';
import type { LandingFormat } from '../../src/model/landing-format.ts';
import { ngffProblems } from '../interop/landing/ngff-problems.ts';
import { sealedBytes } from '../interop/landing/small-tiff.ts';

const never = new AbortController().signal;

/** Does jobs in this thread, where a test can let its disk fail: one at a time, for they share its buffers. */
export class JobsHere implements JobRunner {
  readonly size = 1;
  static #turn: Promise<unknown> = Promise.resolve();

  run<J extends LandingJob>(job: J): Promise<JobReport<J>> {
    const work = async (): Promise<JobReport<J>> => {
      const answer = await answerJob(job);
      if ('failure' in answer) throw failedJob(answer.failure);
      return answer.report as JobReport<J>;
    };
    const result = JobsHere.#turn.then(work);
    JobsHere.#turn = result.catch(() => undefined);
    return result;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface File {
  readonly inode: number;
  readonly bytes: Buffer;
  /** Where it lies; its bytes are in memory without. */
  landing?: Landing;
  /** Where its last version lies. */
  previous?: Landing;
}

/**
 * Stands for a mount whose output folder may refuse anything: memory is given up for what is said to have landed and
 * for nothing else, what failed is tried again when asked.
 */
export class LandingMount {
  readonly files = new Map<string, File>();
  readonly output: string;
  readonly #input: string;
  readonly #owner: LandingOwner | undefined;
  readonly #given: { readonly landing: Landing; readonly successor?: Landing }[] = [];
  #room: Materializer | undefined;
  #lastInode = 0;
  #versions = 0;

  /** @param shared - An output folder that is not only this mount's, and who this one is. */
  constructor(folder: string, shared?: { readonly output: string; readonly owner: LandingOwner }) {
    this.output = shared?.output ?? join(folder, 'out');
    this.#owner = shared?.owner;
    this.#input = join(folder, 'in');
    mkdirSync(this.#input);
  }

  /** As a daemon that begins. Where the folder can't be opened yet, nothing lands. */
  async open(format: LandingFormat): Promise<void> {
    this.#room = undefined;
    const isLive = (inode: number): boolean => [...this.files.values()].some((file) => file.inode === inode);
    const options = { outputDir: this.output, workers: 1, jobs: new JobsHere(), format, isLive };
    const sharing = this.#owner && { owner: this.#owner, takeLock: lockExclusively };
    this.#room = await Materializer.open({ ...options, ...(sharing ? { sharing } : {}) }, never).catch(
      () => undefined,
    );
  }

  async close(): Promise<void> {
    await this.#room?.close();
  }

  async write(contents: ReadonlyMap<string, Buffer>): Promise<void> {
    for (const [path, bytes] of contents) {
      const before = this.files.get(path);
      const previous = before?.landing ?? before?.previous;
      const inode = before?.inode ?? ++this.#lastInode;
      this.files.set(path, { inode, bytes, ...(previous ? { previous } : {}) });
    }
    await this.land();
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.files.get(from);
    // A name that becomes itself is no change.
    if (!file || from === to) return;
    this.#forget(to);
    this.files.delete(from);
    this.files.set(to, file);
    await this.land();
  }

  async delete(...paths: string[]): Promise<void> {
    for (const path of paths) this.#forget(path);
    await this.land();
  }

  #forget(path: string): void {
    const file = this.files.get(path);
    const landing = file?.landing ?? file?.previous;
    this.files.delete(path);
    if (landing) this.#given.push({ landing });
  }

  /** Lands what is in memory, and what lies under a name it no longer has; removes what is of no use. */
  async land(): Promise<void> {
    const room = this.#room;
    if (!room) return;
    await this.#remove(room);
    const waiting = [...this.files].filter(([, { landing }]) => landing === undefined);
    const sealed = waiting.map(([path, { bytes, inode }]) =>
      sealedBytes(join(this.#input, String(++this.#versions)), bytes, path, inode),
    );
    const results = await room.land(sealed, never);
    expect(results).toHaveLength(waiting.length);
    for (const result of results) {
      const file = [...this.files.values()].find(({ inode }) => inode === result.inode);
      if (file && 'landing' in result) this.#note(file, result.landing, file.previous);
    }
    for (const [path, file] of this.files) {
      if (!file.landing || file.landing.mountPath === path) continue;
      const landing = await room.relocate(file.landing, path, never).catch(() => undefined);
      if (landing) this.#note(file, landing, file.landing);
    }
    await this.#remove(room);
  }

  #note(file: File, landing: Landing, before: Landing | undefined): void {
    file.landing = landing;
    delete file.previous;
    if (before) this.#given.push({ landing: before, successor: landing });
  }

  async #remove(room: Materializer): Promise<void> {
    const removals = this.#given.splice(0);
    await Promise.all(
      removals.map((removal) =>
        room.remove(removal.landing, removal.successor).catch(() => this.#given.push(removal)),
      ),
    );
  }

  /** Landings of no file: garbage, which a file leaves that landed unheard and got another name before it did again. */
  get leftovers(): string[] {
    const known = new Set([...this.files.values()].map(({ landing }) => landing?.id));
    return this.#recordedIds().filter((id) => !known.has(id));
  }

  /** What does not lie in the output folder where its name puts it, or is still to be removed there. */
  get unsettled(): string[] {
    const recorded = new Set(this.#recordedIds());
    const aside = [...this.files].flatMap(([path, { landing }]) => {
      const isThere = landing !== undefined && recorded.has(landing.id);
      if (!isThere) return [`${path} is not there`];
      if (landing.mountPath !== path) return [`${path} lies as ${landing.mountPath}`];
      return landing.note === undefined ? [] : [`${path}: ${landing.note}`];
    });
    const given = this.#given.map(({ landing }) => `${landing.mountPath} is still to be removed`);
    return [...aside, ...given];
  }

  #recordedIds(): string[] {
    const folder = join(this.output, LANDED_PATH);
    const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
    return names.flatMap((name): string[] => {
      const path = join(folder, name);
      if (name.endsWith('.json')) return [JSON.parse(readFileSync(path, 'utf8')).id];
      return name.endsWith('.landed') && statSync(path).isFile() ? [loadSidecar(path).sidecar.id] : [];
    });
  }

  /** The store is valid, and what has landed reads as it was written. */
  check(): void {
    expect(ngffProblems(join(this.output, STORE_NAME))).toEqual([]);
    const reader = new LandedReader(this.output, new ByteCache(0));
    for (const [path, { bytes, landing }] of this.files) {
      if (!landing) continue;
      const back = Buffer.alloc(bytes.length);
      expect([path, reader.readSync(landing, 0, back.length, back)]).toEqual([path, bytes.length]);
      expect([path, back.equals(bytes)]).toEqual([path, true]);
    }
  }
}
