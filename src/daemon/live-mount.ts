import { explain } from '../core/errors.ts';
import { invalidateNode } from '../fuse/notify.ts';
import { giveBackSpentMemory } from '../memory/spent-memory.ts';
import type { WatchMode } from '../model/mount-definition.ts';
import { type PlateDifference, plateDifference, succession } from '../model/plate-succession.ts';
import { saveMeasuredIndex } from '../tree/index-cache.ts';
import { type TreeTools, treeOf } from '../tree/mount-tree.ts';
import { PlateTree } from '../tree/plate-tree.ts';
import { PART_NODES, type SharedMount } from '../tree/shared-mount.ts';
import type { SharedTree } from '../tree/shared-tree.ts';
import { FileWatch } from '../watch/file-watch.ts';
import type { FrontLink } from './front-link.ts';
import { LivePlate } from './live-plate.ts';
import { logEvent } from './log.ts';
import type { Measuring } from './measuring.ts';
import type { OpenedPart } from './session-files.ts';
import { SizeSweep } from './size-sweep.ts';
import { invalidateSourceChanges } from './source-invalidation.ts';
import type { FileRead } from './source-looks.ts';
import { invalidateChanges } from './tree-invalidation.ts';

/** How soon it is seen that a file changed of which others were put together, where no event tells. */
const FILES_POLL_MS = 1000;
/** So many of those that were read last; where no events tell of changes, more. */
const POLLED_FILES = 128;
const POLLED_FILES_FAR = 512;

export interface LiveMountParts {
  readonly parts: readonly OpenedPart[];
  readonly tools: TreeTools;
  readonly fuseFd: number;
  readonly mode: WatchMode;
  readonly front: FrontLink;
  readonly warn: (message: string) => void;
  /** Where indexes are kept for later mounts. */
  readonly cacheDir: string;
  /** Told what went wrong with a file. */
  readonly fail: (message: string) => void;
  /** A thread is gone. */
  readonly onDeath: (error: Error) => void;
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
  #measuring: Promise<Measuring> | undefined;
  #files: FileWatch | undefined;

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
    this.#measureRest();
  }

  /** Somebody waits for a node to be measured: the front is told `measured`. */
  async measure(node: number): Promise<void> {
    this.#measuring ??= this.#openMeasuring();
    (await this.#measuring).measure(node);
  }

  /** What measures; loaded where there is something that is no plate. */
  async #openMeasuring(): Promise<Measuring> {
    const { Measuring } = await import('./measuring.ts');
    return new Measuring({
      mount: () => this.mount,
      keep: ({ number, shared }, isAll) => {
        this.#live.find(({ opened }) => opened.number === number)?.opened.session.rewrite(shared);
        if (isAll) saveMeasuredIndex(this.#parts.cacheDir, shared.index, logEvent);
      },
      tell: (message) => this.#parts.front.tell(message),
      fail: this.#parts.fail,
      sourceChanged: (part) => this.sourceChanged(part * PART_NODES),
      onDeath: this.#parts.onDeath,
    });
  }

  /** Measures what is not measured of what is shown now. */
  #measureRest(): void {
    if (this.#parts.signal.aborted || !this.mount.some(({ shared }) => shared.index.scope)) return;
    this.#measuring ??= this.#openMeasuring();
    void this.#measuring.then((measuring) => measuring.start());
  }

  /** Rendered files were put together from these: what the kernel keeps of them is good as long as they are the same. */
  filesRead(files: readonly FileRead[]): void {
    const { mode, signal } = this.#parts;
    if (mode === 'off' || signal.aborted) return;
    this.#files ??= this.#watchFiles();
    for (const { path, identity, node } of files) this.#files.follow(path, identity, node);
  }

  #watchFiles(): FileWatch {
    const { mode, fuseFd } = this.#parts;
    const isFar = mode === 'poll' || this.#live.some(({ plate }) => plate.isOnNetwork);
    return new FileWatch({
      events: mode === 'auto',
      pollMs: FILES_POLL_MS,
      polledFiles: isFar ? POLLED_FILES_FAR : POLLED_FILES,
      onChange: (nodes) => {
        for (const node of nodes) invalidateNode(fuseFd, node);
      },
    });
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
    this.#measureRest();
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
    this.#files?.[Symbol.dispose]();
    (await this.#measuring)?.close();
    for (const { plate, sweeping } of this.#live) {
      sweeping.abort();
      await plate.close();
    }
  }
}
