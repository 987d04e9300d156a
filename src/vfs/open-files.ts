import { closeSync, fstatSync, openSync } from 'node:fs';
import type { OpenMode, RequestNumber } from '../overlay/handle-log.ts';
import type { OverlayInode } from '../overlay/inode.ts';
import { lendMemory } from '../overlay/lent-memory.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { OpenReply } from './file-system.ts';
import { PassedRenders } from './passed-renders.ts';

/** FOPEN_* bits of open replies; <linux/fuse.h>. */
export const FOPEN_DIRECT_IO = 1 << 0;
export const FOPEN_KEEP_CACHE = 1 << 1;
export const FOPEN_CACHE_DIR = 1 << 3;
const FOPEN_PASSTHROUGH = 1 << 7;

/** Registers files with the kernel, so that it reads them without asking. */
export interface BackingFiles {
  /** The kernel's number for an open file, or undefined when it refuses this one. */
  open(fd: number): number | undefined;
  close(backingId: number): void;
}

const MODE_NUMBERS: Record<OpenMode, bigint> = { cached: 1n, writing: 2n, passed: 3n, 'passed-writing': 4n };
const MODE_OF: readonly (OpenMode | undefined)[] = [
  undefined,
  'cached',
  'writing',
  'passed',
  'passed-writing',
];
/** The mode's bits of a handle; when it was opened stands above them, and is known to every later daemon. */
const MODE_BITS = 3n;

const handleOf = (mode: OpenMode): bigint => (BigInt(Date.now()) << MODE_BITS) | MODE_NUMBERS[mode];

const modeOf = (handle: bigint): OpenMode | undefined => MODE_OF[Number(handle & ((1n << MODE_BITS) - 1n))];

/** When a handle of a file was opened, by this machine's clock. */
export const openedAt = (handle: bigint): number => Number(handle >> MODE_BITS);

/**
 * The one decision per open: through the kernel's page cache, or passed through to a backing file. The kernel
 * allows one of the two per inode at a time, so what is already open decides for what follows.
 */
export class OpenFiles {
  readonly #overlay: Overlay;
  readonly #backing: BackingFiles | undefined;
  /** Written past the page cache since it was last filled: pages may be old. */
  readonly #staleCache = new Set<number>();
  readonly #passedRenders: PassedRenders;

  /** @param passedFolder as for {@link PassedRenders}. */
  constructor(overlay: Overlay, backing: BackingFiles | undefined, passedFolder?: string) {
    this.#overlay = overlay;
    this.#passedRenders = new PassedRenders(passedFolder);
    this.#backing = backing;
  }

