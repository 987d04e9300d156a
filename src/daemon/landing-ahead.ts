import type { Materializer } from '../materializer/materializer.ts';
import { isTiffName } from '../materializer/placement.ts';
import type { FrontLink } from './front-link.ts';

export interface LandingAheadParts {
  readonly front: FrontLink;
  /** Opened when the first file grows large. */
  readonly materializer: () => Promise<Materializer>;
  /** Aborts when the daemon ends. */
  readonly signal: AbortSignal;
}

/**
 * Large TIFFs that programs are writing: their finished pages are staged for the output folder while they grow. One
 * step at a time for each file; what grows meanwhile is for the next.
 */
export class LandingAhead {
  readonly #parts: LandingAheadParts;
  /** Files with a step under way, and whether they have grown since it began. */
  readonly #busy = new Map<number, { hasGrown: boolean }>();
  #opened: Materializer | undefined;

  constructor(parts: LandingAheadParts) {
    this.#parts = parts;
  }

  /** A large file has grown. */
  grown(inode: number): void {
    const busy = this.#busy.get(inode);
    if (busy) {
      busy.hasGrown = true;
      return;
    }
    const state = { hasGrown: true };
    this.#busy.set(inode, state);
    // The daemon ends, or the output folder can't be opened: then landing says so.
    this.#follow(inode, state)
      .catch(() => undefined)
      .finally(() => this.#busy.delete(inode));
  }

  async #follow(inode: number, state: { hasGrown: boolean }): Promise<void> {
    while (state.hasGrown && !this.#parts.signal.aborted) {
      state.hasGrown = false;
      const { file } = await this.#parts.front.ask('growing-file', { inode });
      if (!file || !isTiffName(file.mountPath)) return;
      this.#opened ??= await this.#parts.materializer();
      await this.#opened.stageAhead(file, this.#parts.signal);
    }
  }

  /** The bytes of a file are gone. */
  gone(inode: number): void {
    this.#opened?.forgetAhead(inode);
  }
}
