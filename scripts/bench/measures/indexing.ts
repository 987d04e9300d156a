import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { timeClient, timeIndexing } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { canDropCaches, dropCaches } from '../page-cache.ts';
import { remounts } from './large-plate.ts';

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
    ours.push(perPlane(timeIndexing(root, count).seconds));
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
  const rounds = Math.max(3, bench.options.rounds);
  const row = (what: string, ours: number[]): Row =>
    compare({
      measure: `re-mount of ${planes.length} unchanged planes until ${what}`,
      unit: 's',
      sense: 'less',
      ours,
      bar: '≤ 0.5 s',
      isMet: (figure) => figure <= 0.5,
    });
  return [
    row('the first ls', remounts(bench, root, rounds)),
    row('ls of images/ is done', remounts(bench, root, rounds, 'images')),
  ];
}
