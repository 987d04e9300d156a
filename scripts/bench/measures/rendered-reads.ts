import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Bench, FIELD_SIDE } from '../bench.ts';
import { windowPlace } from '../chance-numbers.ts';
import { timeClient, timeProgram } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import type { OwnMount } from '../own-mounts.ts';

const PLANE_BYTES = FIELD_SIDE * FIELD_SIDE * 2;
const COMPRESSED_PLANES = 64;
/** More than can be kept decoded. */
const WINDOW_PLANES = 96;
const OPENS = 2000;
const WINDOWS = 300;
const LOOK_EVERY_MS = 50;
const KEPT_TIMEOUT_MS = 30_000;
/** Metrics are told as they were when they were asked for within this time. */
const METRICS_KEPT_MS = 1100;

const stackOf = (mount: OwnMount, site = 1): string => join(mount.path, 'stacks', `A01_s00${site}.tif`);

async function decodedBytes({ path }: OwnMount): Promise<number> {
  await delay(METRICS_KEPT_MS);
  const text = readFileSync(join(path, '.platefs', 'metrics'), 'utf8');
  return Number(/^platefs_decoded_bytes_total (\d+)$/m.exec(text)?.[1]);
}

/** A stack over LZW planes, read for the first time, against tiffcp decoding the same files into memory. */
export async function compressedStack(bench: Bench): Promise<Row[]> {
  const measure = 'stack read, LZW planes';
  const { root, planes } = await bench.compressedField(COMPRESSED_PLANES);
  const sources = planes.map(({ source }) => join(root, source));
  const gigabytes = (COMPRESSED_PLANES * PLANE_BYTES) / 1e9;
  const plain = join(bench.memoryFolder, 'plain.tif');
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < bench.options.rounds; round++) {
    theirs.push(gigabytes / timeProgram('tiffcp', ['-c', 'none', ...sources, plain]));
    const mount = bench.mounts.mount(root);
    // The first read of a mount starts the reader threads.
    timeClient('first', 1, stackOf(mount));
    ours.push(gigabytes / (timeClient('read', 1, stackOf(mount))[0] ?? Number.NaN));
    bench.mounts.umount(mount);
  }
  return [
    compare({
      measure,
      unit: 'GB/s',
      sense: 'more',
      ours,
      reference: { name: 'tiffcp -c none', values: theirs },
      paired: true,
      bar: '≥ 1.0',
      isMet: (_, ratio) => ratio >= 1,
    }),
  ];
}

/**
 * From open(2) to the first page of a stack, past the page cache: what a program waits before it knows the shape. Of
 * many files in turn, each of which was opened before.
 */
export async function firstByte(bench: Bench): Promise<Row[]> {
  const { root } = await bench.manyFields();
  const ours: number[] = [];
  const mount = bench.mounts.mount(root);
  const folder = join(mount.path, 'stacks');
  const paths = readdirSync(folder).map((name) => join(folder, name));
  // The readers start with the first read, and take processors for a while.
  timeClient('ends', 1, paths[0] ?? '');
  timeClient('first', OPENS, ...paths);
  for (let round = 0; round < bench.options.rounds; round++) {
    const times = timeClient('first', OPENS, ...paths).toSorted((a, b) => a - b);
    ours.push(1000 * (times[Math.floor(times.length * 0.99)] ?? Number.NaN));
  }
  bench.mounts.umount(mount);
  return [
    compare({
      measure: 'first byte of a stack, warm, p99',
      unit: 'ms',
      sense: 'less',
      ours,
      bar: '≤ 1 ms',
      isMet: (figure) => figure <= 1,
    }),
  ];
}

/** Planes in which a window lies. */
const planesTouched = (): number =>
  new Set(Array.from({ length: WINDOWS }, (_, pass) => windowPlace(pass).plane % WINDOW_PLANES)).size;

/**
 * Windows of 256² pixels anywhere in a stack: how long one takes, and how much is decoded for those of a stack that is
 * larger than what is kept decoded, by the size of the planes they lie in.
 */
