import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { wellName } from '../../../src/model/well.ts';
import type { Bench } from '../bench.ts';
import { timeProgram } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { linkPlate } from '../generated-plate.ts';
import {
  fileName,
  filesOfStep,
  type PlateGeometry,
  planesOf,
  stepFolder,
  tinyImage,
} from '../plate-geometry.ts';

const ARRIVALS = 24;
const LOOK_EVERY_MS = 10;
const SEEN_TIMEOUT_MS = 30_000;
const SMALL: PlateGeometry = { rows: 5, columns: 5, sites: 2, channels: 2, zSteps: 5, timePoints: 2 };
const LARGE: PlateGeometry = { rows: 10, columns: 25, sites: 5, channels: 4, zSteps: 5, timePoints: 2 };

/** Waits until a name is listed. @returns seconds since the call. */
async function untilListed(folder: string, name: string): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    if (readdirSync(folder).includes(name)) return (performance.now() - startMs) / 1000;
    if (performance.now() - startMs > SEEN_TIMEOUT_MS) throw new Error(`${name} did not come to ${folder}`);
    await delay(LOOK_EVERY_MS);
  }
}

async function arrivalsAt(bench: Bench, geometry: PlateGeometry): Promise<Row[]> {
  const planes = planesOf(geometry);
  const root = bench.newFolder(`growing${planes}`);
  linkPlate(root, geometry);
  const mount = bench.mounts.mount(root);
  const images = join(mount.path, 'images');
  const image = tinyImage();
  const t = geometry.timePoints + 1;
  const seconds: number[] = [];
  const finds: number[] = [];
  // A time point that begins: the first of its images is new on the plate's axes too.
  const folder = join(root, stepFolder(t, 1));
  mkdirSync(folder, { recursive: true });
  for (const place of filesOfStep(geometry)) {
    if (seconds.length === ARRIVALS) break;
    const { row, column, site, channel } = place;
    const pad = (value: number): string => String(value).padStart(3, '0');
    writeFileSync(join(folder, fileName(place)), image);
    const name = `${wellName({ row, column })}_s${pad(site)}_w${channel}_z001_t${pad(t)}.tif`;
    seconds.push(await untilListed(images, name));
    finds.push(timeProgram('find', [root, '-ls']));
  }
  bench.mounts.umount(mount);
  const common = { unit: 's', sense: 'less', bar: '≤ 2 s', isMet: (figure: number) => figure <= 2 } as const;
  const reference = { name: 'find -ls of the plate', values: finds };
  return [
    compare({
      ...common,
      measure: `a new image in ls images/ of ${planes} planes, median of ${ARRIVALS}`,
      ours: seconds,
      reference,
    }),
    compare({
      ...common,
      measure: `a new image in ls images/ of ${planes} planes, the slowest of ${ARRIVALS}`,
      ours: [Math.max(...seconds)],
      reference,
    }),
  ];
}

/** How long a whole image takes to be seen in a plate that is being acquired. */
export async function arrivals(bench: Bench): Promise<Row[]> {
  return [
    ...(await arrivalsAt(bench, SMALL)),
    ...(bench.options.quick ? [] : await arrivalsAt(bench, LARGE)),
  ];
}
