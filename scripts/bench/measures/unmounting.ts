import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { classicHead, makeNoise, PLANE_BYTES, planeName, planePixels } from '../../soak/soak-files.ts';
import type { Bench } from '../bench.ts';
import { timeProgram } from '../child.ts';
import { compare, type Row } from '../figure.ts';

const GIB = 2 ** 30;
/** Beside what is written: so that none of it lands or goes to disk before the unmount. */
const BUDGET_SHARE = 3;

function writePlanes(folder: string, planes: number, noise: SharedArrayBuffer): void {
  mkdirSync(folder);
  const head = classicHead();
  for (let plane = 0; plane < planes; plane++)
    writeFileSync(join(folder, planeName(plane)), Buffer.concat([head, planePixels(noise, plane)]));
}

/** `platefs umount` of a mount that holds planes in memory, against cp and sync of the same files from tmpfs. */
export async function unmounting(bench: Bench): Promise<Row[]> {
  const gib = bench.options.full ? 10 : bench.options.quick ? 0.25 : 1;
  const planes = Math.round((gib * GIB) / PLANE_BYTES);
  const { root } = await bench.fields();
  const noise = makeNoise();
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < Math.max(2, Math.min(3, bench.options.rounds)); round++) {
    const budget = `${Math.ceil(gib * BUDGET_SHARE)}GiB`;
    const mount = bench.mounts.mount(root, ['--budget', budget, '-o', 'large-files=1GiB']);
    writePlanes(join(mount.path, `run${round}`), planes, noise);
    const { waiting } = bench.mounts.status(mount);
    if (waiting.files !== planes)
      throw new Error(`${planes - waiting.files} planes had landed before the unmount`);
    const startMs = performance.now();
    bench.mounts.umount(mount);
    ours.push((planes * PLANE_BYTES) / 1e3 / (performance.now() - startMs));
    const copied = join(bench.memoryFolder, 'planes');
    writePlanes(copied, planes, noise);
    const to = bench.newFolder('copied');
    const copySeconds = timeProgram('cp', ['-r', copied, to]) + timeProgram('sync', ['-f', to]);
    theirs.push((planes * PLANE_BYTES) / 1e6 / copySeconds);
    for (const folder of [copied, to]) rmSync(folder, { recursive: true });
  }
  return [
    compare({
      measure: `unmount with ${gib} GiB of planes in memory`,
      unit: 'MB/s',
      sense: 'more',
      ours,
      reference: { name: 'cp and sync', values: theirs },
      paired: true,
      bar: '≥ 0.7',
      isMet: (_, ratio) => ratio >= 0.7,
    }),
  ];
}
