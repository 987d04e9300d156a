import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeLargeHdf5, missingArrayPeer } from '../array-stores.ts';
import { type Bench, FIELD_SIDE } from '../bench.ts';
import { timeClient } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { LARGE_PLANE_BYTES, LARGE_SIDE, makeLargeZarr } from '../large-store.ts';
import type { OwnMount } from '../own-mounts.ts';
import { idleMemory, memoryOf, processesOf } from '../process-memory.ts';

const LOOK_EVERY_MS = 50;
const BUDGET_MIB = 256;
const LOGICAL_BYTES = 100e9;
const QUICK_BYTES = 1e9;

interface Scan {
  /** Resident memory of all processes of the mount, the most there was. */
  readonly mostMb: number;
  readonly idleMb: number;
  readonly seconds: number;
}

/** Reads a file from end to end. @throws when it can't be read whole. */
async function scan(mount: OwnMount, path: string): Promise<Scan> {
  timeClient('first', 1, path);
  const { rssMb: idleMb } = await idleMemory(mount.status.pid);
  const pids = processesOf(mount.status.pid);
  const startMs = performance.now();
  const dd = spawn('dd', [`if=${path}`, 'of=/dev/null', 'bs=1M', 'status=none']);
  const ended = once(dd, 'exit');
  let mostMb = 0;
  while (dd.exitCode === null && dd.signalCode === null) {
    mostMb = Math.max(mostMb, memoryOf(pids).rssMb);
    await Promise.race([ended, delay(LOOK_EVERY_MS)]);
  }
  const seconds = (performance.now() - startMs) / 1000;
  if (dd.exitCode !== 0) throw new Error(`dd ended with ${dd.exitCode ?? dd.signalCode}`);
  return { mostMb, idleMb, seconds };
}

/** A stack larger than anything that may be kept is read from end to end: what the daemon's memory grows to. */
export async function scanMemory(bench: Bench): Promise<Row[]> {
  const planes = bench.options.quick ? 256 : 4096;
  const planeBytes = FIELD_SIDE * FIELD_SIDE * 2;
  const { root } = await bench.compressedField(planes);
  const mount = bench.mounts.mount(root, ['--budget', `${BUDGET_MIB}MiB`]);
  // The one flavour that holds more than 4 GiB in a file.
  const { mostMb, idleMb } = await scan(mount, join(mount.path, 'stacks', 'A01_s001.ome.tif'));
  bench.mounts.umount(mount);
  return [
    compare({
      measure: `memory during a scan of ${(planes * planeBytes) / 2 ** 30} GiB, above the idle mount's`,
      unit: 'MiB',
      sense: 'less',
      ours: [mostMb - idleMb],
      reference: { name: 'the budget', values: [BUDGET_MIB] },
      bar: '≤ 1.0',
      isMet: (_, ratio) => ratio <= 1,
    }),
  ];
}

/** Stores of 100 GB, in little room on the disk: how their images are made, and where the mount shows them. */
const STORES = [
  {
    name: 'uncompressed Zarr',
    file: 'cells.zarr',
    make: (folder: string, planes: number) => makeLargeZarr(folder, planes, 'none'),
    stack: 'stacks/A01_s001.ome.tif',
  },
  {
    name: 'Zarr of Blosc (LZ4)',
    file: 'cells.zarr',
    make: (folder: string, planes: number) => makeLargeZarr(folder, planes, 'blosc'),
    stack: 'stacks/A01_s001.ome.tif',
  },
  {
    name: 'contiguous HDF5',
    file: 'cells.h5',
    make: (path: string, planes: number) => makeLargeHdf5(path, planes, LARGE_SIDE),
    stack: 'stacks/cells.ome.tif',
  },
] as const;

/** All of a 100 GB store through one file: resident memory of all processes of the mount, at every moment. */
export async function largeScans(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  const planes = Math.ceil((bench.options.quick ? QUICK_BYTES : LOGICAL_BYTES) / LARGE_PLANE_BYTES);
  const gigabytes = (planes * LARGE_PLANE_BYTES) / 1e9;
  for (const { name, file, make, stack } of STORES) {
    const measure = `memory of all processes during a scan of ${gigabytes.toFixed(0)} GB, ${name}`;
    const missing = file.endsWith('.h5') ? missingArrayPeer() : undefined;
    if (missing !== undefined) {
      rows.push({ measure, skipped: missing });
      continue;
    }
    console.error(`making ${gigabytes.toFixed(0)} GB of ${name}`);
    const store = join(bench.newFolder(`large ${name}`), file);
    make(store, planes);
    const mount = bench.mounts.mount(store, ['--budget', `${BUDGET_MIB}MiB`]);
    const { mostMb, idleMb, seconds } = await scan(mount, join(mount.path, stack));
    bench.mounts.umount(mount);
    rows.push(
      compare({
        measure,
        unit: 'MiB',
        sense: 'less',
        ours: [mostMb],
        reference: { name: 'the budget', values: [BUDGET_MIB] },
        bar: '≤ 1.0',
        isMet: (_, ratio) => ratio <= 1,
        note: `${idleMb.toFixed(0)} MiB before; ${(gigabytes / seconds).toFixed(2)} GB/s`,
      }),
    );
  }
  return rows;
}
