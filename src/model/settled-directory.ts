/**
 * A directory changed this shortly before it was read could change once more without a newer mtime: the
 * kernel's clock for mtimes ticks every 1–10 ms.
 */
const CLOCK_TICK_MS = 50;
/** FAT keeps mtimes in steps of two seconds; an mtime of whole seconds may come from such a disk. */
const COARSE_TICK_MS = 2000;

/** From when on a directory can be read so that any later change gives it another mtime. */
export const settlesAtMs = (mtimeMs: number): number =>
  mtimeMs + (mtimeMs % 1000 === 0 ? COARSE_TICK_MS : CLOCK_TICK_MS);

/** Whether a directory that still has the mtime it had when it was read still has the same entries. */
export const isSettled = (mtimeMs: number, readAtMs: number): boolean => settlesAtMs(mtimeMs) <= readAtMs;
