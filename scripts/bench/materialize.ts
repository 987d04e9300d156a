/**
 * Landing planes from tmpfs to disk, durable, against zarr-python writing the same arrays with the same compressor
 * and chunks in the same run: as it is (one process as a user starts it, its bytes not synced), and with an fsync of
 * every file and folder at its end, which is what landing promises. The three take turns. JSON lines.
 *
 *   node scripts/bench/materialize.ts [folder on the disk to measure [width of a plane: 512 or 2048 [rounds]]]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Materializer } from '../../src/materializer/materializer.ts';
import type { SealedFile } from '../../src/materializer/sealed-file.ts';
import { planeStem } from '../../src/model/plane-name.ts';
import { HEADER_BYTES, planeFile } from './camera-plane.ts';
import { median } from './figure.ts';

const ROUNDS = Number(process.argv[4] ?? 3);
const CHANNELS = 4;
const never = new AbortController().signal;

interface BenchSet {
  readonly sizePx: number;
  readonly planes: number;
  readonly frames: number;
}

const SETS: readonly BenchSet[] = [
  { sizePx: 512, planes: 400, frames: 5 },
  { sizePx: 2048, planes: 24, frames: 3 },
];

const PYTHON = `
import sys, time, os, numpy, zarr
from numcodecs import Blosc
folder, out, size, fields, frames, channels, sync, header = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
names = sorted(os.listdir(folder))
planes = [numpy.fromfile(os.path.join(folder, n), dtype='u2', offset=header).reshape(size, size) for n in names]
os.sync()
start = time.perf_counter()
store = zarr.NestedDirectoryStore(out)
root = zarr.group(store=store)
i = 0
for f in range(fields):
    a = root.create_dataset(f'A/{f:02d}/0/0', shape=(frames, channels, 1, size, size), chunks=(1, 1, 1, size, size), dtype='u2',
                            compressor=Blosc('lz4', 5, 1), dimension_separator='/')
    for t in range(frames):
        for c in range(channels):
            a[t, c, 0] = planes[i]; i += 1
if sync:
    for folder, _, files in os.walk(out, topdown=False):
        for path in [os.path.join(folder, f) for f in files] + [folder]:
            fd = os.open(path, os.O_RDONLY); os.fsync(fd); os.close(fd)
print(time.perf_counter() - start)
`;

let folders = 0;

/** A new folder each time: ext4 avoids inodes deleted in the last seconds, and looking for others costs more than writing. */
const freshFolder = (): string => join(disk, String(folders++));

const disk = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'platefs-bench-'));
const memory = mkdtempSync('/dev/shm/platefs-bench-');
try {
  const wanted = process.argv[3];
  for (const set of SETS) if (wanted === undefined || wanted === String(set.sizePx)) await measure(set);
} finally {
  rmSync(disk, { recursive: true, force: true });
  rmSync(memory, { recursive: true, force: true });
}

async function measure({ sizePx, planes, frames }: BenchSet): Promise<void> {
  const input = join(memory, String(sizePx));
  mkdirSync(input);
  const distinct = Array.from({ length: 8 }, (_, seed) => planeFile(sizePx, seed + 1));
  const fields = planes / (frames * CHANNELS);
  const files: SealedFile[] = [];
  for (let plane = 0; plane < planes; plane++) {
    const field = Math.floor(plane / (frames * CHANNELS));
    const stem = planeStem({
      well: { row: 0, column: field },
      site: 1,
      channel: 1 + (plane % CHANNELS),
      z: 1,
      t: 1 + (Math.floor(plane / CHANNELS) % frames),
    });
    const path = join(input, `${String(plane).padStart(4, '0')}.tif`);
    writeFileSync(path, distinct[plane % distinct.length] ?? Buffer.alloc(0));
    const { size, mtimeMs } = statSync(path);
    const pieces = [{ path, offsetBytes: 0, sizeBytes: size }];
    files.push({ inode: plane + 1, mountPath: `images/${stem}.tif`, sizeBytes: size, mtimeMs, pieces });
  }
  const pixelMb = (planes * sizePx * sizePx * 2) / 1e6;
  const rates = { ours: [] as number[], python: [] as number[], synced: [] as number[] };
  const rate = (seconds: number): number => Math.round(pixelMb / seconds);
  for (let round = 0; round < ROUNDS; round++) {
    rates.ours.push(rate(await land(files)));
    rates.python.push(rate(python(input, sizePx, fields, frames, false)));
    rates.synced.push(rate(python(input, sizePx, fields, frames, true)));
  }
  const ratio = (reference: readonly number[]): number =>
    Number((median(rates.ours) / median(reference)).toFixed(2));
  console.log(
    JSON.stringify({
      bench: 'materialize',
      planes,
      plane: `${sizePx}x${sizePx} uint16`,
      pixelMb: Math.round(pixelMb),
      mbPerSecond: rates.ours,
      zarrPythonMbPerSecond: rates.python,
      zarrPythonSyncedMbPerSecond: rates.synced,
      ratio: ratio(rates.python),
      ratioSynced: ratio(rates.synced),
    }),
  );
}

/** Lands everything; the workers have been started by one small file, as they are in a daemon that is written to. */
async function land(files: readonly SealedFile[]): Promise<number> {
  const outputDir = freshFolder();
  const materializer = await Materializer.open({ outputDir, workers: 2 }, never);
  const [first] = files;
  const warm = [0, 1, 2, 3].map((index) => ({ ...first, inode: -1 - index, mountPath: `warm/${index}.tif` }));
  await materializer.land(warm as SealedFile[], never);
  spawnSync('sync');
  const start = performance.now();
  const results = await materializer.land(files, never);
  const seconds = (performance.now() - start) / 1000;
  await materializer.close();
  for (const result of results) if ('error' in result) throw result.error;
  return seconds;
}

function python(input: string, sizePx: number, fields: number, frames: number, sync: boolean): number {
  const options = [sizePx, fields, frames, CHANNELS, sync ? 1 : 0, HEADER_BYTES].map(String);
  const run = spawnSync('/usr/bin/python3', ['-c', PYTHON, input, freshFolder(), ...options], {
    encoding: 'utf8',
  });
  if (run.status !== 0) {
    console.error(`zarr-python was not measured: ${run.stderr}`);
    return Number.NaN;
  }
  return Number(run.stdout);
}
