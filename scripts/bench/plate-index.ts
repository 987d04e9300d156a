/**
 * Figures of the plate index as JSON lines: `node scripts/bench/plate-index.ts [--planes 50000] [--folder DIR]`.
 * Each ratio is against something measured in the same run. A folder that is given is used as it is and kept.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PlateIndexBuilder } from '../../src/model/plate-index-builder.ts';
import { bufferOf } from '../../src/model/plate-index-columns.ts';
import { filePath, planeByName, planeName } from '../../src/model/plate-lookup.ts';
import { openPlate } from '../../src/tree/open-plate.ts';
import { makePlate } from '../plate-maker/plate-maker.ts';
import { plateOfPlanes } from '../plate-maker/plate-options.ts';

const { values } = parseArgs({
  options: { planes: { type: 'string', default: '50000' }, folder: { type: 'string' } },
});
const planes = Number(values.planes);
const signal = new AbortController().signal;

function report(measure: string, figures: Record<string, number | string | boolean>): void {
  console.log(JSON.stringify({ measure, ...figures }));
}

const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

/** Median of some runs, in ms. */
async function medianMs(runs: number, work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < runs; i += 1) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[Math.floor(runs / 2)] ?? 0;
}

async function benchPlate(scratch: string): Promise<void> {
  const folder = values.folder ?? join(scratch, 'plate');
  if (values.folder === undefined) {
    const start = performance.now();
    await makePlate(folder, plateOfPlanes(planes));
    report('make plate', { planes, seconds: round((performance.now() - start) / 1000) });
    // At rest, as a plate is that was not written this very moment.
    const past = new Date(Date.now() - 3_600_000);
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
      if (entry.isDirectory()) utimesSync(join(entry.parentPath, entry.name), past, past);
    utimesSync(folder, past, past);
  }
  const open = (cacheDir: string | null) => openPlate(folder, { signal, cacheDir });
  const { index } = await open(null);
  const count = index.planes.count;
  const coldMs = await medianMs(5, () => open(null));
  const names = Array.from({ length: count }, (_, i) => [
    planeName(index, i),
    join(index.rootPath, filePath(index, index.planes.files[i] ?? 0)),
  ]);
  let farms = 0;
  const farmMs = await medianMs(3, () => {
    farms += 1;
    const farm = join(scratch, `farm${farms}`);
    mkdirSync(farm);
    for (const [name = '', target = ''] of names) symlinkSync(target, join(farm, name));
  });
  report('index without cache', {
    planes: count,
    directories: index.directories.count,
    ms: round(coldMs),
    usPerPlane: round((coldMs * 1000) / count),
    symlinkFarmMs: round(farmMs),
    ratioToSymlinkFarm: round(coldMs / farmMs, 3),
  });
  const cacheDir = join(scratch, 'cache');
  const { fromCache: first } = await open(cacheDir);
  let hits = 0;
  const warmMs = await medianMs(9, async () => {
    if ((await open(cacheDir)).fromCache) hits += 1;
  });
  const [entry = ''] = readdirSync(cacheDir);
  report('index from cache', {
    planes: count,
    ms: round(warmMs),
    hits,
    firstFromCache: first,
    cacheBytes: statSync(join(cacheDir, entry)).size,
    ratioToIndexing: round(warmMs / coldMs, 4),
  });
}

/** A plate of a million planes that exists only as an index. */
function benchMillion(): void {
  const before = process.memoryUsage().rss;
  const start = performance.now();
  const builder = new PlateIndexBuilder('/plate');
  const stat = { mtimeMs: 0, inode: 1n };
  for (let t = 1; t <= 10; t += 1) {
    const timePoint = builder.addDirectory(0, `TimePoint_${t}`, stat);
    for (let z = 1; z <= 10; z += 1) {
      const step = builder.addDirectory(timePoint, `ZStep_${z}`, stat);
      for (let well = 0; well < 250; well += 1)
        for (let site = 1; site <= 10; site += 1)
          for (let channel = 1; channel <= 4; channel += 1) {
            const row = Math.floor(well / 24);
            const file = builder.addFile(
              step,
              `Screen_7_plate_12_${row}x${well % 24}_s${site}_w${channel}.tif`,
            );
            builder.addPlane(file, row, well % 24, site, channel, z, t, '.tif');
          }
    }
  }
  const index = builder.finish({ name: 'p', format: 'bench', formatDetail: '', channels: [] });
  const buildMs = performance.now() - start;
  const { count } = index.planes;
  const names: string[] = [];
  for (let i = 0; i < 100_000; i += 1)
    names.push(Buffer.from(planeName(index, (i * 7919) % count)).toString());
  const lookups = 1_000_000;
  const misses = names.map((name) => `${name}x`);
  let found = 0;
  for (const name of names) if (planeByName(index, name) !== undefined) found += 1;
  const timed = (list: readonly string[]): number => {
    const begin = performance.now();
    for (let i = 0; i < lookups; i += 1)
      if (planeByName(index, list[i % list.length] ?? '') !== undefined) found += 1;
    return ((performance.now() - begin) * 1000) / lookups;
  };
  const hitUs = timed(names);
  const missUs = timed(misses);
  globalThis.gc?.();
  report('index of a million planes', {
    planes: count,
    buildMs: round(buildMs),
    indexBytes: bufferOf(index)?.byteLength ?? 0,
    bytesPerPlane: round((bufferOf(index)?.byteLength ?? 0) / count),
    rssGrowthBytes: process.memoryUsage().rss - before,
    lookupUs: round(hitUs, 3),
    lookupMissUs: round(missUs, 3),
    found,
  });
}

const scratch = mkdtempSync(join(tmpdir(), 'platefs-bench-'));
try {
  benchMillion();
  await benchPlate(scratch);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
