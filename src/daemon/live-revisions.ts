import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type BranchPlace, BranchStore, branchNumberOf } from '../changes/branch-store.ts';
import { frozenState } from '../changes/frozen-records.ts';
import { KeptLandings } from '../changes/kept-landings.ts';
import { type Revision, type RevisionReason, RevisionStore } from '../changes/revision-store.ts';
import { VERSIONS_NODE, VersionNodes } from '../changes/version-nodes.ts';
import type { LandingProgress, RestoreParams } from '../control/documents.ts';
import { RemoteError } from '../control/protocol.ts';
import { CancelledError, FsRefusal } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import type { Landing } from '../materializer/landing.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import { dropRevisions } from './drop-revision.ts';
import { kernelFileCalls } from './file-calls.ts';
import { restoringPath } from './front-changes.ts';
import type { FrontLink } from './front-link.ts';
import type { RestoreAnswer } from './front-messages.ts';
import { QuotaKeeper } from './quota-keeper.ts';
import { invalidateNames } from './tree-invalidation.ts';

/** Revisions that unmounting made: as many are kept. Those that somebody asked for are kept until they are dropped. */
const KEPT_UNMOUNTS = 10;

export interface LiveRevisionsParts {
  readonly stateFolder: string;
  readonly outputFolder: string;
  /** What may be kept for revisions alone. */
  readonly quotaBytes: number;
  readonly log: (message: string) => void;
  readonly warn: (message: string) => void;
  readonly front: FrontLink;
  readonly fuseFd: number;
  /** Numbers of the mount's parts. */
  readonly parts: readonly number[];
  /** The present tree. */
  readonly lower: () => LowerTree;
  /** Lands everything that is closed. */
  readonly landAll: (progress: (value: LandingProgress) => void, signal: AbortSignal) => Promise<unknown>;
  /** Runs work while nothing lands. */
  readonly whileNothingLands: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Makes and drops revisions of a running mount, and keeps what they need. A revision is names and landings: its bytes
 * lie where they landed until something takes that place, and are kept just before.
 */
export class LiveRevisions {
  readonly #parts: LiveRevisionsParts;
  readonly #store: RevisionStore;
  readonly #nodes: VersionNodes;
  readonly #kept: KeptLandings;
  readonly #quota: QuotaKeeper;
  #needed: Set<string>;
  /** A revision is being made of what is there now: anything may be needed. */
  #isMaking = false;

