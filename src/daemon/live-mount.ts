import { explain } from '../core/errors.ts';
import { invalidateNode } from '../fuse/notify.ts';
import { giveBackSpentMemory } from '../memory/spent-memory.ts';
import type { WatchMode } from '../model/mount-definition.ts';
import { type PlateDifference, plateDifference, succession } from '../model/plate-succession.ts';
import { type TreeTools, treeOf } from '../tree/mount-tree.ts';
import { PlateTree } from '../tree/plate-tree.ts';
import { PART_NODES, type SharedMount } from '../tree/shared-mount.ts';
import type { SharedTree } from '../tree/shared-tree.ts';
import type { FrontLink } from './front-link.ts';
import { LivePlate } from './live-plate.ts';
import { logEvent } from './log.ts';
import type { OpenedPart } from './session-files.ts';
import { SizeSweep } from './size-sweep.ts';
import { invalidateSourceChanges } from './source-invalidation.ts';
import { invalidateChanges } from './tree-invalidation.ts';

export interface LiveMountParts {
  readonly parts: readonly OpenedPart[];
  readonly tools: TreeTools;
  readonly fuseFd: number;
  readonly mode: WatchMode;
  readonly front: FrontLink;
  readonly warn: (message: string) => void;
  /** Something is shown otherwise than before. */
  readonly onChange: () => void;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

interface LivePart {
  readonly opened: OpenedPart;
  readonly plate: LivePlate;
  sweeping: AbortController;
}

/** Follows every part of a mount: shows what changed on disk, and tells the kernel. */
export class LiveMount {
  readonly #parts: LiveMountParts;
  readonly #live: readonly LivePart[];
  #resting = false;

  constructor(parts: LiveMountParts) {
    this.#parts = parts;
    this.#live = parts.parts.map((opened) => ({
      opened,
      plate: this.#livePlate(opened),
      sweeping: new AbortController(),
    }));
  }

  #livePlate({ number, session, shared }: OpenedPart): LivePlate {
    const { mode, front, warn } = this.#parts;
    return new LivePlate(shared, {
      mode,
      session,
      adopt: async (tree) => void (await front.ask('adopt', { part: number, shared: tree })),
      invalidate: (before, after, difference) => this.#invalidate(number, before, after, difference),
      warn,
    });
  }

  /** Everything as it is shown now. */
  get mount(): SharedMount {
    return this.#live.map(({ opened: { number, name }, plate }) => ({ number, name, shared: plate.shared }));
  }

  /** Tells the kernel what the last daemon did not come to tell, looks at all files, and begins to watch. */
  start(): void {
    for (const { opened, plate } of this.#live) {
      const { number, untold, shared, session } = opened;
      if (untold) {
        const { index } = untold;
        const difference = plateDifference(index, shared.index, succession(index, shared.index));
        this.#invalidate(number, untold, shared, difference);
        session.told(shared.generation);
      } else this.#sweep(number, shared);
      plate.start(opened.isDoubtful);
    }
  }

  /** Keeps what was measured of a part for the daemon that takes over. @throws the system's error. */
  keep(number: number): void {
    const live = this.#live.find(({ opened }) => opened.number === number);
    live?.opened.session.rewrite(live.plate.shared);
  }

  /** Somebody found that what a file is made of is not what it was. */
  sourceChanged(node: number): void {
    invalidateNode(this.#parts.fuseFd, node);
    const number = Math.floor(node / PART_NODES);
    const plate = this.#live.find(({ opened }) => opened.number === number)?.plate;
    // A plate's planes are looked at whenever they are read.
    if (plate?.index.scope) plate.doubt();
  }

  #invalidate(number: number, before: SharedTree, after: SharedTree, difference: PlateDifference): void {
    const { fuseFd, tools } = this.#parts;
    const [from, to] = [treeOf(before, tools), treeOf(after, tools)];
    const base = number * PART_NODES;
    if (from instanceof PlateTree && to instanceof PlateTree)
      invalidateChanges({ fuseFd, base }, from, to, difference);
    else if (!(from instanceof PlateTree) && !(to instanceof PlateTree))
      invalidateSourceChanges({ fuseFd, base }, from, to, difference);
    this.#parts.onChange();
    this.#sweep(number, after);
  }

  /** Looks at all files of a part, in place of what it was before. */
  #sweep(number: number, shared: SharedTree): void {
    const live = this.#live.find(({ opened }) => opened.number === number);
    if (!live) return;
    live.sweeping.abort();
    live.sweeping = new AbortController();
    const signal = AbortSignal.any([this.#parts.signal, live.sweeping.signal]);
    const sweep = new SizeSweep(treeOf(shared, this.#parts.tools));
    void sweep
      .look(signal)
      .then(() => this.#rest())
      .then(() => sweep.measure(signal));
  }

  /** Once all files are looked at: opening a plate took far more memory than keeping it does. */
  async #rest(): Promise<void> {
    if (this.#parts.signal.aborted || this.#resting) return;
    this.#resting = true;
    try {
      await giveBackSpentMemory();
    } catch (error) {
      logEvent(`memory was not given back: ${explain(error)}`);
    }
  }

  async close(): Promise<void> {
    for (const { plate, sweeping } of this.#live) {
      sweeping.abort();
      await plate.close();
    }
  }
}
