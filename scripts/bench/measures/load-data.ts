import { spawn } from 'node:child_process';
import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { timeProgram } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { generatePlate } from '../generated-plate.ts';
import type { PlateGeometry } from '../plate-geometry.ts';
import { idleMemory, memoryOf, processesOf } from '../process-memory.ts';

const PLATE: PlateGeometry = { rows: 12, columns: 25, sites: 10, channels: 4, zSteps: 5, timePoints: 5 };
const LOOK_EVERY_MS = 20;
const COUNT_ROWS = 'import csv, sys; print(sum(1 for _ in csv.reader(open(sys.argv[1], newline=""))))';

/** Seconds that `cat` takes, and the most memory that the mount's processes had at a look while it ran. */
async function readOnce(path: string, pid: number): Promise<{ seconds: number; rssMb: number }> {
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
  let rssMb = 0;
  while (seconds === undefined && cat.exitCode === null) {
    rssMb = Math.max(rssMb, memoryOf(processesOf(pid)).rssMb);
    await delay(LOOK_EVERY_MS);
  }
  return { seconds: await ended, rssMb: Math.max(rssMb, memoryOf(processesOf(pid)).rssMb) };
}

/** CellProfiler's list of images, read from a mount that has just begun, against Python reading the same rows. */
export async function loadData(bench: Bench): Promise<Row[]> {
  const geometry = { ...PLATE, rows: bench.options.quick ? 1 : PLATE.rows };
  const { folder, planes } = generatePlate(bench.newFolder('listed'), bench.mounts.cacheHome, geometry);
  const copy = join(bench.folder, 'LoadData.csv');
  const ours: number[] = [];
  const python: number[] = [];
  const growth: number[] = [];
  const idle: number[] = [];
  for (let round = 0; round < Math.max(3, bench.options.rounds); round++) {
    const mount = bench.mounts.mount(folder);
    const path = join(mount.path, 'tables', 'LoadData.csv');
    const { seconds, rssMb } = await readOnce(path, mount.status.pid);
    ours.push(seconds);
    copyFileSync(path, copy);
    bench.mounts.umount(mount);
    const unread = bench.mounts.mount(folder);
    const { rssMb: restMb } = await idleMemory(unread.status.pid);
    bench.mounts.umount(unread);
    idle.push(restMb);
    growth.push(rssMb - restMb);
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
      measure: 'most memory meanwhile, RSS of all processes, above an idle mount',
      unit: 'MiB',
      sense: 'less',
      ours: growth,
      reference: { name: 'the idle mount', values: idle },
      bar: '≤ 50 MiB',
      isMet: (figure) => figure <= 50,
    }),
  ];
}
