import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LandedReader } from '../../../src/materializer/landed-reader.ts';
import { Materializer } from '../../../src/materializer/materializer.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import { CODEC_NAMES, type LandingFormat, parseChunkCodec } from '../../../src/model/landing-format.ts';
import { NGFF_VERSIONS } from '../../../src/model/ngff.ts';
import { ngffProblems } from './ngff-problems.ts';
import { sealed, smallTiff } from './small-tiff.ts';

const PYTHON = '/usr/bin/python3';
const hasPython = spawnSync(PYTHON, ['-c', 'import zarr, numcodecs']).status === 0;
const never = new AbortController().signal;

const WIDTH = 40;
const HEIGHT = 33;
/** Its pixels, as numpy would save them. */
const pixelsOf = (tiff: Buffer): Buffer => tiff.subarray(tiff.length - 2 * WIDTH * HEIGHT);

/** A file of numpy's format 1.0 (numpy `lib.format`). */
function npy(shape: readonly number[], data: Buffer): Buffer {
  const text = `{'descr': '<u2', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const header = `${text.padEnd(117)}\n`;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(header), data]);
}

const formats: LandingFormat[] = [
  ...NGFF_VERSIONS.flatMap((ngff) =>
    CODEC_NAMES.map((name) => ({ ngff, codec: parseChunkCodec(name, 'codec') })),
  ),
  { ngff: '0.5', codec: { name: 'zstd', level: 15 } },
  ...CODEC_NAMES.flatMap((name) =>
    (['well', 'sharded'] as const).map((chunks) => ({ chunks, codec: parseChunkCodec(name, 'codec') })),
  ),
  { ngff: '0.5', chunks: 'well' },
  { levels: 3 },
  { chunks: 'well', levels: 3 },
  { chunks: 'sharded', levels: 3 },
];
const nameOf = ({ ngff, chunks, codec, levels }: LandingFormat): string =>
  [ngff, chunks, codec?.name, codec?.level, levels && `levels ${levels}`]
    .filter((part) => part !== undefined)
    .join(' ');

describe('results in every format', () => {
  const folder = mkdtempSync(join(tmpdir(), 'platefs-formats-'));
  const planes = Array.from({ length: 6 }, (_, seed) => smallTiff(WIDTH, HEIGHT, seed + 1));
  // Doesn't become smaller.
  const noise = Buffer.from(planes[5]!);
  let state = 1;
  for (let at = noise.length - 2 * WIDTH * HEIGHT; at < noise.length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    noise[at] = state >>> 16;
  }
  planes[5] = noise;
  /** t 1 to 3 of two channels. */
  const mountPath = (plane: number): string =>
    `out/A01_s001_w${1 + (plane % 2)}_z001_t00${1 + Math.floor(plane / 2)}.tif`;
  const outputOf = (format: LandingFormat): string => join(folder, nameOf(format).replaceAll(' ', '-'));

  beforeAll(async () => {
    mkdirSync(join(folder, 'in'));
    planes.forEach((bytes, plane) => void writeFileSync(join(folder, 'in', `${plane}.tif`), bytes));
    writeFileSync(join(folder, 'all.npy'), npy([6, HEIGHT, WIDTH], Buffer.concat(planes.map(pixelsOf))));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(formats.map((format) => [nameOf(format), format] as const))('%s', async (_, format) => {
    const outputDir = outputOf(format);
    const files = planes.map((_bytes, plane) =>
      sealed(join(folder, 'in', `${plane}.tif`), mountPath(plane), plane + 1),
    );
    const materializer = await Materializer.open({ outputDir, workers: 1, format }, never);
    try {
      // The field grows with the second batch.
      for (const batch of [files.slice(0, 3), files.slice(3)]) {
        const reader = new LandedReader(outputDir, new ByteCache(0));
        for (const result of await materializer.land(batch, never)) {
          if ('error' in result) throw result.error;
          const { landing } = result;
          expect(landing).toMatchObject({ kind: 'image', placement: 'plate', exactness: 'reassembled' });
          const back = Buffer.alloc(landing.sizeBytes);
          reader.readSync(landing, 0, back.length, back);
          expect(back.equals(readFileSync(join(folder, 'in', `${landing.inode - 1}.tif`)))).toBe(true);
        }
        expect(ngffProblems(join(outputDir, 'results.ome.zarr'))).toEqual([]);
      }
    } finally {
      await materializer.close();
    }
  });

  it.skipIf(!hasPython)('have the right pixels for zarr-python and numcodecs (needs python3-zarr)', () => {
    const lines = formats.map((format) =>
      [join(outputOf(format), 'results.ome.zarr/A/01/0/0'), join(folder, 'all.npy'), 'tc'].join('\t'),
    );
    const script = join(import.meta.dirname, 'read-store.py');
    const run = spawnSync(PYTHON, [script], { input: lines.join('\n') });
    expect(run.stderr.toString()).toBe('');
    expect(run.stdout.toString()).toBe('ok\n');
  });
});
