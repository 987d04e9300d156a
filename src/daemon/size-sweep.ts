import { setImmediate as breathe } from 'node:timers/promises';
import { explain } from '../core/errors.ts';
import { giveBackSpentMemory } from '../memory/spent-memory.ts';
import type { PlateTree } from '../tree/plate-tree.ts';

/** Files looked at between two turns of the event loop. */
const SLICE = 64;

/**
 * Looks at every file once after mounting, so that the first listing need not: sizes and times of the source
 * files, shapes of the stacks, sizes of the tables. What can't be read is left for whoever asks for it, who then gets the error.
 */
class SizeSweep {
  readonly #tree: PlateTree;
  /** What could not be looked at, first of its kind only. */
  failures = 0;
  firstFailure: string | undefined;

  constructor(tree: PlateTree) {
    this.#tree = tree;
  }

  /** Looks at files and fields. */
  async look(signal: AbortSignal): Promise<void> {
    const { index, fieldStarts } = this.#tree.shared;
    for (let file = 0; file < index.files.count && !signal.aborted; file++) {
      if (file % SLICE === 0) await breathe();
      if (!this.#tree.files.isKnown(file)) this.#try(() => this.#tree.files.refresh(file));
    }
    for (let field = 0; field + 1 < fieldStarts.length && !signal.aborted; field++) {
      if (field % (SLICE / 8) === 0) await breathe();
      this.#try(() => this.#tree.stacks.learnShapes(field));
    }
  }

  /** Finds out the sizes of the tables. */
  async measure(signal: AbortSignal): Promise<void> {
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

/** Sweeps a mount's trees, one at a time. */
export class Sweeps {
  #sweeping = new AbortController();
  readonly #stop: AbortSignal;
  readonly #log: (message: string) => void;

  constructor(stop: AbortSignal, log: (message: string) => void) {
    this.#stop = stop;
    this.#log = log;
  }

  /** Looks at all files of a tree, in place of one that it follows. */
  async begin(tree: PlateTree, isFirst = false): Promise<void> {
    this.#sweeping.abort();
    this.#sweeping = new AbortController();
    const signal = AbortSignal.any([this.#stop, this.#sweeping.signal]);
    const sweep = new SizeSweep(tree);
    await sweep.look(signal);
    if (isFirst) await this.#rest();
    await sweep.measure(signal);
  }

  /** Once all files are looked at: opening a plate took far more memory than keeping it does. */
  async #rest(): Promise<void> {
    if (this.#stop.aborted) return;
    try {
      await giveBackSpentMemory();
    } catch (error) {
      this.#log(`memory was not given back: ${explain(error)}`);
    }
  }
}
