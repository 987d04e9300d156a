import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { StateCorruptError } from '../core/errors.ts';
import { syncFolderOf } from '../core/storage.ts';
import { Journal, peekJournal } from '../journal/journal.ts';
import type { OverlayRecord } from '../overlay/records.ts';
import { isStaged, keptNameOf } from './kept-sums.ts';
import { DEFAULT_REVISION_QUOTA_BYTES } from './revision-quota.ts';

/** What a revision was made for. */
export type RevisionReason = 'commit' | 'snapshot' | 'unmount' | 'branch';

/** One state of everything written, kept. */
export interface Revision {
  /** Counts from 1; never given again. */
  readonly number: number;
  /** ISO 8601. */
  readonly at: string;
  readonly reason: RevisionReason;
  readonly message?: string;
  readonly files: number;
  readonly sizeBytes: number;
  /** Says whether two revisions are of the same names and bytes. */
  readonly digest: string;
  /** Files that were being written and are in it as they had last landed, or not at all. */
  readonly leftOut: readonly string[];
  /** Landings it needs. */
  readonly landings: readonly string[];
}

const NUMBER = /^[1-9]\d*$/;
const QUOTA_FILE = 'quota';

/** A file of landed bytes that the output folder has no more is named after its landing. */
const keptName = (landing: string): string => encodeURIComponent(landing);

/**
 * The revisions in a state folder: a folder each, whole or absent, with the records that lead from nothing to it; and
 * what they need of landings that the output folder has no more. One writer: who has the state's lock.
 */
export class RevisionStore {
  readonly folder: string;

  constructor(stateFolder: string) {
    this.folder = join(stateFolder, 'revisions');
  }

  #path(number: number, name: string): string {
    return join(this.folder, String(number), name);
  }

  /** Oldest first. @throws StateCorruptError for one that can't be read. */
  list(): Revision[] {
    if (!existsSync(this.folder)) return [];
    return readdirSync(this.folder)
      .filter((name) => NUMBER.test(name))
      .map(Number)
      .sort((a, b) => a - b)
      .map((number) => this.#read(number));
  }

  #read(number: number): Revision {
    const path = this.#path(number, 'revision.json');
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Revision;
    } catch (cause) {
      throw new StateCorruptError(path, 'says nothing of its revision', { cause });
    }
  }

  has(number: number): boolean {
    return existsSync(this.#path(number, 'revision.json'));
  }

  get(number: number): Revision | undefined {
    return this.has(number) ? this.#read(number) : undefined;
  }

  records(number: number): OverlayRecord[] {
    const records: OverlayRecord[] = [];
    peekJournal(this.#path(number, 'records'), (record) => records.push(record as OverlayRecord));
    return records;
  }

  /** Numbers are never given again: the highest that ever was stays known when its revision is dropped. */
  #nextNumber(): number {
    const path = join(this.folder, 'last');
    const last = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
    return Math.max(last, ...this.list().map(({ number }) => number)) + 1;
  }

  /** Keeps a revision; it is whole, and safe from power loss, or not there. */
  add(revision: Omit<Revision, 'number'>, records: Iterable<OverlayRecord>): Revision {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const number = this.#nextNumber();
    const whole: Revision = { number, ...revision };
    const staged = join(this.folder, `.new-${number}`);
    rmSync(staged, { recursive: true, force: true });
    mkdirSync(staged, { mode: 0o700 });
    const { journal } = Journal.open(join(staged, 'records'), () => {});
    journal.rewrite(records);
    journal.close();
    writeFileSync(join(staged, 'revision.json'), JSON.stringify(whole), { mode: 0o600, flush: true });
    writeFileSync(join(this.folder, 'last'), String(number), { mode: 0o600, flush: true });
    const path = join(this.folder, String(number));
    renameSync(staged, path);
    syncFolderOf(path);
    return whole;
  }

  /** Forgets a revision, and what only it needed. @returns whether there was one. */
  drop(number: number): boolean {
    if (!this.get(number)) return false;
    const aside = join(this.folder, `.dropped-${number}`);
    renameSync(join(this.folder, String(number)), aside);
    rmSync(aside, { recursive: true, force: true });
    this.sweep();
    return true;
  }

  /**
   * Removes what no revision needs: left by a crash, or by a dropped revision.
   * @param isIdle nobody is keeping anything at the moment.
   */
  sweep(isIdle = false): void {
    if (!existsSync(this.folder)) return;
    for (const name of readdirSync(this.folder))
      if (name.startsWith('.')) rmSync(join(this.folder, name), { recursive: true, force: true });
    const needed = new Set([...this.needed()].map(keptName));
    for (const name of this.#keptNames())
      if (!needed.has(keptNameOf(name)) && (isIdle || !isStaged(name)))
        rmSync(join(this.folder, 'kept', name), { force: true });
  }

  /** Landings that some revision needs. */
  needed(): Set<string> {
    return new Set(this.list().flatMap(({ landings }) => landings));
  }

  #keptNames(): string[] {
    const folder = join(this.folder, 'kept');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  /** Where the bytes of a landing are once the output folder has no more of it. */
  keptPath(landing: string): string {
    return join(this.folder, 'kept', keptName(landing));
  }

  /** Bytes on disk that are kept for revisions alone, by landing. */
  keptByLanding(): Map<string, number> {
    const found = new Map<string, number>();
    const landings = new Map([...this.needed()].map((landing) => [keptName(landing), landing]));
    for (const name of this.#keptNames()) {
      const landing = landings.get(keptNameOf(name));
      if (landing === undefined) continue;
      const stat = statSync(join(this.folder, 'kept', name), { throwIfNoEntry: false });
      if (stat) found.set(landing, (found.get(landing) ?? 0) + stat.size);
    }
    return found;
  }

  /** The sum of {@link keptByLanding}. */
  keptBytes(): number {
    return [...this.keptByLanding().values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  }

  /** What may be kept for revisions alone, as the last mount was told. */
  get quotaBytes(): number {
    const path = join(this.folder, QUOTA_FILE);
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : DEFAULT_REVISION_QUOTA_BYTES;
  }

  noteQuota(quotaBytes: number): void {
    if (this.quotaBytes === quotaBytes) return;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, QUOTA_FILE);
    writeFileSync(`${path}.new`, String(quotaBytes), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
