import { budgetOf } from './budget.ts';

/** What one MiB is held up where nothing more fits: writers then still get on, at some MiB a second each. */
const MOST_MS_PER_MIB = 200;
/** No single write waits longer. */
const MAX_DELAY_MS = 250;
/** Shorter delays than a timer can keep are saved up. */
const LEAST_DELAY_MS = 2;
/** Bytes on their way to the disk: below half of this nobody waits. */
const MAX_UNFLUSHED_BYTES = 128 * 2 ** 20;
const FREE_SHARE = 0.5;

/** Pure: how long writers of `bytes` are held up where `share` of what there is above the mark, 0 to 1, is taken. */
function delayMs(bytes: number, share: number): number {
  const taken = Math.min(1, Math.max(0, share));
  return MOST_MS_PER_MIB * taken ** 2 * (bytes / 2 ** 20);
}

/** Pure: how much of what lies above the high mark is taken. */
function shareAboveMark(reservedBytes: number, budgetBytes: number): number {
  const { highMarkBytes } = budgetOf(budgetBytes);
  return (reservedBytes - highMarkBytes) / Math.max(1, budgetBytes - highMarkBytes);
}

/**
 * Slows writers down to what landing and the disk take away: nobody waits below the marks, and above them each byte
 * the longer the less room is left. So the room that is left settles where as much comes as goes, whatever the disk
 * does. Bounded: where nothing goes any more, writers get on slowly, and what they write goes to disk.
 */
export class WritePacer {
  #owedMs = 0;
  #unflushedBytes = 0;

  /** Written to disk, and not known to be there yet. */
  get unflushedBytes(): number {
    return this.#unflushedBytes;
  }

  /** So much went to files on disk. */
  spilled(bytes: number): void {
    this.#unflushedBytes += bytes;
  }

  /** So much of that is on the disk. */
  flushed(bytes: number): void {
    this.#unflushedBytes = Math.max(0, this.#unflushedBytes - bytes);
  }

  /** @returns for how long the answer to a write is to be held back, in milliseconds; 0 mostly. */
  wait(
    wrote: { memoryBytes: number; diskBytes: number },
    reservedBytes: number,
    budgetBytes: number,
  ): number {
    const { memoryBytes, diskBytes } = wrote;
    if (memoryBytes > 0) this.#owedMs += delayMs(memoryBytes, shareAboveMark(reservedBytes, budgetBytes));
    if (diskBytes > 0) {
      const share = this.#unflushedBytes / MAX_UNFLUSHED_BYTES;
      this.#owedMs += delayMs(diskBytes, (share - FREE_SHARE) / (1 - FREE_SHARE));
    }
    if (this.#owedMs < LEAST_DELAY_MS) return 0;
    const owedMs = Math.min(MAX_DELAY_MS, this.#owedMs);
    this.#owedMs = 0;
    return owedMs;
  }
}
