import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { timeClient } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { canDropCaches, dropCaches } from '../page-cache.ts';

/** A stack of uncompressed planes, read from one end to the other, against reading the planes' files in turn. */
export async function stackReads(bench: Bench): Promise<Row[]> {
  const { root, planes } = await bench.fields();
  const sources = planes.filter(({ site }) => site === 1).map(({ source }) => join(root, source));
  const bytes = sources.length * 1024 * 1024 * 2;
  const rate = (...paths: string[]): number =>
    bytes / 1e9 / (timeClient('read', 1, ...paths)[0] ?? Number.NaN);
  const ours = { first: [] as number[], cold: [] as number[], warm: [] as number[] };
  const native = { first: [] as number[], cold: [] as number[], warm: [] as number[] };
  for (let round = 0; round < bench.options.rounds; round++) {
    const mount = bench.mounts.mount(root);
    const stack = join(mount.path, 'stacks', 'A01_s001.tif');
    // The mount's first stack waits for the reader threads to start.
    const other = planes.filter(({ site }) => site === 2).map(({ source }) => join(root, source));
    rate(...other);
    native.first.push(rate(...other));
    ours.first.push(rate(join(mount.path, 'stacks', 'A01_s002.tif')));
    if (canDropCaches) {
      dropCaches();
      native.cold.push(rate(...sources));
      dropCaches();
      ours.cold.push(rate(stack));
      // Forget the stack again, and know the planes.
      dropCaches();
    }
    native.warm.push(rate(...sources) && rate(...sources));
    ours.warm.push(rate(stack));
    bench.mounts.umount(mount);
  }
  const row = (what: string, key: keyof typeof ours, bar = true): Row =>
    compare({
      measure: `stack read, uncompressed planes, ${what}`,
      unit: 'GB/s',
      sense: 'more',
      ours: ours[key],
      reference: { name: 'planes in turn', values: native[key] },
      bar: bar ? '≥ 0.5' : '',
      ...(bar && { isMet: (_: number, ratio: number) => ratio >= 0.5 }),
    });
  return [
    ...(canDropCaches ? [row('cold disk', 'cold')] : []),
    row('planes in the page cache', 'warm'),
    row('planes in the page cache, the first of a mount', 'first', false),
  ];
}
