import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import {
  HUGE_NAME,
  PLANE_BYTES,
  PLANE_PIXELS_AT,
  pagePixelsAt,
  planeName,
  planePixels,
  RUN_FOLDER,
} from './soak-files.ts';

/** One reader of the soak. */
export interface ReaderData {
  readonly mountpoint: string;
  readonly seed: number;
  readonly noise: SharedArrayBuffer;
  /** Planes that are whole: of the files, of the growing file. */
  readonly planes: SharedArrayBuffer;
  readonly pages: SharedArrayBuffer;
  /** Files of the plate, put together as they are read. */
  readonly stacks: readonly string[];
  /** One number: 0 before anything is written, 1 while it is, 2 once it is over. */
  readonly phase: SharedArrayBuffer;
}

/**
 * What is read: a file of the plate before anything is written, the same while it is, a file that was written, the
 * file that is being written.
 */
export type ReadKind = 'alone' | 'plate' | 'written' | 'growing';

/** Milliseconds of every read, open and close included. */
export type ReaderReport = Readonly<Record<ReadKind, readonly number[]>>;

const READ_BYTES = 64 * 1024;
/** A program does something with what it reads. */
const REST_MS = 20;
const PAST_THE_CACHE = constants.O_RDONLY | constants.O_DIRECT;

const { mountpoint, seed, noise, planes, pages, stacks, phase } = workerData as ReaderData;
const pause = new Int32Array(new SharedArrayBuffer(4));
const now = new Int32Array(phase);
const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
const times: Record<ReadKind, number[]> = { alone: [], plate: [], written: [], growing: [] };
let state = seed + 1;

function chance(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

function readAt(path: string, at: (sizeBytes: number) => number): void {
  const fd = openSync(path, PAST_THE_CACHE);
  try {
    const got = readSync(fd, buffer, 0, READ_BYTES, at(fstatSync(fd).size));
    if (got !== READ_BYTES) throw new Error(`${got} bytes of ${path}`);
  } finally {
    closeSync(fd);
  }
}

function timed(kind: ReadKind, read: () => void): void {
  const startMs = performance.now();
  read();
  times[kind].push(performance.now() - startMs);
}

function check(plane: number, at: number, path: string): void {
  if (Buffer.compare(buffer, planePixels(noise, plane).subarray(at, at + READ_BYTES)) !== 0)
    throw new Error(`wrong bytes in ${path}, plane ${plane}, from byte ${at} of its pixels on`);
}

/** Part of a plane that is whole; the last ones mostly, as people look at what comes. */
function readPlane(kind: 'written' | 'growing', count: number): void {
  if (count === 0) return;
  const plane = chance(2) === 0 ? chance(count) : count - 1 - chance(Math.min(count, 16));
  const at = chance((PLANE_BYTES - READ_BYTES) / 4096) * 4096;
  const isGrowing = kind === 'growing';
  const path = join(mountpoint, isGrowing ? HUGE_NAME : `${RUN_FOLDER}/${planeName(plane)}`);
  timed(kind, () => readAt(path, () => at + (isGrowing ? pagePixelsAt(plane) : PLANE_PIXELS_AT)));
  check(plane, at, path);
}

const ALONE = 0;
const OVER = 2;
for (let is = Atomics.load(now, 0); is !== OVER; is = Atomics.load(now, 0)) {
  const kind = is === ALONE ? 0 : chance(3);
  if (kind === 0) {
    const stack = stacks[chance(stacks.length)] ?? '';
    timed(is === ALONE ? 'alone' : 'plate', () =>
      readAt(stack, (sizeBytes) => chance((sizeBytes - READ_BYTES) / 4096) * 4096),
    );
  } else if (kind === 1) readPlane('written', Atomics.load(new Int32Array(planes), 0));
  else readPlane('growing', Atomics.load(new Int32Array(pages), 0));
  Atomics.wait(pause, 0, 0, REST_MS);
}
parentPort?.postMessage(times);
