import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { runScript, timeClient, timeProgram } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { canDropCaches, dropCaches } from '../page-cache.ts';

/** Indexing, as a first mount does it, against making symlinks of the same names whose targets are known. */
export async function indexing(bench: Bench): Promise<Row[]> {
  const { root, planes } = await bench.wholePlate();
  const count = planes.length;
  const list = join(bench.folder, 'links.json');
  const perPlane = (seconds: number | undefined): number => ((seconds ?? Number.NaN) * 1e6) / count;
  const ours: number[] = [];
  const farms: number[] = [];
  for (let round = 0; round < bench.options.rounds; round++) {
    const farm = join(bench.folder, `farm${round}`);
    mkdirSync(farm);
    writeFileSync(
      list,
      JSON.stringify(planes.map(({ name, source }) => [join(farm, name), join(root, source)])),
    );
    if (canDropCaches) dropCaches();
    ours.push(perPlane(runScript('index-once.ts', [root]) as number));
    if (canDropCaches) dropCaches();
    farms.push(perPlane(timeClient('link', list)[0]));
  }
  return [
    compare({
      measure: `index of ${count} planes${canDropCaches ? ', cold' : ' (caches not dropped: not root)'}`,
      unit: 'µs/plane',
      sense: 'less',
      ours,
      reference: { name: 'symlink farm', values: farms },
      bar: '≤ 1 and ≤ 18 µs',
      isMet: (figure, ratio) => ratio <= 1 && figure <= 18,
    }),
  ];
}

/** From the command to the first listing, of a plate that was mounted before. */
export async function remounting(bench: Bench): Promise<Row[]> {
  const { root, planes } = await bench.wholePlate();
  const mountpoint = bench.mounts.newMountpoint();
  const first = bench.mounts.mount(root, [], mountpoint);
  bench.mounts.umount(first);
  const roots: number[] = [];
  const images: number[] = [];
  for (let round = 0; round < Math.max(3, bench.options.rounds); round++) {
    for (const [figures, listed] of [
      [roots, mountpoint],
      [images, join(mountpoint, 'images')],
    ] as const) {
      const startMs = performance.now();
      const mount = bench.mounts.mount(root, [], mountpoint);
      timeProgram('ls', ['-U', listed]);
      figures.push((performance.now() - startMs) / 1000);
      bench.mounts.umount(mount);
    }
  }
  rmSync(mountpoint, { recursive: true });
  const row = (what: string, ours: number[]): Row =>
    compare({
      measure: `re-mount of ${planes.length} unchanged planes until ${what}`,
      unit: 's',
      sense: 'less',
      ours,
      bar: '≤ 0.5 s',
      isMet: (figure) => figure <= 0.5,
    });
  return [row('the first ls', roots), row('ls of images/ is done', images)];
}
