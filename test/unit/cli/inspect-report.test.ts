import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makePlate } from '../../../scripts/plate-maker/plate-maker.ts';
import { inspectReport, inspectText, wellRanges } from '../../../src/cli/inspect-report.ts';
import { PlaneNames } from '../../../src/model/plane-names.ts';
import { namePlanes } from '../../../src/model/plane-naming.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { parseWellName } from '../../../src/model/well.ts';
import { openPlate } from '../../../src/tree/open-plate.ts';

const scratch = await mkdtemp(join(tmpdir(), 'platefs-inspect-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));

const canonical = (index: PlateIndex): PlaneNames => new PlaneNames(index, namePlanes(index));

it('tells a plate in the words of a microscopist', async () => {
  const folder = join(scratch, 'Screen_1');
  await makePlate(folder, {
    width: 16,
    height: 16,
    wells: ['A01', 'A02', 'A03', 'B01', 'B02', 'B03', 'H12'],
    zSteps: 3,
    projections: true,
    missing: ['H12_s002_w2_z003_t002'],
  });
  await writeFile(join(folder, 'Thumbs.db'), '');
  const { index } = await openPlate(folder, { signal: new AbortController().signal, cacheDir: null });
  expect(inspectText(index, canonical(index)).split('\n')).toEqual([
    'Plate      Screen_1',
    'Format     MetaXpress export with HTD, TimePoint_N/ZStep_M folders',
    `Folder     ${folder}`,
    'Wells      7 of 96 (A01–H12): A01–B03, H12',
    'Fields     14, sites 1–2, 2 across × 1 down',
    'Channels   w1  DAPI, 452 nm, 112 planes',
    '           w2  FITC, 520 nm, 111 planes',
    'z          3 steps (1–3), 2 µm apart, projections as z000 of w1, w2',
    't          2 time points (1–2), 300 s apart',
    'Pixel      0.6842 µm',
    'Planes     223, 1 missing; the first is A01_s001_w1_z000_t001.tif',
    'Left out   1 metadata, 1 junk',
    '',
    '1 warning',
    '  missing-plane: 1 plane is missing in H12_s002: H12_s002_w2_z003_t002',
    '',
  ]);
  const report = inspectReport(index, canonical(index));
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  expect(report).toMatchObject({ planes: 223, missingPlanes: 1, excluded: { junk: 1, metadata: 1 } });
});

it('names proprietary containers, what becomes of them and which program opens them', async () => {
  const folder = join(scratch, 'Screen_2');
  await makePlate(folder, { width: 16, height: 16, wells: ['A01'], zSteps: 1, timePoints: 1 });
  for (const name of ['a.nd2', 'b.ND2', 'c.czi', '._c.czi']) await writeFile(join(folder, name), '');
  const { index } = await openPlate(folder, { signal: new AbortController().signal, cacheDir: null });
  expect(inspectText(index, canonical(index)).split('\n')).toEqual(
    expect.arrayContaining([
      'Left out   1 junk, 1 metadata, 3 container',
      'Containers 2 Nikon ND2 files, a.nd2: passed through under source/, not decoded; open with NIS-Elements or Fiji (Bio-Formats)',
      '           1 Zeiss CZI file, c.czi: passed through under source/, not decoded; open with ZEN or Fiji (Bio-Formats)',
    ]),
  );
  expect(inspectReport(index, canonical(index)).containers).toEqual([
    { title: 'Nikon ND2', openWith: 'NIS-Elements or Fiji (Bio-Formats)', files: 2, example: 'a.nd2' },
    { title: 'Zeiss CZI', openWith: 'ZEN or Fiji (Bio-Formats)', files: 1, example: 'c.czi' },
  ]);
});

it('writes wells as blocks, runs and single wells', () => {
  const wells = (text: string) => text.split(' ').map((name) => parseWellName(name)!);
  expect(wellRanges(wells('A01 A02 B01 B02 C01'))).toBe('A01–B02, C01');
  expect(wellRanges(wells('A01 A03 A04'))).toBe('A01, A03–A04');
  expect(wellRanges(wells('AF48'))).toBe('AF48');
  expect(wellRanges([])).toBe('');
});
