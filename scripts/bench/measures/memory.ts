import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { compare, type Row } from '../figure.ts';
import { generatePlate } from '../generated-plate.ts';
import { cpuTicks, memoryOf, type ProcessMemory, processesOf } from '../process-memory.ts';

const LOOK_EVERY_MS = 1000;
const IDLE_TICKS = 2;
const IDLE_LOOKS = 3;
const LOOKS_MAX = 120;

/** Memory of a mount that has nothing to do any more: no CPU time over some looks. */
async function idleMemory(daemonPid: number): Promise<ProcessMemory> {
  const pids = processesOf(daemonPid);
  let ticks = cpuTicks(pids);
  let idle = 0;
  for (let look = 0; look < LOOKS_MAX && idle < IDLE_LOOKS; look++) {
    await delay(LOOK_EVERY_MS);
    const now = cpuTicks(pids);
    idle = now - ticks <= IDLE_TICKS ? idle + 1 : 0;
    ticks = now;
  }
  if (idle < IDLE_LOOKS) throw new Error('the daemon did not come to rest');
  return memoryOf(pids);
}

/** Resident memory over all processes of an idle mount, of a whole plate and of a million planes. */
export async function memory(bench: Bench): Promise<Row[]> {
  const { root, planes } = await bench.wholePlate();
  const million = generatePlate(bench.newFolder('million'), bench.mounts.cacheHome, bench.options.quick);
  const small: ProcessMemory[] = [];
  const large: ProcessMemory[] = [];
  for (let round = 0; round < Math.min(3, bench.options.rounds); round++) {
    for (const [plate, figures] of [
      [root, small],
      [million.folder, large],
    ] as const) {
      const mount = bench.mounts.mount(plate);
      figures.push(await idleMemory(mount.status.pid));
      if (plate === million.folder && mount.status.planes !== million.planes)
        throw new Error(`the generated index was not used: ${mount.status.planes} planes`);
      bench.mounts.umount(mount);
    }
  }
  const rss = small.map(({ rssMb }) => rssMb);
  const pss = small.map(({ pssMb }) => pssMb);
  const growth = large.map(({ rssMb }, round) => rssMb - (rss[round] ?? Number.NaN));
  const common = { unit: 'MiB', sense: 'less' } as const;
  return [
    compare({
      ...common,
      measure: `idle memory, ${planes.length} planes, RSS of all processes`,
      ours: rss,
      reference: { name: 'PSS: shared pages once', values: pss },
      bar: '≤ 150 MiB',
      isMet: (figure) => figure <= 150,
    }),
    compare({
      ...common,
      measure: `idle memory, ${million.planes} planes, above that`,
      ours: growth,
      reference: { name: 'bytes of the index', values: [million.indexBytes / 2 ** 20] },
      bar: '≤ 300 MiB',
      isMet: (figure) => figure <= 300,
    }),
  ];
}
