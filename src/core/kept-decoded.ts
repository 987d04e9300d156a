/** Keeps decoded data of its thread, and can give it up. */
export interface DecodedKeeper {
  readonly usedBytes: number;
  /** Gives up what was used longest ago until so much is left at most, or nothing but the newest. */
  shrinkTo(bytes: number, isNewestKept: boolean): void;
}

/** Those that keep something. */
const keepers = new Set<DecodedKeeper>();
let boundBytes = Number.POSITIVE_INFINITY;

/** Bytes that all of this thread's keepers hold together. */
export function keptDecodedBytes(): number {
  let sum = 0;
  for (const { usedBytes } of keepers) sum += usedBytes;
  return sum;
}

/**
 * What is read in turn, a part of each piece, is decoded once only if all of it is kept: so much of it a thread keeps
 * even where its bound is smaller, until memory is tight.
 */
export const MAX_IN_TURN_BYTES = 128 * 1024 * 1024;

/** Bounds what all of this thread's keepers may hold together, from now on; without limit until then. */
export function boundKeptDecoded(bytes: number): void {
  boundBytes = bytes;
  shrink(false);
}

/**
 * To be called by a keeper that holds more or less than before. Others give up theirs before it does; what is newest may
 * alone be larger than the bound: it is read in parts, and each part would decode all of it again. So may what is read
 * in turn with it.
 */
export function keptDecodedChanged(keeper: DecodedKeeper): void {
  keepers.delete(keeper);
  if (keeper.usedBytes === 0) return;
  // In the order of last use.
  keepers.add(keeper);
  shrink(true);
}

function shrink(isNewestKept: boolean): void {
  let excessBytes = keptDecodedBytes() - boundBytes;
  for (const keeper of [...keepers]) {
    if (excessBytes <= 0) return;
    const { usedBytes } = keeper;
    keeper.shrinkTo(Math.max(0, usedBytes - excessBytes), isNewestKept);
    excessBytes -= usedBytes - keeper.usedBytes;
    if (keeper.usedBytes === 0) keepers.delete(keeper);
  }
}
