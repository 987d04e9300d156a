import { spawn } from 'node:child_process';
import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { timeProgram } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { generatePlate } from '../generated-plate.ts';
import type { PlateGeometry } from '../plate-geometry.ts';
import { idleMemory, memoryOf, type ProcessMemory, processesOf } from '../process-memory.ts';

const PLATE: PlateGeometry = { rows: 12, columns: 25, sites: 10, channels: 4, zSteps: 5, timePoints: 5 };
const LOOK_EVERY_MS = 20;
/** 50 MB. */
const BAR_MIB = 50e6 / 2 ** 20;
const COUNT_ROWS = 'import csv, sys; print(sum(1 for _ in csv.reader(open(sys.argv[1], newline=""))))';

interface OneRead {
  readonly seconds: number;
  /** The most memory at a look while it ran. */
  readonly most: ProcessMemory;
}

const larger = (one: ProcessMemory, other: ProcessMemory): ProcessMemory => ({
  rssMb: Math.max(one.rssMb, other.rssMb),
  pssMb: Math.max(one.pssMb, other.pssMb),
  anonymousMb: Math.max(one.anonymousMb, other.anonymousMb),
});

/** Reads a file with `cat` and looks at the memory of the mount's processes meanwhile. */
async function readOnce(path: string, pid: number): Promise<OneRead> {
  const startMs = performance.now();
  const cat = spawn('sh', ['-c', 'cat "$0" > /dev/null', path], { stdio: 'inherit' });
  const ended = new Promise<number>((resolve, reject) => {
    cat.once('error', reject);
    cat.once('exit', (code) =>
      code === 0
        ? resolve((performance.now() - startMs) / 1000)
        : reject(new Error(`cat ended with ${code}`)),
    );
  });
  let seconds: number | undefined;
  void ended.then(
    (taken) => {
      seconds = taken;
    },
    () => {},
  );
  const pids = processesOf(pid);
  let most = memoryOf(pids);
  while (seconds === undefined && cat.exitCode === null) {
    await delay(LOOK_EVERY_MS);
    most = larger(most, memoryOf(pids));
  }
  return { seconds: await ended, most: larger(most, memoryOf(pids)) };
}

/**
 * CellProfiler's list of images, read from a mount that has just begun, against Python reading the same rows. Memory
 * is that above what the same processes had just before; and, where they had rested and so had given back what they
 * started with, the memory that is no file's.
 */
export async function loadData(bench: Bench): Promise<Row[]> {
  const geometry = { ...PLATE, rows: bench.options.quick ? 1 : PLATE.rows };
  const { folder, planes } = generatePlate(bench.newFolder('listed'), bench.mounts.cacheHome, geometry);
  const copy = join(bench.folder, 'LoadData.csv');
  const ours: number[] = [];
  const python: number[] = [];
  const growth: number[] = [];
  const begun: number[] = [];
  const anonymousGrowth: number[] = [];
  const anonymousAtRest: number[] = [];
  for (let round = 0; round < Math.max(3, bench.options.rounds); round++) {
    const mount = bench.mounts.mount(folder);
    const path = join(mount.path, 'tables', 'LoadData.csv');
    const before = memoryOf(processesOf(mount.status.pid));
    const { seconds, most } = await readOnce(path, mount.status.pid);
    ours.push(seconds);
    begun.push(before.rssMb);
    growth.push(most.rssMb - before.rssMb);
    copyFileSync(path, copy);
    bench.mounts.umount(mount);
    const rested = bench.mounts.mount(folder);
    const rest = await idleMemory(rested.status.pid);
    const later = await readOnce(join(rested.path, 'tables', 'LoadData.csv'), rested.status.pid);
    bench.mounts.umount(rested);
    anonymousAtRest.push(rest.anonymousMb);
    anonymousGrowth.push(later.most.anonymousMb - rest.anonymousMb);
    python.push(timeProgram('python3', ['-c', COUNT_ROWS, copy]));
  }
  const megabytes = Math.round(statSync(copy).size / 1e6);
  return [
    compare({
      measure: `LoadData.csv of ${planes} planes, ${megabytes} MB, fresh daemon`,
      unit: 's',
      sense: 'less',
      ours,
      reference: { name: "Python's csv reads a copy", values: python },
      bar: '≤ 5 s',
      isMet: (figure) => figure <= 5,
    }),
    compare({
      measure: 'most memory meanwhile, RSS of all processes, above what they had before',
      unit: 'MiB',
      sense: 'less',
      ours: growth,
      reference: { name: 'the mount before', values: begun },
      bar: '≤ 50 MB',
      isMet: (figure) => figure <= BAR_MIB,
    }),
    compare({
      measure: 'the same of a mount that rested, memory that is no file’s',
      unit: 'MiB',
      sense: 'less',
      ours: anonymousGrowth,
      reference: { name: 'the mount at rest', values: anonymousAtRest },
      bar: '≤ 50 MB',
      isMet: (figure) => figure <= BAR_MIB,
    }),
  ];
}
