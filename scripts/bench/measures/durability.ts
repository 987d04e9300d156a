import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DURABILITIES } from '../../../src/model/mount-definition.ts';
import type { Bench } from '../bench.ts';
import { timeClient } from '../child.ts';
import { compare, type Row } from '../figure.ts';

const SIZES = [
  { name: '8 MiB', sizeBytes: 8 << 20, files: 16 },
  { name: '64 KiB', sizeBytes: 64 << 10, files: 200 },
  { name: '4 KiB', sizeBytes: 4 << 10, files: 200 },
] as const;

/**
 * New files, each written and closed, in every durability mode; against the same on the disk that holds the state, with
 * fsync before each close, in the same rounds.
 */
export async function durability(bench: Bench): Promise<Row[]> {
  const { root } = await bench.fields();
  const rows: Row[] = [];
  const disk = bench.newFolder('synced');
  const mounts = DURABILITIES.map((mode) => ({
    mode,
    mount: bench.mounts.mount(root, [
      ...['--budget', '2GiB', '--durability', mode],
      ...['--output', bench.newFolder(`out-${mode}`), '--state', bench.newFolder(`state-${mode}`)],
    ]),
  }));
  for (const { name, sizeBytes, files } of SIZES) {
    const count = bench.options.quick ? Math.ceil(files / 4) : files;
    const rate = (folder: string, syncs: boolean): number => {
      const target = join(folder, 'synced-files');
      mkdirSync(target);
      const [seconds = Number.NaN] = timeClient(
        'files',
        count,
        target,
        String(sizeBytes),
        syncs ? 'fsync' : 'close',
      );
      rmSync(target, { recursive: true });
      return count / seconds;
    };
    const theirs: number[] = [];
    const ours = mounts.map((): number[] => []);
    for (let round = 0; round < Math.max(3, bench.options.rounds); round++) {
      theirs.push(rate(disk, true));
      for (const [i, { mount }] of mounts.entries()) ours[i]?.push(rate(mount.path, false));
    }
    for (const [i, { mode }] of mounts.entries())
      rows.push(
        compare({
          measure: `${name} files written and closed, --durability ${mode}`,
          unit: 'files/s',
          sense: 'more',
          ours: ours[i] ?? [],
          reference: { name: 'the disk itself, with fsync', values: theirs },
          bar: mode === 'close' && sizeBytes === SIZES[0].sizeBytes ? '≥ 0.7' : '',
          ...(mode === 'close' && sizeBytes === SIZES[0].sizeBytes
            ? { isMet: (_figure: number, ratio: number) => ratio >= 0.7 }
            : {}),
        }),
      );
  }
  for (const { mount } of mounts) bench.mounts.umount(mount);
  return rows;
}
