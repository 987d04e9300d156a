import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { timeClient } from '../child.ts';
import { compare, median, type Row } from '../figure.ts';
import type { OwnMount } from '../own-mounts.ts';
import { canDropCaches, dropCaches } from '../page-cache.ts';
import { buildPeer, startPeer } from '../peer.ts';

const FILE_GB = 0.064 * 1.048576;
const READS = 4096;
const WARM_PASSES = 4;
/** Per round; more of the rate that differs most, as disks do that are shared. Even: each side comes first as often. */
const PAIRS = 2;
const COLD_PAIRS = 6;
const PEER_THREADS = 4;

interface Reads {
  readonly cold: number[];
  readonly warm: number[];
  readonly randomCold: number[];
  readonly randomWarm: number[];
}

const noReads = (): Reads => ({ cold: [], warm: [], randomCold: [], randomWarm: [] });

const coldPass = (path: string): number => {
  if (canDropCaches) dropCaches();
  return timeClient('read', 1, path)[0] ?? Number.NaN;
};

function readOnce(path: string, fileGb: number, reads: Reads): void {
  // What random reads left in the cache lies there in small pieces, which are read half as fast.
  if (canDropCaches) dropCaches();
  const [, ...passes] = timeClient('read', 1 + WARM_PASSES, path);
  reads.warm.push(fileGb / median(passes));
  if (canDropCaches) dropCaches();
  const [firstRandom = Number.NaN, ...restRandom] = timeClient('random', 1 + WARM_PASSES, path);
  reads.randomCold.push(READS / 1000 / firstRandom);
  reads.randomWarm.push(READS / 1000 / median(restRandom));
}

/**
 * A verbatim plane of 256 MiB against the file it is, as root: passed through by the kernel. Read in pairs that
 * begin with the one and the other in turn.
 */
export async function passedThrough(bench: Bench): Promise<Row[]> {
  const measure = 'verbatim plane, passthrough';
  if (!canDropCaches) return [{ measure, skipped: 'the kernel passes files through for root only' }];
  const { root, planes } = await bench.hugePlane();
  const [plane] = planes;
  const source = join(root, plane?.source ?? '');
  const fileGb = statSync(source).size / 1e9;
  const mount = bench.mounts.mount(root);
  const native = noReads();
  const ours = noReads();
  const turns = [
    { path: source, reads: native },
    { path: join(mount.path, 'images', plane?.name ?? ''), reads: ours },
  ];
  for (let round = 0; round < bench.options.rounds; round++) {
    for (let pair = 0; pair < PAIRS; pair++) {
      for (const { path, reads } of turns) readOnce(path, fileGb, reads);
      turns.reverse();
    }
    for (let pair = 0; pair < COLD_PAIRS; pair++) {
      for (const { path, reads } of turns) reads.cold.push(fileGb / coldPass(path));
      turns.reverse();
    }
  }
  bench.mounts.umount(mount);
  const row = (kind: string, unit: string, key: keyof Reads): Row =>
    compare({
      measure: `${measure}: ${kind}`,
      unit,
      sense: 'more',
      ours: ours[key],
      reference: { name: 'native', values: native[key] },
      paired: true,
      bar: '≥ 0.9',
      isMet: (_, ratio) => ratio >= 0.9,
    });
  return [
    row('sequential, cold', 'GB/s', 'cold'),
    row('sequential, warm', 'GB/s', 'warm'),
    row('4K random, cold', 'thousand/s', 'randomCold'),
    row('4K random, warm', 'thousand/s', 'randomWarm'),
  ];
}

/** The source is in the page cache, the mount's file is not. */
function readThroughOnce(native: string, mounted: string): number {
  timeClient('read', 1, native);
  return FILE_GB / (timeClient('read', 1, mounted)[0] ?? Number.NaN);
}

/** The same without passthrough: a daemon that has just started, a source that is in the page cache. */
export async function notPassedThrough(bench: Bench): Promise<Row[]> {
  const { root, planes } = await bench.largePlane();
  const [plane] = planes;
  const source = join(root, plane?.source ?? '');
  const peer = buildPeer();
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < bench.options.rounds; round++) {
    const mount: OwnMount = bench.mounts.mount(root, ['-o', 'nopassthrough']);
    ours.push(readThroughOnce(source, join(mount.path, 'images', plane?.name ?? '')));
    bench.mounts.umount(mount);
    if (!('path' in peer)) continue;
    const mountpoint = bench.mounts.newMountpoint();
    const stop = await startPeer(peer.path, root, mountpoint, PEER_THREADS);
    try {
      theirs.push(readThroughOnce(source, join(mountpoint, plane?.source ?? '')));
    } finally {
      await stop();
    }
  }
  return [
    compare({
      measure: 'verbatim plane without passthrough, 64 MiB',
      unit: 'GB/s',
      sense: 'more',
      ours,
      ...(theirs.length > 0 && { reference: { name: 'C libfuse3', values: theirs } }),
      bar: '≥ 1.5 GB/s or ≥ 0.8',
      isMet: (figure, ratio) => figure >= 1.5 || ratio >= 0.8,
      ...('missing' in peer && { note: peer.missing }),
    }),
  ];
}
