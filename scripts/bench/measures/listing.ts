import { linkSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { timeProgram } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { canDropCaches, dropCaches } from '../page-cache.ts';

/**
 * `find -ls` over every plane. Cold: a daemon that has just started, and a kernel that has forgotten names and
 * inodes. Against the plate's own folders, and against one folder with the same flat names (hard links).
 */
export async function listing(bench: Bench): Promise<Row[]> {
  const { root, planes } = await bench.wholePlate();
  const flat = join(bench.folder, 'flat');
  mkdirSync(flat);
  for (const { name, source } of planes) linkSync(join(root, source), join(flat, name));
  const find = (folder: string): number => {
    if (canDropCaches) dropCaches();
    return (timeProgram('find', [folder, '-ls']) * 1e6) / planes.length;
  };
  const ours: number[] = [];
  const again: number[] = [];
  const nested: number[] = [];
  const flatly: number[] = [];
  for (let round = 0; round < bench.options.rounds; round++) {
    nested.push(find(root));
    const mount = bench.mounts.mount(root);
    const images = join(mount.path, 'images');
    ours.push(find(images));
    again.push(find(images));
    bench.mounts.umount(mount);
    flatly.push(find(flat));
  }
  const row = (measure: string, figures: number[], name: string, values: number[]): Row =>
    compare({
      measure: canDropCaches ? measure : `${measure} (caches not dropped: not root)`,
      unit: 'µs/entry',
      sense: 'less',
      ours: figures,
      reference: { name, values },
      bar: '≤ 2 and ≤ 30 µs',
      isMet: (figure, ratio) => ratio <= 2 && figure <= 30,
    });
  return [
    row(`find -ls, ${planes.length} planes, cold, fresh daemon`, ours, 'source tree on disk', nested),
    row(`find -ls, ${planes.length} planes, cold, fresh daemon`, ours, 'same flat names on disk', flatly),
    row(`find -ls, ${planes.length} planes, cold, daemon at rest`, again, 'source tree on disk', nested),
  ];
}