export async function randomWindow(bench: Bench): Promise<Row[]> {
  const { root, planes } = await bench.fields();
  const compressed = await bench.compressedField(WINDOW_PLANES);
  const fieldPlanes = planes.filter(({ site }) => site === 1).length;
  const times: number[] = [];
  const amplification: number[] = [];
  const shape = [FIELD_SIDE, FIELD_SIDE];
  for (let round = 0; round < bench.options.rounds; round++) {
    const mount = bench.mounts.mount(root);
    timeClient('first', 1, stackOf(mount));
    const taken = timeClient('window', WINDOWS, stackOf(mount), ...shape, fieldPlanes);
    times.push(1000 * (taken.toSorted((a, b) => a - b)[taken.length >> 1] ?? Number.NaN));
    bench.mounts.umount(mount);
    const other = bench.mounts.mount(compressed.root);
    timeClient('window', WINDOWS, stackOf(other), ...shape, WINDOW_PLANES);
    amplification.push((await decodedBytes(other)) / (planesTouched() * PLANE_BYTES));
    bench.mounts.umount(other);
  }
  return [
    compare({
      measure: 'a random window of 256² out of a stack',
      unit: 'ms',
      sense: 'less',
      ours: times,
      bar: '≤ 2 ms',
      isMet: (figure) => figure <= 2,
    }),
    compare({
      measure: `decoded for windows in ${WINDOW_PLANES} planes, by the size of those planes`,
      unit: '×',
      sense: 'less',
      ours: amplification,
      bar: '≤ 1.2',
      isMet: (figure) => figure <= 1.2,
    }),
  ];
}

/**
 * A stack read again: at once, from the page cache of a file system in user space; once it is kept, which happens by
 * itself when nobody reads; and brought to the cold cache. Against a copy of it on the disk that was read before, which
 * lies in large pages there. At once it lies in pages of 4 KiB, as a file of /dev/shm does: the second reference.
 */
export async function secondRead(bench: Bench): Promise<Row[]> {
  const { root } = await bench.compressedField(COMPRESSED_PLANES);
  const mount = bench.mounts.mount(root);
  const native = join(bench.folder, 'copy.tif');
  const small = join(bench.memoryFolder, 'copy.tif');
  for (const copy of [native, small]) copyFileSync(stackOf(mount), copy);
  const gigabytes = (COMPRESSED_PLANES * PLANE_BYTES) / 1e9;
  const rate = (path: string): number => gigabytes / (timeClient('read', 2, path)[1] ?? Number.NaN);
  const measured = async (measure: string, prepare: () => void | Promise<void>): Promise<Row[]> => {
    const ours: number[] = [];
    const natives: number[] = [];
    const smalls: number[] = [];
    for (let round = 0; round < bench.options.rounds; round++) {
      await prepare();
      ours.push(rate(stackOf(mount)));
      natives.push(rate(native));
      smalls.push(rate(small));
    }
    const common = { unit: 'GB/s', sense: 'more', ours, paired: true } as const;
    const row = compare({
      ...common,
      measure,
      reference: { name: 'a native file', values: natives },
      bar: '≥ 0.9',
      isMet: (_, ratio) => ratio >= 0.9,
    });
    const inSmallPages = { name: 'a file in /dev/shm', values: smalls };
    return [
      row,
      compare({ ...common, measure: `${measure}, pages of 4 KiB`, reference: inSmallPages, bar: '' }),
    ];
  };
  const rows = [
    ...(await measured('second read of a stack over LZW planes, at once', () =>
      bench.mounts.drop(stackOf(mount)),
    )),
    ...(
      await measured('second read of a stack over LZW planes, once it is kept', () => untilKept(bench, mount))
    ).slice(0, 1),
  ];
  bench.mounts.warm(stackOf(mount));
  bench.mounts.umount(mount);
  const again = bench.mounts.mount(root, ['-o', 'hot-cache=off'], mount.path);
  rows.push(...(await measured('second read of a stack over LZW planes, warmed', () => {})).slice(0, 1));
  bench.mounts.umount(again);
  return rows;
}

/** @throws when a file that was read whole is not kept in time. */
async function untilKept(bench: Bench, mount: OwnMount): Promise<void> {
  timeClient('read', 1, stackOf(mount));
  const untilMs = performance.now() + KEPT_TIMEOUT_MS;
  while ((bench.mounts.status(mount).hot?.files ?? 0) === 0) {
    if (performance.now() > untilMs) throw new Error('a stack that was read whole is not kept');
    await delay(LOOK_EVERY_MS);
  }
}
