import type { Bench } from '../bench.ts';
import { compare, type Row } from '../figure.ts';
import { linkPlate } from '../generated-plate.ts';
import { HARMONY_WELL_PLANES, makeHarmonyExport } from '../harmony-export.ts';
import { idleMemory } from '../process-memory.ts';

const PLANES = 240_000;
const QUICK_PLANES = 8 * HARMONY_WELL_PLANES;
const MIB = 2 ** 20;

/**
 * Memory per plane above a mount of two planes, of a plate whose metadata tells the most of each: positions, times
 * and field numbers. All processes, at rest: of the mount that indexed it, and of one that found its index.
 */
export async function indexMemory(bench: Bench): Promise<Row[]> {
  const planes = bench.options.quick ? QUICK_PLANES : PLANES;
  const large = bench.newFolder('described');
  makeHarmonyExport(large, planes);
  const base = bench.newFolder('base');
  linkPlate(base, { rows: 1, columns: 1, sites: 1, channels: 2, zSteps: 1, timePoints: 1 });
  const rest = async (root: string): Promise<number> => {
    const mount = bench.mounts.mount(root);
    const { rssMb } = await idleMemory(mount.status.pid);
    bench.mounts.umount(mount);
    return rssMb;
  };
  const first = await rest(large);
  await rest(base);
  const ours: number[] = [];
  const bases: number[] = [];
  for (let round = 0; round < Math.min(3, bench.options.rounds); round++) {
    bases.push(await rest(base));
    ours.push(await rest(large));
  }
  const perPlane = (rssMb: number, round: number): number =>
    ((rssMb - (bases[round] ?? Number.NaN)) * MIB) / planes;
  const note = `the base is ${Math.round(bases[0] ?? 0)} MiB`;
  const common = { unit: 'B/plane', sense: 'less' } as const;
  return [
    compare({
      ...common,
      measure: `index memory of ${planes} Harmony planes, RSS above the base`,
      ours: ours.map(perPlane),
      bar: '≤ 300 B',
      isMet: (figure) => figure <= 300,
      note,
    }),
    compare({
      ...common,
      measure: `index memory of ${planes} Harmony planes, the mount that indexed them`,
      ours: [perPlane(first, 0)],
      reference: { name: 'a mount that found the index', values: ours.map(perPlane) },
      bar: '',
    }),
  ];
}
