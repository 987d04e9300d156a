import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makePlate } from '../../../scripts/plate-maker/plate-maker.ts';
import { parseWells, plateOfPlanes } from '../../../scripts/plate-maker/plate-options.ts';
import { tiffFile } from '../../../scripts/plate-maker/tiff-file.ts';

const scratch = await mkdtemp(join(tmpdir(), 'platefs-maker-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));

const SMALL = { width: 96, height: 80, wells: ['A01', 'B03'], zSteps: 3, timePoints: 2, sites: 1 };

function digest(folder: string): string {
  const hash = createHash('sha256');
  for (const path of readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort())
    hash.update(path.slice(folder.length)).update(readFileSync(path));
  return hash.digest('hex');
}

/** The pixels of an uncompressed one-strip file of ours: they begin at byte 8. */
const pixelsOf = (path: string, count: number): Uint16Array => {
  const bytes = readFileSync(path);
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset + 8, bytes.byteOffset + 8 + 2 * count));
};

const mean = (values: Uint16Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('the plate maker', () => {
  it('makes the same bytes from the same seed, others from another', async () => {
    const make = async (name: string, seed: number) => {
      await makePlate(join(scratch, name), { ...SMALL, seed, shape: 'database', thumbnails: true });
      return digest(join(scratch, name));
    };
    const first = await make('a', 7);
    expect(await make('b', 7)).toBe(first);
    expect(await make('c', 8)).not.toBe(first);
  });

  it('draws what a camera sees: offset, noise, cells, focus, drift', async () => {
    const folder = join(scratch, 'camera');
    const truth = await makePlate(folder, { ...SMALL, width: 256, height: 256 });
    const read = (name: string): Uint16Array =>
      pixelsOf(join(folder, truth.planes.find((plane) => plane.name === `${name}.tif`)!.source), 65_536);
    const sharp = read('A01_s001_w1_z002_t001');
    const blurred = read('A01_s001_w1_z003_t001');
    const later = read('A01_s001_w1_z002_t002');
    const quantile = (values: Uint16Array, q: number): number =>
      values.toSorted()[Math.floor(values.length * q)]!;
    expect(quantile(sharp, 0.05)).toBeGreaterThan(102);
    expect(quantile(sharp, 0.999)).toBeGreaterThan(6 * quantile(sharp, 0.5));
    expect(quantile(sharp, 0.999)).toBeGreaterThan(quantile(blurred, 0.999));
    expect(mean(sharp)).toBeGreaterThan(102);
    expect(later).not.toEqual(sharp);
    expect(truth.cellCounts.get('A01_s001')).not.toBe(truth.cellCounts.get('B03_s001'));
  });

  it('stamps each plane of a large plate with its number', async () => {
    const folder = join(scratch, 'many');
    const truth = await makePlate(folder, plateOfPlanes(600));
    expect(truth.planes.length).toBe(600);
    const stamps = truth.planes.map(({ source }) => pixelsOf(join(folder, source), 2)[0]);
    expect(new Set(stamps).size).toBe(600);
  });

  it('knows rectangles of wells', () => {
    expect(parseWells('A01-B02,H12')).toEqual(['A01', 'A02', 'B01', 'B02', 'H12']);
    expect(parseWells('Z01-AA01')).toEqual(['Z01', 'AA01']);
    expect(() => parseWells('1A')).toThrow('write A01');
  });

  it.skipIf(!existsSync('/usr/bin/tiffcp'))(
    'compresses so that libtiff reads the same pixels (skipped without libtiff-tools)',
    () => {
      const noisy = new Uint16Array(70 * 300).map((_, i) => (i * 2_654_435_761) >>> 21);
      const flat = new Uint16Array(70 * 300);
      for (const pixels of [noisy, flat])
        for (const compression of ['lzw', 'deflate'] as const) {
          const [plain, packed] = (['none', compression] as const).map((kind) => {
            const path = join(scratch, `${kind}.tif`);
            const content = { width: 300, height: 70, pixels, rowsPerStrip: 64, compression: kind };
            const text = { description: 'x', dateTime: '20240709 13:13:03.006' };
            writeFileSync(path, tiffFile({ ...content, ...text, directoryFirst: kind === 'none' }));
            const unpacked = join(scratch, `${kind}-unpacked.tif`);
            execFileSync('/usr/bin/tiffcp', ['-c', 'none', path, unpacked]);
            return readFileSync(unpacked);
          });
          expect(packed!.length).toBeGreaterThan(2 * pixels.length);
          expect(packed!.equals(plain!)).toBe(true);
        }
    },
  );
});
