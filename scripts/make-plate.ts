/**
 * Makes an ImageXpress plate: `node scripts/make-plate.ts OUT --wells A01-B03 --sites 2 …`.
 * The same options and seed give the same bytes.
 */
import { existsSync, readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { makePlate } from './plate-maker/plate-maker.ts';
import { DEFAULT_PLATE, type PlateOptions, parseWells, plateOfPlanes } from './plate-maker/plate-options.ts';

const USAGE = `node scripts/make-plate.ts OUT [options]
  --name NAME           plate name (${DEFAULT_PLATE.plateName})
  --wells A01-B03,H12   wells, as rectangles (${DEFAULT_PLATE.wells.join(',')})
  --sites N             fields per well (${DEFAULT_PLATE.sites})
  --channels A,B        wave names (${DEFAULT_PLATE.channels.join(',')})
  --z N --t N           z steps and time points (${DEFAULT_PLATE.zSteps}, ${DEFAULT_PLATE.timePoints})
  --size N              width and height in pixels (${DEFAULT_PLATE.width})
  --shape S             export, database or flat
  --projections         maximum projections as well
  --thumbnails          _thumb images as well
  --no-htd              no HTD file
  --compression C       none, lzw or deflate
  --missing a,b         planes to leave out: A01_s001_w1_z001_t001
  --planes N            exactly N tiny planes, fast
  --seed N`;

const CHOICES = {
  shape: ['export', 'database', 'flat'],
  compression: ['none', 'lzw', 'deflate'],
} as const;

function choice<K extends keyof typeof CHOICES>(key: K, text: string): (typeof CHOICES)[K][number] {
  const found = CHOICES[key].find((value) => value === text);
  if (found === undefined) throw new Error(`--${key} ${text}: choose ${CHOICES[key].join(', ')}`);
  return found;
}

function whole(key: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${key} ${text}: give a whole number from 1`);
  return value;
}

function readOptions(): { out: string; options: Partial<PlateOptions> } {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      name: text,
      wells: text,
      sites: text,
      channels: text,
      z: text,
      t: text,
      size: text,
      shape: text,
      projections: flag,
      thumbnails: flag,
      'no-htd': flag,
      compression: text,
      missing: text,
      planes: text,
      seed: text,
    },
  });
  const [out] = positionals;
  if (out === undefined || positionals.length > 1) throw new Error(USAGE);
  const size = values.size === undefined ? undefined : whole('size', values.size);
  return {
    out,
    options: {
      ...(values.planes === undefined ? {} : plateOfPlanes(whole('planes', values.planes))),
      ...(values.name === undefined ? {} : { plateName: values.name }),
      ...(values.wells === undefined ? {} : { wells: parseWells(values.wells) }),
      ...(values.sites === undefined ? {} : { sites: whole('sites', values.sites) }),
      ...(values.channels === undefined ? {} : { channels: values.channels.split(',') }),
      ...(values.z === undefined ? {} : { zSteps: whole('z', values.z) }),
      ...(values.t === undefined ? {} : { timePoints: whole('t', values.t) }),
      ...(size === undefined ? {} : { width: size, height: size }),
      ...(values.shape === undefined ? {} : { shape: choice('shape', values.shape) }),
      ...(values.compression === undefined ? {} : { compression: choice('compression', values.compression) }),
      ...(values.missing === undefined ? {} : { missing: values.missing.split(',') }),
      ...(values.seed === undefined ? {} : { seed: whole('seed', values.seed) }),
      projections: values.projections ?? false,
      thumbnails: values.thumbnails ?? false,
      htd: !(values['no-htd'] ?? false),
    },
  };
}

try {
  const { out, options } = readOptions();
  if (existsSync(out) && readdirSync(out).length > 0)
    throw new Error(`${out} is not empty: name a new folder, so that nothing is overwritten`);
  const start = performance.now();
  let shownAt = 0;
  const { planes, root } = await makePlate(out, options, (done, total) => {
    if (performance.now() - shownAt < 250 && done < total) return;
    shownAt = performance.now();
    process.stderr.write(`\r${done} of ${total} planes`);
  });
  process.stderr.write('\n');
  console.log(`${planes.length} planes in ${root} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
