import { BadParameterError } from '../core/errors.ts';

/** How much memory the overlay and the caches may take together. */
export interface MemoryBudget {
  readonly totalBytes: number;
  /** From here on the oldest closed files are landed in the background. */
  readonly lowMarkBytes: number;
  /** From here on writers wait. */
  readonly highMarkBytes: number;
}

const LOW_MARK = 0.5;
const HIGH_MARK = 0.8;
const DEFAULT_MEMORY_SHARE = 0.25;
const DEFAULT_TMPFS_SHARE = 0.5;
/** Below this not even one plane of a common camera fits twice. */
export const MIN_BUDGET_BYTES = 16 * 2 ** 20;

/** Pure: the marks of a budget. `underPressure` treats the high mark as if it stood at 50 %. */
export function budgetOf(totalBytes: number, underPressure = false): MemoryBudget {
  const low = Math.floor(totalBytes * LOW_MARK);
  return {
    totalBytes,
    lowMarkBytes: low,
    highMarkBytes: underPressure ? low : Math.floor(totalBytes * HIGH_MARK),
  };
}

/** Pure: 25 % of the memory that is available, but at most half of what is free in the tmpfs. */
export function defaultBudgetBytes(availableBytes: number, tmpfsFreeBytes: number): number {
  const share = Math.min(availableBytes * DEFAULT_MEMORY_SHARE, tmpfsFreeBytes * DEFAULT_TMPFS_SHARE);
  return Math.max(MIN_BUDGET_BYTES, Math.floor(share));
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['B', 1],
  ['K', 2 ** 10],
  ['KIB', 2 ** 10],
  ['KB', 1e3],
  ['M', 2 ** 20],
  ['MIB', 2 ** 20],
  ['MB', 1e6],
  ['G', 2 ** 30],
  ['GIB', 2 ** 30],
  ['GB', 1e9],
  ['T', 2 ** 40],
  ['TIB', 2 ** 40],
  ['TB', 1e12],
]);

/**
 * Bytes of `512MiB`, `2G`, `1.5 GB`, `1073741824`: K, M, G, T and KiB … TiB are powers of 1024, KB … TB of 1000.
 * @throws BadParameterError naming `parameter` and what to write instead.
 */
export function parseSizeBytes(text: string, parameter: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text);
  const advice = 'write a number and a unit: 512MiB, 2G, 1.5GB';
  if (!match) {
    const isNegative = /^\s*-/.test(text);
    throw new BadParameterError(
      parameter,
      `${JSON.stringify(text)} is ${isNegative ? 'negative' : 'no size'}`,
      {
        advice,
      },
    );
  }
  const [, number = '', unit = ''] = match;
  const factor = UNITS.get(unit.toUpperCase());
  if (factor === undefined)
    throw new BadParameterError(parameter, `${JSON.stringify(unit)} is no unit of size`, { advice });
  const bytes = Math.floor(Number(number) * factor);
  if (bytes === 0)
    throw new BadParameterError(parameter, `${JSON.stringify(text)} is no memory at all`, { advice });
  if (!Number.isSafeInteger(bytes))
    throw new BadParameterError(parameter, `${JSON.stringify(text)} is more than any machine has`, {
      advice,
    });
  return bytes;
}

/**
 * A budget given by a user.
 * @throws BadParameterError when it is no size or too small to work with.
 */
export function parseBudgetBytes(text: string, parameter: string): number {
  const bytes = parseSizeBytes(text, parameter);
  if (bytes < MIN_BUDGET_BYTES)
    throw new BadParameterError(parameter, `${text} is too little`, {
      advice: `give at least ${MIN_BUDGET_BYTES / 2 ** 20}MiB`,
    });
  return bytes;
}
