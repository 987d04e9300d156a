import { allowInterruption, currentThread, interruptThread, syscallsProblem } from './syscalls.ts';

/** Cells of the shared memory. */
const THREAD = 0;
const WANTED = 1;
const SEEN = 2;
const BLOCKS = 3;
const CELLS = 4;
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 64;

/**
 * Wakes the front out of its blocking read, so that it hears messages of other threads. Nothing of the mount
 * is touched: the front's system call is interrupted by a signal to its thread. All sides hold one made from
 * the same {@link memory}.
 *
 * A signal that falls between the front's last look and its read is lost; the kicker therefore looks again
 * after 1, 2, 4 … ms until the front has been there.
 *
 * The kernel's own way, FUSE_NOTIFY_RETRIEVE on the root, is closed: current kernels take it for regular
 * files only (EINVAL), and no regular file is sure to be in the kernel's cache.
 */
export class FrontWake {
  readonly memory: SharedArrayBuffer;
  private readonly cells: Int32Array;
  private retry: NodeJS.Timeout | undefined;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.cells = new Int32Array(memory);
  }

  /** The front, once, before its first read. Does nothing where koffi does not load. */
  arm(): void {
    if (syscallsProblem() !== undefined) return;
    allowInterruption();
    Atomics.store(this.cells, THREAD, currentThread());
  }

  /** The front, before each read. @returns false when there is something to hear first. */
  mayBlock(): boolean {
    Atomics.store(this.cells, BLOCKS, 1);
    if (this.isHeard()) return true;
    Atomics.store(this.cells, BLOCKS, 0);
    return false;
  }

  /** The front, after each read. */
  awake(): void {
    Atomics.store(this.cells, BLOCKS, 0);
  }

  /** The front, before it looks for messages. */
  hear(): void {
    Atomics.store(this.cells, SEEN, Atomics.load(this.cells, WANTED));
  }

  /** Whether the front has looked for messages since the last kick. */
  isHeard(): boolean {
    return Atomics.load(this.cells, WANTED) === Atomics.load(this.cells, SEEN);
  }

  /**
   * Another thread, after it has left a message: the front will call `handler.idle()`, within microseconds
   * where it blocks.
   *
   * @returns false when the front can't be woken (it is not armed yet, or koffi does not load); then it hears
   *   with the next request, and `statfs` of the mount, asynchronously, is one.
   */
  kick(): boolean {
    Atomics.add(this.cells, WANTED, 1);
    const armed = this.interrupt();
    if (armed) this.watch(FIRST_RETRY_MS);
    return armed;
  }

  private interrupt(): boolean {
    const thread = Atomics.load(this.cells, THREAD);
    if (thread === 0) return false;
    return Atomics.load(this.cells, BLOCKS) === 0 || interruptThread(thread);
  }

  private watch(delayMs: number): void {
    if (this.retry !== undefined) return;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      if (this.isHeard()) return;
      if (this.interrupt()) this.watch(Math.min(delayMs * 2, LAST_RETRY_MS));
    }, delayMs);
    this.retry.unref();
  }
}