  #reply(
    node: number,
    mode: OpenMode,
    backingId: number,
    request: RequestNumber,
    counted: boolean,
  ): OpenReply {
    if (counted) this.#overlay.handles.opened(node, mode, backingId, request);
    const handle = handleOf(mode);
    switch (mode) {
      case 'passed':
        return { handle, openFlags: FOPEN_PASSTHROUGH, backingId };
      case 'passed-writing':
        this.#staleCache.add(node);
        return { handle, openFlags: FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO, backingId };
      default: {
        const keep = !this.#staleCache.delete(node);
        return { handle, openFlags: keep ? FOPEN_KEEP_CACHE : 0 };
      }
    }
  }

  /** Opens a file that lies on disk as it is shown. `fd` stays the caller's. */
  openVerbatim(node: number, fd: number, request: RequestNumber): OpenReply {
    const counts = this.#overlay.handles.countsOf(node);
    if (counts && counts.backingId !== 0) return this.#reply(node, 'passed', counts.backingId, request, true);
    const backingId = counts === undefined ? this.#backing?.open(fd) : undefined;
    return backingId === undefined
      ? this.#reply(node, 'cached', 0, request, this.#backing !== undefined)
      : this.#reply(node, 'passed', backingId, request, true);
  }

  /**
   * Opens a file whose bytes are put together at every read.
   * @param render an open finished render of it, where one is kept and good; the descriptor stays the caller's.
   */
  openRendered(node: number, request: RequestNumber, render?: number): OpenReply {
    const counts = this.#overlay.handles.countsOf(node);
    if (counts && counts.backingId !== 0) {
      const before = this.#passedRenders.get(node);
      if (render !== undefined && before !== undefined && before === identityOf(render))
        return this.#reply(node, 'passed', counts.backingId, request, true);
      // The kernel refuses whatever does not name the render that others have open; reads past it come to us.
      const reply = this.#reply(node, 'passed', counts.backingId, request, true);
      this.#staleCache.add(node);
      return { ...reply, openFlags: FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO };
    }
    const backingId = counts === undefined && render !== undefined ? this.#backing?.open(render) : undefined;
    if (backingId === undefined || render === undefined)
      return this.#reply(node, 'cached', 0, request, this.#backing !== undefined);
    this.#passedRenders.set(node, identityOf(render));
    return this.#reply(node, 'passed', backingId, request, true);
  }

  /**
   * Opens a written file.
   * @param isMapped - A program writes it past the page cache, through a map.
   */
  openInode(
    inode: OverlayInode,
    writing: boolean,
    request: RequestNumber,
    isMapped: boolean = false,
  ): OpenReply {
    const { number } = inode;
    const counts = this.#overlay.handles.countsOf(number);
    if (counts?.replaced || (isMapped && (counts?.backingId ?? 0) === 0)) {
      // The kernel knows the old file; past its cache and past that file is the one way left.
      const { handle } = this.#reply(number, writing ? 'writing' : 'cached', 0, request, true);
      this.#staleCache.add(number);
      return { handle, openFlags: FOPEN_DIRECT_IO };
    }
    if (counts && counts.backingId !== 0) {
      // A shared mapping through such a handle is written by the kernel alone.
      if (writing) this.#overlay.store.sums.forget(number);
      return this.#reply(number, writing ? 'passed-writing' : 'passed', counts.backingId, request, true);
    }
    if (writing) return this.#reply(number, 'writing', 0, request, true);
    if (counts === undefined && inode.sealed && !inode.landed && this.#backing) {
      const backing = this.#backing;
      const backingId = lendMemory(this.#overlay.store.files, inode, (fd) => backing.open(fd));
      if (backingId !== undefined) return this.#reply(number, 'passed', backingId, request, true);
    }
    return this.#reply(number, 'cached', 0, request, true);
  }

  /** Ends a handle. Returns whether it was one that could write. */
  release(node: number, handle: bigint, request: RequestNumber): boolean {
    const mode = modeOf(handle);
    if (mode === undefined) return false;
    const before = this.#overlay.handles.countsOf(node);
    const backingId = before?.backingId ?? 0;
    if (before) this.#overlay.handles.closed(node, mode, request);
    if (backingId !== 0 && (this.#overlay.handles.countsOf(node)?.backingId ?? 0) === 0) {
      this.#backing?.close(backingId);
      this.#passedRenders.delete(node);
    }
    return isWritingHandle(handle);
  }
}

/** Whether a program may write through a handle. */
export function isWritingHandle(handle: bigint): boolean {
  const mode = modeOf(handle);
  return mode === 'writing' || mode === 'passed-writing';
}

function identityOf(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
}

/** A file's size and mtime as an open descriptor sees them. */
export function statOpen(fd: number): { sizeBytes: number; mtimeMs: number } {
  const stat = fstatSync(fd);
  return { sizeBytes: stat.size, mtimeMs: stat.mtimeMs };
}

/** Source files kept open for reads that are not passed through, least recently used first out. */
export class SourceDescriptors {
  readonly #open = new Map<number, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The descriptor for a node, opened when it isn't yet. @throws the system's error. */
  get(node: number, path: string): number {
    let fd = this.#open.get(node);
    if (fd !== undefined) this.#open.delete(node);
    else {
      fd = openSync(path, 'r');
      if (this.#open.size >= this.#limit) {
        const oldest = this.#open.entries().next().value;
        if (oldest) {
          this.#open.delete(oldest[0]);
          closeSync(oldest[1]);
        }
      }
    }
    this.#open.set(node, fd);
    return fd;
  }

  /** Closes all: nodes may stand for other files now. */
  clear(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  forget(node: number): void {
    const fd = this.#open.get(node);
    if (fd === undefined) return;
    this.#open.delete(node);
    closeSync(fd);
  }
}
