import { closeSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { explain, FsRefusal, SourceChangedError, SourceNotReadyError } from '../core/errors.ts';
import { writeFully } from '../core/io.ts';
import { whenReady } from '../core/when-ready.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import { MountReader } from './mount-reader.ts';
import { ReaderCounters } from './reader-counters.ts';

/** What a render thread is started with. */
export interface RendererData {
  readonly mount: SharedMount;
  /** Memory of the {@link ReaderCounters}, for a thread that is to work only while nobody reads. */
  readonly counters?: SharedArrayBuffer;
}

/** Main thread to render thread: write all of a rendered file to a path. */
export interface RenderTask {
  readonly node: number;
  /** How long it will be. */
  readonly sizeBytes: number;
  readonly temporaryPath: string;
  /** Where it is there already, nothing is written. */
  readonly presentKeys: readonly string[];
}

/** Render thread to main thread. */
export type FromRenderer =
  | { readonly type: 'written'; readonly doneBytes: number }
  | { readonly type: 'present'; readonly key: string }
  | { readonly type: 'rendered'; readonly key: string; readonly sizeBytes: number; readonly checksum: number }
  | { readonly type: 'failed'; readonly message: string };

/** A step is as large as the largest READ. */
const STEP_BYTES = 1 << 20;
const PROGRESS_BYTES = 32 << 20;
const PAUSE_MS = 50;
/** Enough for the strips or chunks that two steps share. */
const DECODED_BYTES = 16 << 20;

const { mount, counters: countersMemory } = workerData as RendererData;
const counters = countersMemory && ReaderCounters.over(countersMemory);
/** Of this thread alone: Linux has them by thread. */
if (counters) setPriority(constants.priority.PRIORITY_LOW);
const tell = (message: FromRenderer): void => parentPort?.postMessage(message);

const files = await MountReader.open(mount, new ByteCache(DECODED_BYTES));

const pause = new Int32Array(new SharedArrayBuffer(4));
let servedBytes = counters?.figures().servedBytes;

/** Waits until nobody has read for a moment, where this thread is to stand back. */
function standBack(): void {
  for (
    let now = counters?.figures().servedBytes;
    now !== servedBytes;
    now = counters?.figures().servedBytes
  ) {
    servedBytes = now;
    Atomics.wait(pause, 0, 0, PAUSE_MS);
  }
}

/** @returns its size and the CRC-32 of its bytes. */
function write(node: number, fd: number): { sizeBytes: number; checksum: number } {
  const step = Buffer.allocUnsafeSlow(STEP_BYTES);
  let done = 0;
  let checksum = 0;
  for (;;) {
    standBack();
    const got = files.read(node, done, step);
    if (got === 0) return { sizeBytes: done, checksum };
    const part = step.subarray(0, got);
    writeFully(fd, part, done);
    checksum = crc32(part, checksum);
    const before = done;
    done += got;
    if (Math.floor(done / PROGRESS_BYTES) > Math.floor(before / PROGRESS_BYTES))
      tell({ type: 'written', doneBytes: done });
  }
}

function render({ node, sizeBytes: wholeBytes, temporaryPath, presentKeys }: RenderTask): FromRenderer {
  try {
    // What one task has seen is not to be taken for what the next one finds.
    files.forget();
    const key = files.keyOf(node);
    if (key === undefined)
      throw new FsRefusal(
        'not-supported',
        'nobody can tell when its source changes: it lies in too many files to be asked, or is no image or array on a server',
      );
    if (presentKeys.includes(key)) return { type: 'present', key };
    const fd = openSync(temporaryPath, 'wx', 0o600);
    try {
      // In memory, large pages are used inside of files only, and not for what makes them longer.
      ftruncateSync(fd, wholeBytes);
      const { sizeBytes, checksum } = write(node, fd);
      // Nor is what a server said before.
      files.forget();
      if (files.keyOf(node) !== key)
        throw new SourceChangedError(files.pathOf(node), 'its source was written while it was read', {
          advice: 'try again when the plate rests',
        });
      return { type: 'rendered', key, sizeBytes, checksum };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    rmSync(temporaryPath, { force: true });
    if (error instanceof SourceNotReadyError) throw error;
    return { type: 'failed', message: explain(error) };
  }
}

async function serve(task: RenderTask): Promise<void> {
  let answer: FromRenderer;
  try {
    answer = await whenReady(() => render(task));
  } catch (error) {
    answer = { type: 'failed', message: explain(error) };
  }
  tell(answer);
}

parentPort?.on('message', (task: RenderTask) => void serve(task));
