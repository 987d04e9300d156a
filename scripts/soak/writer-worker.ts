import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { classicHead, HUGE_NAME, pageHead, planeName, planePixels, RUN_FOLDER } from './soak-files.ts';

/** What one writer of the soak writes: so many planes, a file each, or as pages of one file. */
export interface WriterData {
  readonly mountpoint: string;
  readonly kind: 'planes' | 'huge';
  readonly count: number;
  readonly noise: SharedArrayBuffer;
  /** One number: planes that are whole. */
  readonly written: SharedArrayBuffer;
}

const STEP_BYTES = 1 << 20;
const { mountpoint, kind, count, noise, written } = workerData as WriterData;
const done = new Int32Array(written);
let slowestMs = 0;

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    const step = bytes.subarray(at, Math.min(bytes.length, at + STEP_BYTES));
    const startMs = performance.now();
    if (writeSync(fd, step) !== step.length) throw new Error('a short write');
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  }
}

if (kind === 'planes') {
  const head = classicHead();
  mkdirSync(join(mountpoint, RUN_FOLDER));
  for (let number = 0; number < count; number++) {
    const fd = openSync(join(mountpoint, RUN_FOLDER, planeName(number)), 'wx');
    writeAll(fd, head);
    writeAll(fd, planePixels(noise, number));
    closeSync(fd);
    Atomics.store(done, 0, number + 1);
  }
} else {
  const fd = openSync(join(mountpoint, HUGE_NAME), 'wx');
  for (let page = 0; page < count; page++) {
    writeAll(fd, pageHead(page, count));
    writeAll(fd, planePixels(noise, page));
    Atomics.store(done, 0, page + 1);
  }
  closeSync(fd);
}
parentPort?.postMessage({ slowestMs });
