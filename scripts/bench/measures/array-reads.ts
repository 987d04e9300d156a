import { basename, dirname, join } from 'node:path';
import { setReadAhead } from '../../../src/fuse/connection.ts';
import { mountAt } from '../../../src/fuse/mount-table.ts';
import { MAX_READ_BYTES } from '../../../src/fuse/protocol.ts';
import { missingArrayPeer, pixelFiles, timePeerRead } from '../array-stores.ts';
import type { Bench } from '../bench.ts';
import { timeClient } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import type { OwnMount } from '../own-mounts.ts';
import { canDropCaches, dropCaches } from '../page-cache.ts';
import { buildPeer, startPeer } from '../peer.ts';

/** As the mount has it. */
const READ_AHEAD_KIB = (4 * MAX_READ_BYTES) / 1024;

const stackOf = (mount: OwnMount, store: string): string => join(mount.path, store, 'stacks', 'cells.tif');

/**
 * Past the page cache: what is measured of a mount begins once its reader threads run and have the store open. The first
 * page alone would not wait for them: it is a header, which is answered without one.
 */
const wake = (stack: string): void => {
  timeClient('ends', 1, stack);
};

const PEER_THREADS = 4;

/** Reads a store's files through C libfuse3, which splices them: what FUSE without passthrough gives here at most. */
async function throughPeer(
  bench: Bench,
  program: string,
  store: string,
  read: (paths: readonly string[]) => number,
): Promise<number> {
  const mountpoint = bench.mounts.newMountpoint();
  const stop = await startPeer(program, dirname(store), mountpoint, PEER_THREADS, { splice: true });
  try {
    const connection = mountAt(mountpoint)?.minor;
    if (connection !== undefined && canDropCaches) setReadAhead(connection, READ_AHEAD_KIB);
    return read(pixelFiles(join(mountpoint, basename(store))));
  } finally {
    await stop();
  }
}

/**
 * Stacks over stores whose pixels lie as they are, against reading the stores' own files, and against a file system in
 * user space that does no more than pass these on.
 */
export async function plainArrays(bench: Bench): Promise<Row[]> {
  const missing = missingArrayPeer();
  if (missing !== undefined) return [{ measure: 'stack read, uncompressed arrays', skipped: missing }];
  const { folder, planes, side } = bench.arrayStores();
  const bytes = planes * side * side * 2;
  const rate = (paths: readonly string[]): number =>
    bytes / 1e9 / (timeClient('read', 1, ...paths)[0] ?? Number.NaN);
  const rows: Row[] = [];
  const peer = buildPeer();
  for (const [store, name] of [
    ['plain.zarr', 'uncompressed Zarr'],
    ['plain.h5', 'contiguous HDF5'],
  ] as const) {
    const sources = pixelFiles(join(folder, store));
    const ours = { cold: [] as number[], warm: [] as number[] };
    const native = { cold: [] as number[], warm: [] as number[] };
    const peers: number[] = [];
    for (let round = 0; round < bench.options.rounds; round++) {
      const mount = bench.mounts.mount(folder);
      const stack = stackOf(mount, store);
      wake(stack);
      const turns = [
        { paths: sources, rates: native },
        { paths: [stack], rates: ours },
      ];
      if (round % 2 === 1) turns.reverse();
      if (canDropCaches)
        for (const { paths, rates } of turns) {
          dropCaches();
          rates.cold.push(rate(paths));
        }
      if (canDropCaches) dropCaches();
      rate(sources);
      for (const { paths, rates } of turns) rates.warm.push(rate(paths));
      if ('path' in peer) peers.push(await throughPeer(bench, peer.path, join(folder, store), rate));
      bench.mounts.umount(mount);
    }
    const row = (what: string, key: keyof typeof ours, leastGbPerS: number): Row =>
      compare({
        measure: `stack read, ${name}, ${what}`,
        unit: 'GB/s',
        sense: 'more',
        ours: ours[key],
        reference: { name: "the store's files", values: native[key] },
        paired: true,
        bar: leastGbPerS > 0 ? `≥ 0.5, ≥ ${leastGbPerS} GB/s` : '≥ 0.5',
        isMet: (figure, ratio) => ratio >= 0.5 && figure >= leastGbPerS,
      });
    if (canDropCaches) rows.push(row('cold disk', 'cold', 0));
    rows.push(
      row('store in the page cache', 'warm', 1.5),
      'missing' in peer
        ? { measure: `stack read, ${name}, against C libfuse3`, skipped: peer.missing }
        : compare({
            measure: `stack read, ${name}, store in the page cache`,
            unit: 'GB/s',
            sense: 'more',
            ours: ours.warm,
            reference: { name: "the store's files through C libfuse3, spliced", values: peers },
            paired: true,
            bar: '',
          }),
    );
  }
  return rows;
}

