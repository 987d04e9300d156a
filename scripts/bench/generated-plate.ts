import { linkSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PlateIndexBuilder } from '../../src/model/plate-index-builder.ts';
import { bufferOf } from '../../src/model/plate-index-columns.ts';
import { wellName } from '../../src/model/well.ts';
import { saveCachedIndex } from '../../src/tree/index-cache.ts';
import { htdText } from '../plate-maker/metadata-text.ts';
import { DEFAULT_PLATE } from '../plate-maker/plate-options.ts';
import { tiffFile } from '../plate-maker/tiff-file.ts';
import { letRest } from './bench.ts';

const COLUMNS = 25;
const SITES = 10;
const CHANNELS = 4;
const STEPS = 10;
const NAME = 'Screen_7_plate_12';
const SIZE_PX = 64;

/** A plate that exists as an index in the cache and as folders; of its images, only each field's first. */
export interface GeneratedPlate {
  readonly folder: string;
  readonly planes: number;
  readonly indexBytes: number;
}

/**
 * Makes the folders of a plate of a million planes and puts its index where a mount finds it, as if it had been
 * mounted before: names, sizes and times of all files are in it.
 */
export function generatePlate(folder: string, cacheHome: string, quick: boolean): GeneratedPlate {
  const rows = quick ? 1 : 10;
  const fileName = (row: number, column: number, site: number, channel: number): string =>
    `${NAME}_${wellName({ row, column })}_s${site}_w${channel}.tif`;
  const wells = Array.from({ length: rows * COLUMNS }, (_, i) =>
    wellName({ row: Math.floor(i / COLUMNS), column: i % COLUMNS }),
  );
  const options = {
    ...DEFAULT_PLATE,
    plateName: NAME,
    wells,
    sites: SITES,
    channels: ['DAPI', 'FITC', 'Texas Red', 'Cy5'].slice(0, CHANNELS),
    zSteps: STEPS,
    timePoints: STEPS,
    width: SIZE_PX,
    height: SIZE_PX,
  };
  const paths = Array.from({ length: STEPS * STEPS }, (_, i) => ({
    t: 1 + Math.floor(i / STEPS),
    z: 1 + (i % STEPS),
  }));
  for (const { t, z } of paths) mkdirSync(join(folder, `TimePoint_${t}`, `ZStep_${z}`), { recursive: true });
  const htd = join(folder, `${NAME}.HTD`);
  writeFileSync(htd, htdText(options));
  const image = join(folder, 'TimePoint_1', 'ZStep_1', fileName(0, 0, 1, 1));
  writeFileSync(image, tinyImage());
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < COLUMNS; column++)
      for (let site = 1; site <= SITES; site++) {
        const path = join(folder, 'TimePoint_1', 'ZStep_1', fileName(row, column, site, 1));
        if (path !== image) linkSync(image, path);
      }
  letRest(folder);
  const statOf = (path: string): { mtimeMs: number; inode: bigint } => {
    const { mtimeNs, ino } = statSync(path, { bigint: true });
    return { mtimeMs: Number(mtimeNs) / 1e6, inode: ino };
  };
  const builder = new PlateIndexBuilder(folder, statOf(folder));
  for (let t = 1; t <= STEPS; t++) {
    const timePoint = join(folder, `TimePoint_${t}`);
    const parent = builder.addDirectory(0, `TimePoint_${t}`, statOf(timePoint));
    for (let z = 1; z <= STEPS; z++) {
      const step = builder.addDirectory(parent, `ZStep_${z}`, statOf(join(timePoint, `ZStep_${z}`)));
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < COLUMNS; column++)
          for (let site = 1; site <= SITES; site++)
            for (let channel = 1; channel <= CHANNELS; channel++) {
              const file = builder.addFile(step, fileName(row, column, site, channel));
              builder.addPlane(file, row, column, site, channel, z, t, '.tif');
            }
    }
  }
  const index = builder.finish({
    name: NAME,
    format: 'imagexpress',
    formatDetail: 'generated',
    channels: [],
  });
  const { size, mtimeMs } = statSync(image);
  index.files.sizeBytes.fill(size);
  index.files.mtimeMs.fill(mtimeMs);
  const cacheDir = join(cacheHome, 'platefs', 'index');
  saveCachedIndex(cacheDir, folder, index, Date.now(), (message) => {
    throw new Error(message);
  });
  return { folder, planes: index.planes.count, indexBytes: bufferOf(index)?.byteLength ?? 0 };
}

function tinyImage(): Buffer {
  return tiffFile({
    width: SIZE_PX,
    height: SIZE_PX,
    pixels: new Uint16Array(SIZE_PX * SIZE_PX).fill(200),
    description: '',
    dateTime: '20240709 13:13:03.006',
    compression: 'none',
    rowsPerStrip: SIZE_PX,
    directoryFirst: true,
  });
}
