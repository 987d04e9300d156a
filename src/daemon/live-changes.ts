import type { Revision } from '../changes/revision-store.ts';
import type { WrittenState } from '../changes/written-state.ts';
import type { LandingProgress, RestoreParams, SnapshotParams } from '../control/documents.ts';
import { RemoteError } from '../control/protocol.ts';
import { FsRefusal } from '../core/errors.ts';
import type { FrontLink } from './front-link.ts';
import type { DiscardAnswer } from './front-messages.ts';
import type { Landings } from './landings.ts';
import type { LiveRevisions } from './live-revisions.ts';
import { invalidateNames } from './tree-invalidation.ts';

/** What `platefs diff`, `commit` and `discard` ask of a running mount. */
export class LiveChanges {
  readonly #front: FrontLink;
  readonly #landings: Landings;
  readonly #fuseFd: number;
  readonly #revisions: LiveRevisions;

  constructor(front: FrontLink, landings: Landings, revisions: LiveRevisions, fuseFd: number) {
    this.#revisions = revisions;
    this.#front = front;
    this.#landings = landings;
    this.#fuseFd = fuseFd;
  }

  /** Keeps everything written as a revision. @throws FsRefusal for a reason that nobody may give. */
  async snapshot(
    { reason, message }: SnapshotParams,
    progress: (value: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<{ readonly revision: Revision | null }> {
    if (reason !== 'commit' && reason !== 'snapshot' && reason !== 'branch')
      throw new FsRefusal('invalid-argument', 'a revision is made for a commit, a snapshot or a branch');
    if (message !== undefined && typeof message !== 'string')
      throw new FsRefusal('invalid-argument', 'a message is a text');
    const isWanted = reason === 'snapshot';
    const revision = await this.#revisions.make(reason, message, isWanted, progress, signal);
    return { revision: revision ?? null };
  }

  /** As {@link LiveRevisions.restore}. */
  async restore(
    paths: readonly string[],
    params: unknown,
    progress: (value: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { revision, force } = params as Partial<RestoreParams>;
    if (typeof revision !== 'number')
      throw new FsRefusal('invalid-argument', 'a revision is named by its number');
    const asked = { revision, paths, force: force === true };
    const result = await this.#revisions.restore(asked, progress, signal);
    await this.#landings.removed;
    return result;
  }

  /** @throws FsRefusal where there is no such revision. */
  async dropRevision(number: unknown): Promise<null> {
    if (typeof number !== 'number')
      throw new FsRefusal('invalid-argument', 'a revision is named by its number');
    await this.#revisions.drop([number]);
    return null;
  }

  async written(): Promise<WrittenState> {
    return (await this.#front.ask('written', {})).state;
  }

  /**
   * Lets go of what was written at and below paths; returns when the kernel knows, and what had landed is gone from
   * the output folder. @throws as `discardPaths`.
   */
  async discard(paths: readonly string[], force: boolean): Promise<Omit<DiscardAnswer, 'changed'>> {
    const { discarded, kept, changed, failure } = await this.#front.ask('discard', { paths, force });
    if (failure) throw new RemoteError(failure);
    invalidateNames(this.#fuseFd, changed);
    await this.#landings.removed;
    return { discarded, kept };
  }
}
