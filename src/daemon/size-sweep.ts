import { setImmediate as breathe } from 'node:timers/promises';
import { explain } from '../core/errors.ts';
import { PlateTree } from '../tree/plate-tree.ts';
import type { SourceTree } from '../tree/sources/source-tree.ts';

/** Files looked at between two turns of the event loop. */
const SLICE = 64;

/**
 * Looks at every file once after mounting, so that the first listing need not: sizes and times of the source
 * files, shapes of the stacks, sizes of the tables. What can't be read is left for whoever asks for it, who then gets the error.
 */
export class SizeSweep {
  readonly #tree: PlateTree | SourceTree;
  /** What could not be looked at, first of its kind only. */
  failures = 0;
  firstFailure: string | undefined;

  constructor(tree: PlateTree | SourceTree) {
    this.#tree = tree;
  }

  /** Looks at files and fields. */
  async look(signal: AbortSignal): Promise<void> {
    const tree = this.#tree;
    const { index, fieldStarts } = tree.shared;
    for (let file = 0; file < index.files.count && !signal.aborted; file++) {
      if (file % SLICE === 0) await breathe();
      if (!this.#tree.files.isKnown(file)) this.#try(() => this.#tree.files.refresh(file));
    }
    if (!(tree instanceof PlateTree)) return;
    for (let field = 0; field + 1 < fieldStarts.length && !signal.aborted; field++) {
      if (field % (SLICE / 8) === 0) await breathe();
      this.#try(() => tree.stacks.learnShapes(field));
    }
  }

  /** Finds out the sizes of the tables. */
  async measure(signal: AbortSignal): Promise<void> {
    if (!(this.#tree instanceof PlateTree)) return;
    for (const _ of this.#tree.tables.measure()) {
      if (signal.aborted) return;
      await breathe();
    }
  }

  #try(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.failures++;
      this.firstFailure ??= explain(error);
    }
  }
}
