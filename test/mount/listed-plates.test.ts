import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeCellVoyagerPlate } from '../fixtures/cellvoyager-plate.ts';
import { writeHcsAiPlate } from '../fixtures/hcsai-plate.ts';
import { writeInCellPlate } from '../fixtures/incell-plate.ts';
import { mountProblem } from './harness.ts';
import { agePlate, PlateMount, SHARED_DATA } from './plate-mount.ts';

const SET = 'cv8000-minimal';

const PLATES = {
  'a CellVoyager plate': (root: string) =>
    writeCellVoyagerPlate(root, { projections: true, extension: '.png' }),
  'a CQ1 plate': (root: string) => writeCellVoyagerPlate(root, { grammar: 'cq1', projections: true }),
  'an IN Cell plate': (root: string) => writeInCellPlate(root, { subfolders: true, zSlices: 2 }),
  'an HCS.ai plate': (root: string) => writeHcsAiPlate(root),
};

describe.skipIf(mountProblem() !== undefined)('plates that list their images, through a mount', () => {
  it.each(Object.entries(PLATES))('%s shows each image byte for byte under its name', async (_, write) => {
    const folder = await mkdtemp(join(tmpdir(), 'platefs-listed-'));
    try {
      const { root, planes } = await write(join(folder, 'plate'));
      // Fresh files that are no TIFFs could still be written.
      agePlate(root);
      await using mount = await PlateMount.start({ plate: root });
      const shown = JSON.parse(
        await mount.python(`
d = os.path.join(mnt, 'images')
print(json.dumps({n: open(os.path.join(d, n)).read() for n in os.listdir(d)}))`),
      ) as Record<string, string>;
      expect(shown).toEqual(Object.fromEntries(planes));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.skipIf(!existsSync(join(SHARED_DATA, SET)))(
    'a real CV8000 plate has the files of its truth file',
    async () => {
      const truth = JSON.parse(readFileSync(join(SHARED_DATA, `${SET}.truth.json`), 'utf8')) as {
        planes: { virtual: string; sha256_file: string }[];
      };
      await using mount = await PlateMount.start({ plate: join(SHARED_DATA, SET) });
      const sums = JSON.parse(
        await mount.python(`
import hashlib
d = os.path.join(mnt, 'images')
print(json.dumps({n: hashlib.sha256(open(os.path.join(d, n), 'rb').read()).hexdigest() for n in os.listdir(d)}))`),
      ) as Record<string, string>;
      expect(sums).toEqual(
        Object.fromEntries(truth.planes.map((plane) => [plane.virtual, plane.sha256_file])),
      );
    },
  );
});
