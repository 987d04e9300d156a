import { budgetOf, type MemoryBudget } from './budget.ts';
import type { PressureState } from './pressure.ts';
import { decodedLimitBytes, type MemoryUse, planReclaim, type ReclaimStep } from './reclaim-ladder.ts';

/** What the overlay says it holds. */
export interface WrittenMemory {
  /** Memory reserved by all written files. */
  readonly reservedBytes: number;
  /** Of these, by files that are closed and have not landed. */
  readonly sealedBytes: number;
}

/** What readers say they hold. */
export interface DecodedMemory {
  readonly usedBytes: number;
  /** What they may hold: a bound that is being lowered counts only once it is kept. */
  readonly grantBytes: number;
}

/** Who holds memory, and how it is made to give some up. */
export interface MemoryHolders {
  readonly written: () => Promise<WrittenMemory>;
  /**
   * Bounds what written files may take; what is written beyond goes to disk. False when they hold more already:
   * then they may hold that, and no more.
   */
  readonly boundWritten: (bytes: number) => Promise<boolean>;
  readonly decoded: () => DecodedMemory;
  /** Bounds decoded pixels; resolves once that is kept, or when it takes too long. */
  readonly boundDecoded: (bytes: number) => Promise<void>;
  /** Lands closed files until written files hold at most `keepBytes`. @returns bytes landed. */
  readonly land: (keepBytes: number) => Promise<number>;
  /** Lets go of the oldest pins. @returns bytes of memory freed, which are {@link Reclaimer.release}d with that. */
  readonly unpin: (bytes: number) => Promise<number>;
  /** The same of files that were read whole, the least recently opened first. */
  readonly dropHot: (bytes: number) => Promise<number>;
  /** Moves open files that rest to disk. @returns bytes of memory freed. */
  readonly spill: (bytes: number) => Promise<number>;
}

/** Memory that was given up at one time, and why. */
export interface Reclaim {
  readonly atMs: number;
  readonly reasons: readonly string[];
  readonly steps: readonly {
    readonly rung: number;
    readonly kind: ReclaimStep['kind'];
    readonly freedBytes: number;
  }[];
}

/** Closed files that would not land are not asked again for this long. */
const STUCK_MS = 5000;
/** Pins may take at most this share of the budget. */
const MAX_PINNED_SHARE = 0.5;
/** What threads hold counts in steps of this share of all. */
const WORKING_STEP_SHARE = 1 / 32;
/** They count for no more than this share of all: what a program takes to run at all is no matter of small budgets. */
const MAX_WORKING_SHARE = 0.25;
const CALM = { isUnderPressure: false, cacheShare: 1, reasons: [] } as const;

/**
 * Keeps a mount within its memory budget: looks what holds memory whenever that may have become too much, and has
 * it given up by the ladder. The bounds of written files and decoded pixels never add up to more than the budget:
 * one is raised only when the other was lowered.
 */
export class Reclaimer {
  readonly #totalBytes: number;
  readonly #holders: MemoryHolders;
  #pressure: Pick<PressureState, 'isUnderPressure' | 'cacheShare' | 'reasons'> = CALM;
  #last: Reclaim | undefined;
  #stuck = { bytes: 0, untilMs: 0 };
  #isAboveLowMark = false;
  /** Written files held more than the last bound: it is to be tried again. */
  #wasRefused = false;
  #running: Promise<void> | undefined;
  /** Something happened since the present look began. */
  #again = false;
  #writtenBoundBytes: number;
  #pinnedBytes = 0;
  #hotBytes = 0;
  readonly #leastWorkingBytes: number;
  #workingBytes: number;
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param writtenBoundBytes - What written files may take at the start.
   * @param leastWorkingBytes - Set aside for what threads hold while they work, before it is {@link measured}.
   */
  constructor(totalBytes: number, writtenBoundBytes: number, holders: MemoryHolders, leastWorkingBytes = 0) {
    this.#totalBytes = totalBytes;
    this.#writtenBoundBytes = writtenBoundBytes;
    this.#leastWorkingBytes = leastWorkingBytes;
    this.#workingBytes = leastWorkingBytes;
    this.#holders = holders;
  }

  /** The last time that memory was given up. */
  get last(): Reclaim | undefined {
    return this.#last;
  }

