import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type CollectGarbage = (options: {
  readonly type: 'major';
  readonly execution: 'sync';
  readonly flavor: 'last-resort';
}) => void;

/** V8's collector, which a process can have without having been started with `--expose-gc`. */
function collector(): CollectGarbage {
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('gc') as CollectGarbage;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}

/** `malloc_trim(3)` of glibc; undefined in a C library without it, as musl's, which keeps no such reserve. */
async function trimmer(): Promise<((padBytes: number) => number) | undefined> {
  const { default: koffi } = await import('koffi');
  try {
    return koffi.load(null).func('int malloc_trim(size_t)');
  } catch {
    return undefined;
  }
}

/**
 * Gives back to the system what this thread no longer uses, after work that needed far more memory than what comes
 * after it: neither V8 nor the C library does so of themselves in a process that rests. Blocks for tens of
 * milliseconds. @throws when koffi will not load.
 */
export async function giveBackSpentMemory(): Promise<void> {
  const trim = await trimmer();
  collector()({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  trim?.(0);
}
