import { isSettled } from '../../model/settled-directory.ts';

/** Directories remembered for all files together, 8 bytes each. */
const MAX_REMEMBERED = 4 << 20;
/** A chain this short is walked as fast as it is looked up. */
const MIN_REMEMBERED = 16;

/** What tells a version of a file from another. */
export interface FileVersion {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** Where the directories of a TIFF lie, in their order, as far as its chain was walked. */
export class DirectoryChain {
  readonly #offsets: number[];
  #highest: number;
  /** Made when a link leads backwards for the first time: until then no offset can come twice. */
  #seen: Set<number> | undefined;

  constructor(first: number) {
    this.#offsets = [first];
    this.#highest = first;
  }

  get length(): number {
    return this.#offsets.length;
  }

  get last(): number {
    return this.#offsets[this.#offsets.length - 1] ?? 0;
  }

  at(index: number): number | undefined {
    return this.#offsets[index];
  }

  has(offset: number): boolean {
    if (offset > this.#highest) return false;
    this.#seen ??= new Set(this.#offsets);
    return this.#seen.has(offset);
  }

  push(offset: number): void {
    this.#offsets.push(offset);
    this.#seen?.add(offset);
    this.#highest = Math.max(this.#highest, offset);
  }
}

const keyOf = ({ path, device, inode, sizeBytes, mtimeMs }: FileVersion): string =>
  `${device}:${inode}:${sizeBytes}:${mtimeMs}:${path}`;

/**
 * Chains that were walked, so that a page far down a file is found at once the next time; least recently used
 * out first. One thread owns one. Links are only ever remembered, never that a chain has ended: a file that
 * grows may get one more.
 */
export class RememberedChains {
  readonly #chains = new Map<string, { chain: DirectoryChain; counted: number }>();
  readonly #maxOffsets: number;
  #count = 0;

  constructor(maxOffsets: number = MAX_REMEMBERED) {
    this.#maxOffsets = maxOffsets;
  }

  /** Directories remembered now. */
  get count(): number {
    return this.#count;
  }

  /** The chain of this version of the file, as far as it is known. */
  recall(version: FileVersion): DirectoryChain | undefined {
    const key = keyOf(version);
    const found = this.#chains.get(key);
    if (!found) return undefined;
    this.#chains.delete(key);
    this.#chains.set(key, found);
    return found.chain;
  }

  /** Keeps a chain, unless the file had just been written when it was opened at `openedAtMs`, or it is short. */
  keep(version: FileVersion, chain: DirectoryChain, openedAtMs: number): void {
    if (chain.length < MIN_REMEMBERED || chain.length > this.#maxOffsets) return;
    if (!isSettled(version.mtimeMs, openedAtMs)) return;
    const key = keyOf(version);
    this.#forget(key);
    this.#chains.set(key, { chain, counted: chain.length });
    this.#count += chain.length;
    for (const oldest of this.#chains.keys()) {
      if (this.#count <= this.#maxOffsets) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#count -= this.#chains.get(key)?.counted ?? 0;
    this.#chains.delete(key);
  }
}
