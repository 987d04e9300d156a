import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { timeIndexing, timeProgram } from '../child.ts';
import { compare, median, type Row } from '../figure.ts';
import { linkPlate } from '../generated-plate.ts';
import { canDropCaches, dropCaches } from '../page-cache.ts';
import { type PlateGeometry, planesOf } from '../plate-geometry.ts';

const PLATE: PlateGeometry = { rows: 10, columns: 25, sites: 4, channels: 4, zSteps: 5, timePoints: 10 };
const SMALL: PlateGeometry = { rows: 1, columns: 5, sites: 2, channels: 2, zSteps: 5, timePoints: 10 };

/** A first look at a plate of 200,000 files, on a cold disk, and a second mount of it when nothing has changed. */
export function largePlate(bench: Bench): Row[] {
  const geometry = { ...PLATE, rows: bench.options.quick ? 1 : PLATE.rows };
  const planes = planesOf(geometry);
  const root = bench.newFolder('large');
  const small = bench.newFolder('small');
  linkPlate(root, geometry);
  linkPlate(small, SMALL);
  const ours: number[] = [];
  const cpu: number[] = [];
  const found: number[] = [];
  const rounds = Math.max(3, bench.options.rounds);
  for (let round = 0; round < rounds; round++) {
    if (canDropCaches) dropCaches();
    found.push(timeProgram('find', [root, '-type', 'f']));
    if (canDropCaches) dropCaches();
    const run = timeIndexing(root, planes);
    ours.push(run.seconds);
    cpu.push(run.cpuSeconds);
  }
  const again = remounts(bench, root, rounds);
  return [
    compare({
      measure: `ImageXpress index of ${planes} files${canDropCaches ? ', cold disk' : ' (caches not dropped: not root)'}`,
      unit: 's',
      sense: 'less',
      ours,
      reference: { name: 'find -type f', values: found },
      paired: true,
      bar: '≤ 4 s',
      isMet: (figure) => figure <= 4,
      note: `${median(cpu).toFixed(2)} s of CPU`,
    }),
    compare({
      measure: `re-mount of ${planes} unchanged planes until the first ls`,
      unit: 's',
      sense: 'less',
      ours: again,
      reference: { name: `the same of ${planesOf(SMALL)} planes`, values: remounts(bench, small, rounds) },
      bar: '≤ 1 s',
      isMet: (figure) => figure <= 1,
    }),
  ];
}

/** Seconds from the command to the first listing, of a plate that was mounted before. */
export function remounts(bench: Bench, root: string, rounds: number, listed = ''): number[] {
  const mountpoint = bench.mounts.newMountpoint();
  bench.mounts.umount(bench.mounts.mount(root, [], mountpoint));
  const seconds = Array.from({ length: rounds }, () => {
    const startMs = performance.now();
    const mount = bench.mounts.mount(root, [], mountpoint);
    timeProgram('ls', ['-U', join(mountpoint, listed)]);
    const taken = (performance.now() - startMs) / 1000;
    bench.mounts.umount(mount);
    return taken;
  });
  rmSync(mountpoint, { recursive: true });
  return seconds;
}