  constructor(parts: LiveRevisionsParts) {
    this.#parts = parts;
    const { stateFolder, outputFolder, quotaBytes } = parts;
    this.#store = new RevisionStore(stateFolder);
    this.#nodes = new VersionNodes(stateFolder);
    this.#kept = new KeptLandings({ state: stateFolder, output: outputFolder }, new ByteCache(0), {
      calls: kernelFileCalls,
    });
    this.#needed = this.#store.needed();
    this.#store.noteQuota(quotaBytes);
    this.#quota = new QuotaKeeper({
      store: this.#store,
      place: this.#place,
      quotaBytes,
      drop: (numbers) => this.drop(numbers),
      log: parts.log,
      warn: parts.warn,
    });
  }

  /**
   * Numbers what there is, before anybody looks at it.
   * @param parts numbers of the mount's parts.
   * @param isNew the kernel knows nothing of this mount yet.
   */
  static prepare(stateFolder: string, parts: readonly number[], isNew: boolean): void {
    const store = new RevisionStore(stateFolder);
    if (isNew) store.sweep(true);
    const numbers = store.list().map(({ number }) => number);
    if (numbers.length > 0) new VersionNodes(stateFolder).assign(numbers, parts, isNew);
  }

  /** Whether the bytes of a landing must not be lost. */
  needs(landing: Landing): boolean {
    // What another branch landed is kept by that one.
    if (landing.owner !== undefined) return false;
    return this.#isMaking || this.#needed.has(landing.id);
  }

  /** Keeps a landing's bytes, before its place in the output folder is given up. @throws when they can't be kept. */
  async keep(landing: Landing): Promise<void> {
    if (!this.needs(landing)) return;
    if (await this.#kept.keep(landing)) this.#quota.grew(landing.sizeBytes);
    passFaultPoint('revision.kept');
  }

  /**
   * Lands everything that is closed, and keeps what is there then as a revision.
   * @param isWanted without it, nothing is kept where nothing has changed since the last revision.
   * @returns undefined where there is nothing new.
   * @throws NoSpaceError, or what landing throws.
   */
  async make(
    reason: RevisionReason,
    message: string | undefined,
    isWanted: boolean,
    progress: (value: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<Revision | undefined> {
    const { front, lower, landAll, whileNothingLands } = this.#parts;
    await landAll(progress, signal);
    return await whileNothingLands(async () => {
      this.#isMaking = true;
      try {
        const { state } = await front.ask('written', {});
        const { records, ...facts } = frozenState(state, lower());
        const last = this.#store.list().at(-1);
        if (
          !isWanted &&
          facts.digest === (last?.digest ?? frozenState({ records: [], files: [] }, lower()).digest)
        )
          return undefined;
        passFaultPoint('revision.before-note');
        const at = new Date().toISOString();
        const told = message === undefined ? {} : { message };
        const revision = this.#store.add({ at, reason, ...told, ...facts }, records);
        this.#changed([revision.number]);
        if (reason === 'unmount') await this.#dropOldUnmounts();
        await this.#quota.hold();
        return revision;
      } finally {
        this.#isMaking = false;
      }
    });
  }

  /**
   * Brings paths back as they were in a revision; what is there before is kept as a revision of its own.
   * @throws FsRefusal where there is no such revision; NoSpaceError; what reading its bytes throws.
   */
  async restore(
    asked: RestoreParams,
    progress: (value: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<Omit<RestoreAnswer, 'changed' | 'needed'> & { readonly before: number | null }> {
    const { front, stateFolder, fuseFd } = this.#parts;
    const { revision, paths, force } = asked;
    if (!this.#store.has(revision))
      throw new FsRefusal('no-such-entry', `there is no revision ${revision}`, {
        advice: "see 'platefs history'",
      });
    const before = await this.make('snapshot', `before restoring ${revision}`, false, progress, signal);
    const staged: number[] = [];
    try {
      for (;;) {
        const answer = await front.ask('restore', { revision, paths, force, staged });
        if (answer.failure) throw new RemoteError(answer.failure);
        const { gone, come, kept, changed, needed } = answer;
        if (needed.length === 0) {
          invalidateNames(fuseFd, changed);
          return { gone, come, kept, before: before?.number ?? null };
        }
        for (const [i, { inode, record, mtimeNs }] of needed.entries()) {
          const path = restoringPath(stateFolder, revision, inode);
          await this.#kept.copy(record as unknown as Landing, path, BigInt(mtimeNs));
          staged.push(inode);
          progress({ filesDone: i + 1, filesTotal: needed.length, leftBytes: 0 });
          if (signal.aborted) throw new CancelledError('nothing was restored');
        }
      }
    } finally {
      rmSync(join(stateFolder, 'restoring'), { recursive: true, force: true });
    }
  }

  async #dropOldUnmounts(): Promise<void> {
    const { stateFolder } = this.#parts;
    const pinned = BranchStore.of(this.#place).pinned(branchNumberOf(stateFolder));
    const old = this.#store
      .list()
      .filter(({ reason, number }) => reason === 'unmount' && !pinned.has(number))
      .slice(0, -KEPT_UNMOUNTS);
    if (old.length > 0) await this.drop(old.map(({ number }) => number));
  }

  /** As {@link dropRevisions}. */
  async drop(numbers: readonly number[]): Promise<void> {
    await dropRevisions(this.#place, numbers);
    this.#changed(numbers);
  }

  get #place(): BranchPlace {
    return { state: this.#parts.stateFolder, output: this.#parts.outputFolder };
  }

  #changed(numbers: readonly number[]): void {
    this.#needed = this.#store.needed();
    const numbered = this.#store.list().map(({ number }) => number);
    this.#nodes.assign(numbered, this.#parts.parts, false);
    this.#parts.front.tell({ type: 'revisions' });
    const names = numbers.map((number) => ({ parent: VERSIONS_NODE, name: String(number) }));
    invalidateNames(this.#parts.fuseFd, names);
  }
}