/** Stacks over compressed stores that lie in the page cache, read for the first time, against Python reading the arrays. */
export function compressedArrays(bench: Bench): Row[] {
  const missing = missingArrayPeer();
  if (missing !== undefined) return [{ measure: 'stack read, compressed arrays', skipped: missing }];
  const { folder, planes, side } = bench.arrayStores();
  const gigabytes = (planes * side * side * 2) / 1e9;
  const rows: Row[] = [];
  for (const { store, name, peer, least } of COMPRESSED) {
    const ours: number[] = [];
    const theirs: number[] = [];
    const path = join(folder, store);
    timeClient('read', 1, ...pixelFiles(path));
    for (let round = 0; round < bench.options.rounds; round++) {
      const mount = bench.mounts.mount(folder);
      const stack = stackOf(mount, store);
      wake(stack);
      const turns = [
        () => ours.push(gigabytes / (timeClient('read', 1, stack)[0] ?? Number.NaN)),
        () => theirs.push(gigabytes / timePeerRead(path)),
      ];
      for (const turn of round % 2 === 1 ? turns.toReversed() : turns) turn();
      bench.mounts.umount(mount);
    }
    rows.push(
      compare({
        measure: `stack read, ${name}`,
        unit: 'GB/s',
        sense: 'more',
        ours,
        reference: { name: peer, values: theirs },
        paired: true,
        bar: `≥ ${least.toFixed(1)}`,
        isMet: (_, ratio) => ratio >= least,
      }),
    );
  }
  return rows;
}

const OPENS = 1000;
const WINDOWS = 300;

/** The first byte of stacks over stores, and windows of 256² pixels anywhere in them: how long a program waits. */
export function arrayAccess(bench: Bench): Row[] {
  const missing = missingArrayPeer();
  if (missing !== undefined) return [{ measure: 'windows out of arrays', skipped: missing }];
  const { folder, planes, side } = bench.arrayStores();
  const stores = ['plain.zarr', 'plain.h5', 'blosc.zarr', 'gzip.h5'];
  const firstMs = new Map(stores.map((store) => [store, [] as number[]]));
  const windowMs = new Map(stores.map((store) => [store, [] as number[]]));
  const quantile = (seconds: readonly number[], share: number): number =>
    1000 * (seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length * share)] ?? Number.NaN);
  for (let round = 0; round < bench.options.rounds; round++) {
    const mount = bench.mounts.mount(folder);
    // All of them before the first is measured: threads start and code is compiled for a while after a mount's first read.
    for (const store of stores) {
      wake(stackOf(mount, store));
      timeClient('first', OPENS, stackOf(mount, store));
    }
    for (const store of stores) {
      const stack = stackOf(mount, store);
      firstMs.get(store)?.push(quantile(timeClient('first', OPENS, stack), 0.99));
      windowMs.get(store)?.push(quantile(timeClient('window', WINDOWS, stack, side, side, planes), 0.5));
    }
    bench.mounts.umount(mount);
  }
  const row = (measure: string, values: readonly number[] = [], mostMs: number): Row =>
    compare({
      measure,
      unit: 'ms',
      sense: 'less',
      ours: values,
      bar: `≤ ${mostMs} ms`,
      isMet: (figure) => figure <= mostMs,
    });
  return stores.flatMap((store) => [
    row(`first byte of a stack over ${store}, warm, p99`, firstMs.get(store), 1),
    row(`a random window of 256² out of a stack over ${store}`, windowMs.get(store), 2),
  ]);
}

const COMPRESSED = [
  { store: 'blosc.zarr', name: 'Zarr of Blosc (LZ4)', peer: 'zarr-python', least: 1 },
  { store: 'gzip.h5', name: 'HDF5 of gzip', peer: 'h5py', least: 0.7 },
  { store: 'gzip-shuffle.h5', name: 'HDF5 of gzip and shuffle', peer: 'h5py', least: 0.7 },
] as const;
