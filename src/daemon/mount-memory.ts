import type { MemoryDocument } from '../control/documents.ts';
import { explain } from '../core/errors.ts';
import { budgetOf, leastWorkingBytes } from '../memory/budget.ts';
import { type PressureState, watchPressure } from '../memory/pressure.ts';
import { type MemoryHolders, Reclaimer } from '../memory/reclaimer.ts';
import type { FrontLink } from './front-link.ts';
import type { Landings } from './landings.ts';
import type { Readers } from './readers.ts';

export interface MountMemoryParts {
  readonly budgetBytes: number;
  readonly front: FrontLink;
  readonly readers: Readers;
  readonly landings: Landings;
  /** Lets go of the oldest pins. @returns bytes of memory freed. */
  readonly unpin: (bytes: number) => Promise<number>;
  /** The same of files that were read whole. */
  readonly dropHot: (bytes: number) => Promise<number>;
  readonly log: (message: string) => void;
}

/** What written files may take at the start: all but what decoded pixels and working threads may. */
export const writtenBoundBytes = (budgetBytes: number): number =>
  budgetBytes - budgetOf(budgetBytes).decodedBytes - leastWorkingBytes(budgetBytes);

/** A file that a program has open rests when it was not written for so long. */
const RESTING_MS = 2000;

/** The memory of a mount: who holds it, and how each gives it up. */
export class MountMemory implements Disposable {
  readonly #parts: MountMemoryParts;
  readonly #reclaimer: Reclaimer;
  #pressure: Disposable | undefined;
  #isTight = false;
  /** What this process took before it had anything to do. */
  #restingBytes: number | undefined;

  constructor(parts: MountMemoryParts) {
    this.#parts = parts;
    const { budgetBytes, front, readers, landings, unpin, dropHot } = parts;
    const holders: MemoryHolders = {
      written: () => front.ask('usage', {}),
      boundWritten: async (bytes) => (await front.ask('set-budget', { budgetBytes: bytes })).accepted,
      decoded: () => ({ usedBytes: readers.decodedBytes, grantBytes: readers.decodedBoundBytes }),
      boundDecoded: (bytes) => readers.boundDecoded(bytes),
      land: async (keepBytes) => (await landings.makeRoom(keepBytes)).sizeBytes,
      unpin,
      dropHot,
      spill: async (bytes) => {
        let freedBytes = 0;
        while (freedBytes < bytes) {
          const restingSinceMs = Date.now() - RESTING_MS;
          const step = await front.ask('spill', { bytes: bytes - freedBytes, restingSinceMs });
          if (step.freedBytes <= 0) break;
          freedBytes += step.freedBytes;
        }
        return freedBytes;
      },
    };
    this.#reclaimer = new Reclaimer(
      budgetBytes,
      writtenBoundBytes(budgetBytes),
      holders,
      leastWorkingBytes(budgetBytes),
    );
  }

  /** Listens to the system from here on. */
  start(): void {
    this.#pressure = watchPressure((state) => this.#felt(state));
  }

  /** Takes memory out of the budget for a pinned file. @returns false when there is not so much to be had. */
  reserve(bytes: number): Promise<boolean> {
    return this.#reclaimer.reserve(bytes);
  }

  /** Gives back what was reserved. */
  release(bytes: number): Promise<void> {
    return this.#reclaimer.release(bytes);
  }

  /** The same for a file that was read whole, and is kept as long as nobody else needs the memory. */
  reserveHot(bytes: number): Promise<boolean> {
    return this.#reclaimer.reserveHot(bytes);
  }

  releaseHot(bytes: number): Promise<void> {
    return this.#reclaimer.releaseHot(bytes);
  }

  #felt(state: PressureState): void {
    if (state.isUnderPressure && !this.#isTight)
      this.#parts.log(`memory is tight: ${state.reasons.join(', ')}`);
    this.#isTight = state.isUnderPressure;
    this.#watched(this.#reclaimer.felt(state));
    this.#watched(this.#reclaimer.measured(this.#workingBytes));
  }

  /** What this process holds now beyond what it took at rest, and beyond what readers keep. */
  get #workingBytes(): number {
    const rssBytes = process.memoryUsage.rss();
    this.#restingBytes ??= rssBytes;
    return Math.max(0, rssBytes - this.#restingBytes - this.#parts.readers.decodedBytes);
  }

  /** Written files hold much: looks what can be given up. */
  pressed(): void {
    this.#watched(this.#reclaimer.look());
  }

  /** Once the mount ends, nobody answers any more, and nothing is to be given up. */
  #watched(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (this.#pressure) this.#parts.log(`memory could not be given up: ${explain(error)}`);
    });
  }

  /** @throws NotRunningError when the front has ended. */
  async document(): Promise<MemoryDocument> {
    const { budgetBytes, front, readers } = this.#parts;
    const { reservedBytes, sealedBytes } = await front.ask('usage', {});
    const { lowMarkBytes, highMarkBytes } = this.#reclaimer.budget;
    const { pressure, last } = this.#reclaimer;
    return {
      budgetBytes,
      lowMarkBytes,
      highMarkBytes,
      usedBytes:
        reservedBytes +
        readers.decodedBytes +
        this.#reclaimer.pinnedBytes +
        this.#reclaimer.hotBytes +
        this.#workingBytes,
      workingBytes: this.#workingBytes,
      hotBytes: this.#reclaimer.hotBytes,
      pinnedBytes: this.#reclaimer.pinnedBytes,
      closedFilesBytes: sealedBytes,
      openFilesBytes: reservedBytes - sealedBytes,
      decodedBytes: readers.decodedBytes,
      decodedBoundBytes: readers.decodedBoundBytes,
      isTight: pressure.isUnderPressure,
      reasons: pressure.reasons,
      lastReclaim:
        last === undefined
          ? null
          : { at: new Date(last.atMs).toISOString(), reasons: last.reasons, steps: last.steps },
    };
  }

  [Symbol.dispose](): void {
    this.#pressure?.[Symbol.dispose]();
    this.#pressure = undefined;
  }
}
