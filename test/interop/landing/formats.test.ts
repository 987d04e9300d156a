import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { halve } from '../../../src/core/downsample.ts';
import { LandedReader } from '../../../src/materializer/landed-reader.ts';
import { Materializer } from '../../../src/materializer/materializer.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import { CODEC_NAMES, type LandingFormat, parseChunkCodec } from '../../../src/model/landing-format.ts';
import { NGFF_VERSIONS } from '../../../src/model/ngff.ts';
import { ZarrLayout } from '../../../src/sources/shared/zarr-planes.ts';
import { ngffProblems } from './ngff-problems.ts';
import { sealed, sealedBytes, smallTiff } from './small-tiff.ts';

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

describe('levels of lower resolution', () => {
  it.each([{}, { chunks: 'well' }, { chunks: 'sharded' }] as const)('are right: %o', async (format) => {
    const outputDir = mkdtempSync(join(tmpdir(), 'platefs-levels-'));
    const planes = [1, 2, 3].map((seed) => smallTiff(101, 67, seed));
    const paths = [
      'o/A01_s001_w1_z001_t001.tif',
      'o/A01_s001_w1_z001_t002.tif',
      'o/A01_s001_w1_z001_t001_labels.tif',
    ];
    const materializer = await Materializer.open(
      { outputDir, workers: 1, format: { ...format, levels: 3 } },
      never,
    );
    try {
      const files = planes.map((bytes, index) =>
        sealedBytes(join(outputDir, 'in', String(index)), bytes, paths[index]!, index + 1),
      );
      const results = await materializer.land(files, never);
      for (const [index, { inode }] of files.entries()) {
        const result = results.find((one) => one.inode === inode);
        const landing = result && 'landing' in result ? result.landing : undefined;
        let plane = { width: 101, height: 67, bytes: planes[index]!.subarray(-2 * 101 * 67) as Uint8Array };
        for (let level = 0; level < 3; level++) {
          const group = landing?.kind === 'image' ? landing.path : '';
          const folder = join(outputDir, group, String(level));
          const document = ['.zarray', 'zarr.json'].map((name) => join(folder, name)).find(existsSync);
          const array = ZarrLayout.read(document ?? '');
          const shape = [1, 1, 1, plane.height, plane.width];
          expect(array.metadata.shape.slice(3)).toEqual(shape.slice(3));
          const bytes = new Uint8Array(2 * plane.width * plane.height);
          array.readRegion({ start: [index % 2, 0, 0, 0, 0], shape }, bytes, () => {});
          expect(Buffer.from(bytes).equals(plane.bytes)).toBe(true);
          plane = halve(plane, 'uint16', index === 2 ? 'nearest' : 'mean');
        }
      }
    } finally {
      await materializer.close();
      rmSync(outputDir, { recursive: true, force: true });
    }
  });
});
