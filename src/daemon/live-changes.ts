import type { WrittenState } from '../changes/written-state.ts';
import { RemoteError } from '../control/protocol.ts';
import type { FrontLink } from './front-link.ts';
import type { DiscardAnswer } from './front-messages.ts';
import type { Landings } from './landings.ts';
import { invalidateNames } from './tree-invalidation.ts';

/** What `platefs diff`, `commit` and `discard` ask of a running mount. */
export class LiveChanges {
  readonly #front: FrontLink;
  readonly #landings: Landings;
  readonly #fuseFd: number;

  constructor(front: FrontLink, landings: Landings, fuseFd: number) {
    this.#front = front;
    this.#landings = landings;
    this.#fuseFd = fuseFd;
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
