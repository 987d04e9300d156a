/**
 * One field of results landed with each chunk strategy and read through the source driver's own reader: single planes
 * in a random order, and the whole field. Nothing decoded is kept between reads; files lie in the page cache. Prints
 * one JSON object.
 *
 *   node scripts/bench/read-results.ts FOLDER ROUNDS
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Materializer } from '../../src/materializer/materializer.ts';
import type { SealedFile } from '../../src/materializer/sealed-file.ts';
import { CHUNK_STRATEGIES, type ChunkStrategy } from '../../src/model/landing-format.ts';
import { planeStem } from '../../src/model/plane-name.ts';
import { ZarrLayout } from '../../src/sources/shared/zarr-planes.ts';
import { keptChunks } from '../../src/zarr/decoded-chunks.ts';
import { planeFile } from './camera-plane.ts';

const SIZE_PX = 1024;
const FRAMES = 6;
const CHANNELS = 4;
const PLANE_BYTES = 2 * SIZE_PX * SIZE_PX;
const [, , folder = '', rounds = '3'] = process.argv;

function sealedPlanes(): SealedFile[] {
  return Array.from({ length: FRAMES * CHANNELS }, (_, plane) => {
    const path = join(folder, `${plane}.tif`);
    const bytes = planeFile(SIZE_PX, plane + 1);
    writeFileSync(path, bytes);
    const well = { row: 0, column: 0 };
    const stem = planeStem({
      well,
      site: 1,
      channel: 1 + (plane % CHANNELS),
      z: 1,
      t: 1 + Math.floor(plane / CHANNELS),
    });
    const pieces = [{ path, offsetBytes: 0, sizeBytes: bytes.length }];
    return { inode: plane + 1, mountPath: `o/${stem}.tif`, sizeBytes: bytes.length, mtimeMs: 0, pieces };
  });
}

/** The field's array, as the source driver opens it. */
async function land(chunks: ChunkStrategy, files: readonly SealedFile[]): Promise<ZarrLayout> {
  const outputDir = join(folder, chunks);
  const format = { ngff: '0.5', chunks } as const;
  const room = await Materializer.open({ outputDir, workers: 2, format }, new AbortController().signal);
  try {
    for (const result of await room.land(files, new AbortController().signal))
      if ('error' in result) throw result.error;
  } finally {
    await room.close();
  }
  return ZarrLayout.read(join(outputDir, 'results.ome.zarr/A/01/0/0/zarr.json'));
}

/** Bytes that this process has read with system calls (proc(5), `rchar`). */
const bytesRead = (): number => Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

function timeReads(array: ZarrLayout, isWhole: boolean): { seconds: number; bytes: number } {
  const target = new Uint8Array(isWhole ? FRAMES * CHANNELS * PLANE_BYTES : PLANE_BYTES);
  const before = bytesRead();
  const startMs = performance.now();
  for (let read = 0; read < (isWhole ? 1 : FRAMES * CHANNELS); read++) {
    keptChunks.shrinkTo(0, false);
    const plane = (read * 7) % (FRAMES * CHANNELS);
    const start = isWhole ? [0, 0, 0, 0, 0] : [Math.floor(plane / CHANNELS), plane % CHANNELS, 0, 0, 0];
    const shape = isWhole ? array.info.shape : [1, 1, 1, SIZE_PX, SIZE_PX];
    array.readRegion({ start, shape }, target, () => {});
  }
  return { seconds: (performance.now() - startMs) / 1000, bytes: bytesRead() - before };
}

const files = sealedPlanes();
const arrays = new Map<ChunkStrategy, ZarrLayout>();
for (const chunks of CHUNK_STRATEGIES) arrays.set(chunks, await land(chunks, files));
const result = Object.fromEntries(
  CHUNK_STRATEGIES.map((chunks) => [
    chunks,
    { planeMs: [] as number[], planeBytes: [] as number[], fieldMbPerS: [] as number[] },
  ]),
);
for (let round = 0; round <= Number(rounds); round++)
  for (const [chunks, array] of arrays) {
    const planes = timeReads(array, false);
    const field = timeReads(array, true);
    // The first round compiles and fills the page cache.
    if (round === 0) continue;
    result[chunks]?.planeMs.push((1000 * planes.seconds) / files.length);
    result[chunks]?.planeBytes.push(planes.bytes / files.length);
    result[chunks]?.fieldMbPerS.push((files.length * PLANE_BYTES) / 1e6 / field.seconds);
  }
console.log(JSON.stringify(result));
