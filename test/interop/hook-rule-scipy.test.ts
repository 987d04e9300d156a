import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HookRunner } from '../../src/compute/runner.ts';
import cpu from '../../src/devices/cpu.ts';
import { syntheticCells } from '../fixtures/synthetic-cells.ts';

const PYTHON = '/usr/bin/python3';
const missing =
  spawnSync(PYTHON, ['-c', 'import scipy.ndimage, skimage, tifffile']).status === 0
    ? undefined
    : `${PYTHON} with scipy, skimage and tifffile is missing`;

const WRITE = `
import sys, numpy as np, tifffile
x = np.fromfile(sys.argv[1], np.uint16).reshape(389, 517)
tifffile.imwrite(sys.argv[2], x, imagej=True, resolution=(1 / 0.65, 1 / 0.65), metadata={'unit': 'um'}, compression='zlib')
`;
const COMPARE = `
import csv, json, sys, numpy as np, scipy.ndimage as nd, tifffile
from skimage import filters, measure, morphology
x = np.fromfile(sys.argv[1], np.uint16).reshape(389, 517)
blurred = nd.gaussian_filter(x, 2, output=np.float32)
opened = morphology.binary_opening(blurred > filters.threshold_otsu(blurred), morphology.disk(3))
expected, count = nd.label(opened)
with tifffile.TiffFile(sys.argv[2]) as tif:
    labels = tif.asarray(); page = tif.pages[0]
    per_pixel = page.tags['XResolution'].value; unit = tif.imagej_metadata.get('unit')
rows = list(csv.DictReader(open(sys.argv[3], newline='')))
props = measure.regionprops(labels, x)
wrong = sum(int(r['area']) != p.area or float(r['centroid_x']) != p.centroid[1] or float(r['intensity_mean']) != p.intensity_mean for r, p in zip(rows, props))
print(json.dumps(dict(count=count, dtype=str(labels.dtype), differing=int(((labels > 0) != (expected > 0)).sum()),
  greatest=int(labels.max()), rows=len(rows), wrong=int(wrong), pixel=per_pixel[1] / per_pixel[0], unit=unit)))
`;

describe.skipIf(missing !== undefined)(`a rule on a TIFF against scikit-image ${missing ?? ''}`, () => {
  it('gives the label image and the table that a Python script would', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-rule-'));
    try {
      const raw = join(folder, 'raw');
      const input = join(folder, 'input.tif');
      writeFileSync(raw, syntheticCells(517, 389, 120));
      execFileSync(PYTHON, ['-c', WRITE, raw, input]);
      const runner = await HookRunner.create({
        stagingDir: folder,
        devices: [cpu],
        rules: [
          {
            name: 'nuclei',
            on: 'inbox/*.tif',
            steps: [
              { hook: 'gaussian', name: 'gaussian', params: { sigma: 2 } },
              { hook: 'otsu', name: 'otsu', params: {} },
              { hook: 'binary-opening', name: 'opening', params: { radius: 3 } },
              { hook: 'label', name: 'objects', params: {} },
              { hook: 'measure', name: 'table', params: {} },
            ],
            outputs: { objects: 'results/{stem}_labels.tif', table: 'results/{stem}.csv' },
          },
        ],
      });
      const [rule] = runner.rulesFor('inbox/A01.tif');
      const { outputs } = await runner.run(
        rule!,
        { mountPath: 'inbox/A01.tif', dataPath: input, sizeBytes: 0 },
        new AbortController().signal,
      );
      const [labels, table] = outputs.map(({ stagedPath }) => stagedPath);
      const seen = JSON.parse(
        execFileSync(PYTHON, ['-W', 'ignore', '-c', COMPARE, raw, labels!, table!], { encoding: 'utf8' }),
      ) as Record<string, number>;
      expect(seen['count']).toBeGreaterThan(50);
      // blurring agrees to 1e-5, so a pixel right at the threshold may fall on either side
      expect(seen['differing']).toBeLessThanOrEqual(2);
      expect(seen).toMatchObject({
        dtype: 'uint16',
        greatest: seen['count'],
        rows: seen['count'],
        wrong: 0,
        unit: 'micron',
      });
      expect(seen['pixel']).toBeCloseTo(0.65, 6);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