  get budget(): MemoryBudget {
    return budgetOf(this.#spaceBytes, this.#pressure.isUnderPressure);
  }

  /** What pinned files hold. */
  get pinnedBytes(): number {
    return this.#pinnedBytes;
  }

  /** What files hold that were read whole. */
  get hotBytes(): number {
    return this.#hotBytes;
  }

  /** What threads hold while they work, beside what is counted by itself: at least what is set aside for it. */
  get workingBytes(): number {
    return this.#workingBytes;
  }

  /** What written files and decoded pixels may take beside what is kept. */
  get #spaceBytes(): number {
    return this.#totalBytes - this.#pinnedBytes - this.#hotBytes - this.#workingBytes;
  }

  /**
   * Threads were seen to hold so much while they work. What is gained is given out in steps, so that bounds do not
   * move all the time; what is lacking is taken from written files, which land or go to disk for it.
   */
  async measured(bytes: number): Promise<void> {
    const mostBytes = Math.floor(this.#totalBytes * MAX_WORKING_SHARE);
    const wantedBytes = Math.min(mostBytes, Math.max(this.#leastWorkingBytes, bytes));
    const stepBytes = this.#totalBytes * WORKING_STEP_SHARE;
    if (Math.abs(wantedBytes - this.#workingBytes) < stepBytes) return;
    await this.#alone(() => {
      this.#workingBytes = wantedBytes;
      return this.#boundWritten(this.#spaceBytes - this.#holders.decoded().grantBytes);
    });
    if (this.#writtenBoundBytes > this.#spaceBytes - this.#holders.decoded().grantBytes) await this.look();
  }

  /**
   * Takes memory out of the budget for a pinned file, until it is {@link release}d.
   * @returns false, with nothing changed, when written files need it or pins would have too much.
   */
  async reserve(bytes: number): Promise<boolean> {
    if (await this.#alone(() => this.#reserve(bytes))) return true;
    // What is kept unasked goes, and closed files may land.
    if (this.#hotBytes > 0) await this.#alone(() => this.#dropHot(bytes));
    await this.look();
    return await this.#alone(() => this.#reserve(bytes));
  }

  /**
   * The same for a file that was read whole.
   * @returns false, with nothing changed, when written files need it or would soon.
   */
  reserveHot(bytes: number): Promise<boolean> {
    return this.#alone(async () => {
      const spaceBytes = this.#spaceBytes - bytes;
      if (this.#pressure.isUnderPressure) return false;
      const { reservedBytes } = await this.#holders.written();
      if (reservedBytes > budgetOf(spaceBytes).lowMarkBytes) return false;
      const writtenBytes = spaceBytes - this.#holders.decoded().grantBytes;
      if (writtenBytes <= 0 || !(await this.#boundWritten(writtenBytes))) return false;
      this.#hotBytes += bytes;
      return true;
    });
  }

  /** Gives memory back that was reserved for a file that was read whole. */
  releaseHot(bytes: number): Promise<void> {
    return this.#alone(async () => {
      this.#hotBytes -= bytes;
      await this.#boundWritten(this.#spaceBytes - this.#holders.decoded().grantBytes);
    });
  }

  async #dropHot(bytes: number): Promise<number> {
    const freedBytes = await this.#holders.dropHot(Math.min(bytes, this.#hotBytes));
    this.#hotBytes -= freedBytes;
    await this.#boundWritten(this.#spaceBytes - this.#holders.decoded().grantBytes);
    return freedBytes;
  }

  async #reserve(bytes: number): Promise<boolean> {
    const pinned = this.#pinnedBytes + bytes;
    if (this.#pressure.isUnderPressure || pinned > this.#totalBytes * MAX_PINNED_SHARE) return false;
    const writtenBytes = this.#spaceBytes - bytes - this.#holders.decoded().grantBytes;
    if (writtenBytes <= 0 || !(await this.#boundWritten(writtenBytes))) return false;
    this.#pinnedBytes = pinned;
    return true;
  }

  /** Gives memory back that was reserved. */
  async release(bytes: number): Promise<void> {
    await this.#alone(async () => {
      this.#pinnedBytes -= bytes;
      await this.#boundWritten(this.#spaceBytes - this.#holders.decoded().grantBytes);
    });
  }

  /** One change of the bounds at a time. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Why the system is short of memory; nothing when it isn't. */
  get pressure(): { readonly isUnderPressure: boolean; readonly reasons: readonly string[] } {
    return this.#pressure;
  }

  /** The system says how it is for memory. @returns when everything that follows from that is done. */
  felt(pressure: PressureState): Promise<void> {
    this.#pressure = pressure;
    const isWhole = this.#holders.decoded().grantBytes >= budgetOf(this.#totalBytes).decodedBytes;
    // Where nothing was taken away and nothing is asked for, nobody is woken.
    if (!pressure.isUnderPressure && isWhole && !this.#isAboveLowMark && !this.#wasRefused)
      return this.#running ?? Promise.resolve();
    return this.look();
  }

  /** Looks what holds memory and has it given up. @returns when nothing more is to be done now. */
  look(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#alone(async () => {
        const use = await this.#use();
        const steps = planReclaim(use, this.budget, this.#pressure);
        if (steps.length > 0) await this.#reclaim(steps);
        else await this.#giveBack(use);
        // They may have held too much when more was needed for other things.
        const writtenBytes = this.#spaceBytes - this.#holders.decoded().grantBytes;
        if (this.#wasRefused || this.#writtenBoundBytes > writtenBytes)
          await this.#boundWritten(writtenBytes);
      });
    }
  }

  async #use(): Promise<MemoryUse> {
    const { reservedBytes, sealedBytes } = await this.#holders.written();
    this.#isAboveLowMark = reservedBytes > budgetOf(this.#writtenBoundBytes).lowMarkBytes;
    const stuckBytes = performance.now() < this.#stuck.untilMs ? Math.min(sealedBytes, this.#stuck.bytes) : 0;
    return {
      decodedLimitBytes: this.#holders.decoded().grantBytes,
      landableBytes: sealedBytes - stuckBytes,
      stuckBytes,
      openBytes: reservedBytes - sealedBytes,
      pinnedBytes: this.#pinnedBytes,
      hotBytes: this.#hotBytes,
    };
  }

  async #reclaim(steps: readonly ReclaimStep[]): Promise<void> {
    const taken: { rung: number; kind: ReclaimStep['kind']; freedBytes: number }[] = [];
    let hasHelped = false;
    for (const step of steps) {
      const { rung, kind } = step;
      const gained = await this.#take(step);
      hasHelped ||= gained.hasHelped;
      if (gained.freedBytes > 0) taken.push({ rung, kind, freedBytes: gained.freedBytes });
    }
    const { reasons } = this.#pressure;
    if (taken.length > 0)
      this.#last = {
        atMs: Date.now(),
        reasons: reasons.length > 0 ? reasons : ['written files hold much of the budget'],
        steps: taken,
      };
    // What was given up may not have been enough.
    this.#again ||= hasHelped;
  }

  async #take(step: ReclaimStep): Promise<{ readonly freedBytes: number; readonly hasHelped: boolean }> {
    const { written, decoded, boundDecoded, land, spill, unpin } = this.#holders;
    switch (step.kind) {
      case 'shrink-decoded': {
        const before = decoded();
        await boundDecoded(step.limitBytes);
        const after = decoded();
        const hasHelped = after.grantBytes < before.grantBytes;
        if (hasHelped) await this.#boundWritten(this.#spaceBytes - after.grantBytes);
        return { freedBytes: Math.max(0, before.usedBytes - after.usedBytes), hasHelped };
      }
      case 'land-sealed': {
        const freedBytes = await land(step.keepBytes);
        const { reservedBytes, sealedBytes } = await written();
        if (reservedBytes > step.keepBytes)
          this.#stuck = { bytes: sealedBytes, untilMs: performance.now() + STUCK_MS };
        return { freedBytes, hasHelped: freedBytes > 0 };
      }
      case 'spill-open': {
        const freedBytes = await spill(step.bytes);
        return { freedBytes, hasHelped: freedBytes > 0 };
      }
      case 'drop-hot': {
        const freedBytes = await this.#dropHot(step.bytes);
        return { freedBytes, hasHelped: freedBytes > 0 };
      }
      case 'drop-pins': {
        const freedBytes = await unpin(step.bytes);
        this.#pinnedBytes -= freedBytes;
        return { freedBytes, hasHelped: false };
      }
    }
  }

  /** Gives decoded pixels back what they may have by now. */
  async #giveBack(use: MemoryUse): Promise<void> {
    const wanted = decodedLimitBytes(use, this.budget, this.#pressure);
    if (wanted <= this.#holders.decoded().grantBytes) return;
    if (await this.#boundWritten(this.#spaceBytes - wanted)) await this.#holders.boundDecoded(wanted);
  }

  async #boundWritten(bytes: number): Promise<boolean> {
    if (bytes === this.#writtenBoundBytes && !this.#wasRefused) return true;
    this.#wasRefused = !(await this.#holders.boundWritten(bytes));
    if (this.#wasRefused) return false;
    this.#writtenBoundBytes = bytes;
    return true;
  }
}
