import type { Bench } from '../bench.ts';
import { compare, type Row } from '../figure.ts';
import { generatePlate } from '../generated-plate.ts';
import { idleMemory, type ProcessMemory } from '../process-memory.ts';

const MILLION = { rows: 10, columns: 25, sites: 10, channels: 4, zSteps: 10, timePoints: 10 };

/** Resident memory over all processes of an idle mount, of a whole plate and of a million planes. */
export async function memory(bench: Bench): Promise<Row[]> {
  const { root, planes } = await bench.wholePlate();
  const million = generatePlate(bench.newFolder('million'), bench.mounts.cacheHome, {
    ...MILLION,
    rows: bench.options.quick ? 1 : MILLION.rows,
  });
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
