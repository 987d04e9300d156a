import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { timeClient } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { canDropCaches, dropCaches } from '../page-cache.ts';

/** Per round, one side first and the other side first in turn. */
const PAIRS = 4;

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
    const turns = [
      { paths: sources, rates: native },
      { paths: [stack], rates: ours },
    ];
    // Where the stack can't be forgotten again, it can be read for the first time only once.
    for (let pair = 0; pair < (canDropCaches ? PAIRS : 1); pair++) {
      if (canDropCaches)
        for (const { paths, rates } of turns) {
          dropCaches();
          rates.cold.push(rate(...paths));
        }
      if (canDropCaches) dropCaches();
      rate(...sources);
      for (const { paths, rates } of turns) rates.warm.push(rate(...paths));
      turns.reverse();
    }
    bench.mounts.umount(mount);
  }
  const row = (what: string, key: keyof typeof ours, bar = true): Row =>
    compare({
      measure: `stack read, uncompressed planes, ${what}`,
      unit: 'GB/s',
      sense: 'more',
      ours: ours[key],
      reference: { name: 'planes in turn', values: native[key] },
      paired: true,
      bar: bar ? '≥ 0.5' : '',
      ...(bar && { isMet: (_: number, ratio: number) => ratio >= 0.5 }),
    });
  return [
    ...(canDropCaches ? [row('cold disk', 'cold')] : []),
    row('planes in the page cache', 'warm'),
    row('planes in the page cache, the first of a mount', 'first', false),
  ];
}
