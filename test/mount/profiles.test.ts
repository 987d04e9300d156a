import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import tiff from '../../src/encoders/tiff.ts';
import { mountProblem } from './harness.ts';
import { agePlate, PlateMount, PYTHON } from './plate-mount.ts';

const problem = mountProblem() ?? (existsSync(PYTHON) ? undefined : 'Debian python3 is missing');

const SIDE = 8192;
const TIMES = 40;

/** A plane of 128 MiB, all of it a hole in the disk but for its last pixel. */
function writeSparsePlane(path: string, last: number): void {
  const layout = tiff.layout({ name: 'p', shape: [1, 1, 1, SIDE, SIDE], dtype: 'uint16', channels: [] });
  const fd = openSync(path, 'w');
  try {
    for (const segment of layout.segments(0, 4096))
      if (segment.kind === 'bytes')
        writeSync(fd, segment.bytes, 0, segment.bytes.length, segment.offsetBytes);
    ftruncateSync(fd, layout.sizeBytes);
    writeSync(fd, Uint8Array.of(last, 0), 0, 2, layout.sizeBytes - 2);
  } finally {
    closeSync(fd);
  }
}

/** What stands in stacks/ and images/: size, axes and shape, and the last pixel. */
const LOOK = `
import tifffile
out = {}
d = os.path.join(mnt, 'stacks')
for n in sorted(os.listdir(d)):
    p = os.path.join(d, n)
    size = os.stat(p).st_size
    with open(p, 'rb') as f:
        f.seek(size - 2)
        last = int.from_bytes(f.read(), 'little')
    with tifffile.TiffFile(p) as t:
        out[n] = [size < 2**32, t.is_bigtiff, list(t.series[0].shape), last]
print(json.dumps({'stacks': out, 'images': sorted(os.listdir(os.path.join(mnt, 'images')))[:1]}))`;

describe.skipIf(problem !== undefined)('a stack over 4 GiB, through a mount', () => {
  it.each([
    [
      'as usual',
      [],
      {
        'A01_s001.ome.tif': [false, true, [40, 8192, 8192], 40],
        'A01_s001_t001-t031.tif': [true, false, [31, 8192, 8192], 31],
        'A01_s001_t032-t040.tif': [true, false, [9, 8192, 8192], 40],
      },
      'A01_s001_w1_z001_t001.TIF',
    ],
    [
      'for Fiji',
      ['--profile', 'fiji'],
      {
        'A01_s001.ij.tif': [false, false, [40, 8192, 8192], 40],
        'A01_s001.ome.tif': [false, true, [40, 8192, 8192], 40],
      },
      'A01_s001_w1_z001_t001.TIF',
    ],
    [
      'for old programs',
      ['-o', 'profile=legacy'],
      {
        'A01_s001_t001-t031.tif': [true, false, [31, 8192, 8192], 31],
        'A01_s001_t032-t040.tif': [true, false, [9, 8192, 8192], 40],
      },
      'A01_s001_w1_z001_t001.tif',
    ],
    ['for CellProfiler', ['--profile', 'cellprofiler'], {}, 'A01_s001_w1_z001_t001.TIF'],
  ])('appears %s in files that open', async (_, args, stacks, image) => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-large-'));
    try {
      const plate = join(folder, 'plate');
      mkdirSync(plate);
      for (let t = 1; t <= TIMES; t += 1) writeSparsePlane(join(plate, `A01_s1_w1_t${t}.TIF`), t);
      agePlate(plate);
      await using mount = await PlateMount.start({
        plate,
        args: ['--layout', '{well}_s{site}_w{channel}_t{t}.TIF', ...args],
      });
      expect(JSON.parse(await mount.python(LOOK))).toEqual({ stacks, images: [image] });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
