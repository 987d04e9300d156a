import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  scanrName,
  type WrittenPlate,
  writeBdPathway,
  writeCellomics,
  writeFiles,
  writeIncucyteExport,
  writeIncucyteRaw,
  writeLeicaMatrix,
  writeScanR,
} from '../fixtures/vendor-plates.ts';
import { mountProblem } from './harness.ts';
import { agePlate, PlateMount } from './plate-mount.ts';

/** Names that a shell, a table and a terminal stumble over, of 255 bytes the one. */
async function writeHostile(root: string): Promise<WrittenPlate> {
  const longest = `${'é'.repeat(113)}\nA01_s1_w1_P24f07`;
  const planes = new Map([
    ['B02_s001_w1_z001_t001.tif', `data/${scanrName('B2', 14, 1, 0, 0, 'a"b, c\n\t=x')}`],
    ['AF48_s999999_w1_z001_t001.tif', `data/${scanrName('AF48', 1536, 999_999, 0, 0, 'a"b, c\n\t=x')}`],
    ['C03_s001_w2_z001_t001.tif', `data/C3--W27--P1--Z0--T0--${longest.slice(0, 108)}.tif`],
  ]);
  await writeFiles(root, Object.fromEntries([...planes.values()].map((path) => [path, path])));
  return { root, planes, excluded: new Map() };
}

const PLATES: Readonly<Record<string, (root: string) => Promise<WrittenPlate>>> = {
  'a ScanR plate': writeScanR,
  'a Cellomics plate': writeCellomics,
  'a BD Pathway plate': writeBdPathway,
  'an Incucyte export': writeIncucyteExport,
  'an Incucyte archive': writeIncucyteRaw,
  'a Leica Matrix Screener plate': writeLeicaMatrix,
  'a plate of hostile names': writeHostile,
};

describe.skipIf(mountProblem() !== undefined)('plates told by their names, through a mount', () => {
  it.each(Object.entries(PLATES))('%s shows each image byte for byte under its name', async (_, write) => {
    const folder = await mkdtemp(join(tmpdir(), 'platefs-named-'));
    try {
      const { root, planes, excluded } = await write(join(folder, 'plate'));
      await writeFiles(root, Object.fromEntries([...planes.values()].map((path) => [path, path])));
      // Fresh files that are no TIFFs could still be written.
      agePlate(root);
      await using mount = await PlateMount.start({ plate: root });
      const shown = JSON.parse(
        await mount.python(`
d = os.path.join(mnt, 'images')
s = os.path.join(mnt, 'source')
print(json.dumps({
  'images': {n: open(os.path.join(d, n), encoding='utf8', newline='').read() for n in os.listdir(d)},
  'source': sorted(os.path.relpath(os.path.join(p, f), s) for p, _, fs in os.walk(s) for f in fs),
  'rows': len(open(os.path.join(mnt, 'tables', 'plate.csv'), encoding='utf8', newline='').read()) > 0,
}))`),
      ) as { images: Record<string, string>; source: string[]; rows: boolean };
      expect(shown.images).toEqual(Object.fromEntries(planes));
      // What is no plane stays visible as it lies.
      expect(shown.source.sort()).toEqual([...planes.values(), ...excluded.keys()].sort());
      expect(shown.rows).toBe(true);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
