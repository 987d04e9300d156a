import { readFileSync, readlinkSync } from 'node:fs';
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

/** <asm-generic/mman-common.h>. */
const MADV_DONTNEED = 4;

/** A piece of a program that is mapped to be read or run, and holds nothing but what its file does. */
interface MappedCode {
  readonly address: bigint;
  readonly sizeBytes: number;
}

/**
 * Code and constants of a program, as `/proc/self/smaps` (proc_pid_smaps(5)) tells them. Left out is what may be written,
 * and what was (relocated tables, `Anonymous` above 0): the file has not these bytes. Libraries and other files are, too:
 * they may be unmapped at any time, and something else may lie there by then.
 * @param program its path.
 */
export function mappedCode(smaps: string, program: string): MappedCode[] {
  const found: MappedCode[] = [];
  for (const entry of smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p [0-9a-f]+ \S+ \d+ +(.+)$/m.exec(entry);
    if (head?.[3] !== program || !/^Anonymous: +0 kB$/m.test(entry)) continue;
    const address = BigInt(`0x${head[1]}`);
    found.push({ address, sizeBytes: Number(BigInt(`0x${head[2]}`) - address) });
  }
  return found;
}

/**
 * Takes the code of Node that this process has run out of its resident memory: most of it was for starting up. What runs
 * again is in the page cache, and is mapped again page by page, without a disk. For a process that is about to rest.
 * @throws when koffi will not load.
 */
export async function unmapSpentCode(): Promise<void> {
  const { default: koffi } = await import('koffi');
  const madvise = koffi.load(null).func('int madvise(uintptr_t, size_t, int)');
  // Where it is refused, everything stays as it is.
  const smaps = readFileSync('/proc/self/smaps', 'utf8');
  for (const { address, sizeBytes } of mappedCode(smaps, readlinkSync('/proc/self/exe')))
    madvise(address, sizeBytes, MADV_DONTNEED);
}

/**
 * Gives back to the system what this thread no longer uses, after work that needed far more memory than what comes
 * after it: neither V8 nor the C library does so of themselves in a process that rests; and of all threads the code
 * that was run. Blocks for tens of milliseconds. @throws when koffi will not load.
 */
export async function giveBackSpentMemory(): Promise<void> {
  const trim = await trimmer();
  collector()({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  trim?.(0);
  await unmapSpentCode();
}
