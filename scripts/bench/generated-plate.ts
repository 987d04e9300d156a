import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PlateIndexBuilder } from '../../src/model/plate-index-builder.ts';
import { bufferOf } from '../../src/model/plate-index-columns.ts';
import { saveCachedIndex } from '../../src/tree/index-cache.ts';
import { htdText } from '../plate-maker/metadata-text.ts';
import { letRest } from './bench.ts';
import { LinkedFiles } from './linked-files.ts';
import {
  fileName,
  filesOfStep,
  PLATE_NAME,
  type PlateGeometry,
  planesOf,
  plateText,
  stepFolder,
  stepsOf,
  tinyImage,
} from './plate-geometry.ts';

/** A plate that exists as an index in the cache and as folders; of its images, only each field's first. */
export interface GeneratedPlate {
  readonly folder: string;
  readonly planes: number;
  readonly indexBytes: number;
}

const FIRST_STEP = stepFolder(1, 1);

function makeFolders(folder: string, geometry: PlateGeometry): LinkedFiles {
  for (const { t, z } of stepsOf(geometry)) mkdirSync(join(folder, stepFolder(t, z)), { recursive: true });
  writeFileSync(join(folder, `${PLATE_NAME}.HTD`), htdText(plateText(geometry)));
  const image = join(folder, FIRST_STEP, fileName({ row: 0, column: 0, site: 1, channel: 1 }));
  writeFileSync(image, tinyImage());
  return new LinkedFiles(image);
}

/** Makes an ImageXpress plate, all images being one, and lets it rest. */
export function linkPlate(folder: string, geometry: PlateGeometry): void {
  const images = makeFolders(folder, geometry);
  for (const { t, z } of stepsOf(geometry))
    for (const place of filesOfStep(geometry))
      if (t > 1 || z > 1 || place.row + place.column > 0 || place.site > 1 || place.channel > 1)
        images.add(join(folder, stepFolder(t, z), fileName(place)));
  letRest(folder);
}

/**
 * Makes the folders of a plate and puts its index where a mount finds it, as if it had been mounted before: names,
 * sizes and times of all files are in it.
 */
export function generatePlate(folder: string, cacheHome: string, geometry: PlateGeometry): GeneratedPlate {
  const images = makeFolders(folder, geometry);
  for (const place of filesOfStep(geometry))
    if (place.channel === 1 && place.row + place.column + place.site > 1)
      images.add(join(folder, FIRST_STEP, fileName(place)));
  letRest(folder);
  const statOf = (path: string): { mtimeMs: number; inode: bigint } => {
    const { mtimeNs, ino } = statSync(path, { bigint: true });
    return { mtimeMs: Number(mtimeNs) / 1e6, inode: ino };
  };
  const builder = new PlateIndexBuilder(folder, statOf(folder));
  let parent = 0;
  for (const { t, z } of stepsOf(geometry)) {
    const timePoint = `TimePoint_${t}`;
    if (z === 1) parent = builder.addDirectory(0, timePoint, statOf(join(folder, timePoint)));
    const step = builder.addDirectory(parent, `ZStep_${z}`, statOf(join(folder, stepFolder(t, z))));
    for (const place of filesOfStep(geometry)) {
      const file = builder.addFile(step, fileName(place));
      builder.addPlane(file, place.row, place.column, place.site, place.channel, z, t, '.tif');
    }
  }
  const facts = { name: PLATE_NAME, format: 'imagexpress', formatDetail: 'generated', channels: [] };
  const index = builder.finish(facts);
  const { size, mtimeMs } = statSync(
    join(folder, FIRST_STEP, fileName({ row: 0, column: 0, site: 1, channel: 1 })),
  );
  index.files.sizeBytes.fill(size);
  index.files.mtimeMs.fill(mtimeMs);
  saveCachedIndex(join(cacheHome, 'platefs', 'index'), folder, index, Date.now(), (message) => {
    throw new Error(message);
  });
  return { folder, planes: planesOf(geometry), indexBytes: bufferOf(index)?.byteLength ?? 0 };
}
