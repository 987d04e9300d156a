/**
 * Times each CPU kernel on a 2048 × 2048 uint16 image against scipy and scikit-image in the same run, one
 * thread each. JSON lines: best milliseconds of several repeats, and the reference's time divided by ours.
 * Usage: node scripts/bench/kernels.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { NdArray } from '../../src/core/nd-array.ts';
import { binaryMorphology } from '../../src/devices/shared/binary-morphology.ts';
import { labelComponents } from '../../src/devices/shared/connected-components.ts';
import { createCpuDevice } from '../../src/devices/shared/cpu-device.ts';
import { gaussianBlur } from '../../src/devices/shared/gaussian-blur.ts';
import { medianFilter } from '../../src/devices/shared/median-filter.ts';
import { maskAbove, otsuThreshold } from '../../src/devices/shared/otsu-threshold.ts';
import { measureRegions } from '../../src/devices/shared/region-measurements.ts';
import { syntheticCells } from '../../test/fixtures/synthetic-cells.ts';

const SIDE = 2048;
const REPEATS = 7;
const REFERENCE = `
import json, sys, time
import numpy as np
import scipy.ndimage as nd
from skimage import filters, morphology, measure
side = ${SIDE}
x = np.fromfile(sys.argv[1], np.uint16).reshape(side, side)
def best(f, repeats=3):
    times = []
    for _ in range(repeats):
        start = time.perf_counter(); result = f(); times.append(time.perf_counter() - start)
    return min(times) * 1e3, result
ms = {}
ms['gaussian sigma 2'], g = best(lambda: nd.gaussian_filter(x, 2, output=np.float32))
ms['gaussian sigma 20'], _ = best(lambda: nd.gaussian_filter(x, 20, output=np.float32), 1)
ms['median box 1'], _ = best(lambda: nd.median_filter(x, 3), 1)
ms['median disk 2'], _ = best(lambda: nd.median_filter(x, footprint=morphology.disk(2)), 1)
ms['median box 2'], _ = best(lambda: nd.median_filter(x, 5), 1)
ms['median disk 9'], _ = best(lambda: filters.rank.median(x >> 4, morphology.disk(9)), 1)
ms['otsu uint16'], _ = best(lambda: x > filters.threshold_otsu(x))
ms['otsu float32'], m = best(lambda: g > filters.threshold_otsu(g))
ms['binary-opening disk 3'], o = best(lambda: morphology.binary_opening(m, morphology.disk(3)))
ms['label 4'], l = best(lambda: nd.label(o)[0])
ms['label 8'], _ = best(lambda: nd.label(o, np.ones((3, 3)))[0])
ms['measure'], _ = best(lambda: measure.regionprops_table(l, x, properties=('label', 'area', 'centroid', 'bbox', 'intensity_mean', 'intensity_min', 'intensity_max')), 1)
ms['whole chain'] = ms['gaussian sigma 2'] + ms['otsu float32'] + ms['binary-opening disk 3'] + ms['label 4'] + ms['measure']
print(json.dumps(ms))
`;

function bestMs<T>(kernel: () => T): { readonly ms: number; readonly result: T } {
  let ms = Number.POSITIVE_INFINITY;
  let result = kernel();
  for (let i = 0; i < REPEATS; i++) {
    const startMs = performance.now();
    result = kernel();
    ms = Math.min(ms, performance.now() - startMs);
  }
  return { ms, result };
}

const pixels = syntheticCells(SIDE, SIDE, 900);
const image = (): NdArray => ({ dtype: 'uint16', shape: [SIDE, SIDE], data: pixels.slice() });
const input = image();
const ours = new Map<string, number>();
function time<T>(name: string, kernel: () => T): T {
  const { ms, result } = bestMs(kernel);
  ours.set(name, ms);
  return result;
}

const blurred = time('gaussian sigma 2', () => gaussianBlur(input, 2));
time('gaussian sigma 20', () => gaussianBlur(input, 20));
time('median box 1', () => medianFilter(input, 'box', 1));
time('median disk 2', () => medianFilter(input, 'disk', 2));
time('median box 2', () => medianFilter(input, 'box', 2));
time('median disk 9', () => medianFilter(input, 'disk', 9));
time('otsu uint16', () => maskAbove(input, otsuThreshold(input)));
const mask = time('otsu float32', () => maskAbove(blurred, otsuThreshold(blurred)));
const opened = time('binary-opening disk 3', () => binaryMorphology(mask, 'binary-opening', 'disk', 3));
const { labels } = time('label 4', () => labelComponents(opened, 4));
time('label 8', () => labelComponents(opened, 8));
time('measure', () => measureRegions(labels, input));

await using device = createCpuDevice({ threads: 1 });
const params = { shape: 'disk', radius: 3 };
let chainMs = Number.POSITIVE_INFINITY;
for (let i = 0; i <= REPEATS; i++) {
  const startMs = performance.now();
  await device.run(
    {
      input: image(),
      steps: [
        { operation: 'gaussian', params: { sigma: 2 }, keep: false },
        { operation: 'otsu', params: {}, keep: false },
        { operation: 'binary-opening', params, keep: false },
        { operation: 'label', params: { connectivity: 4 }, keep: true },
        { operation: 'measure', params: {}, keep: true },
      ],
    },
    new AbortController().signal,
  );
  chainMs = Math.min(chainMs, performance.now() - startMs);
}
ours.set('whole chain', chainMs);

const folder = mkdtempSync(join(tmpdir(), 'platefs-bench-'));
try {
  const path = join(folder, 'image');
  writeFileSync(path, pixels);
  const text = execFileSync('/usr/bin/python3', ['-W', 'ignore', '-c', REFERENCE, path], {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  });
  const reference = JSON.parse(text) as Record<string, number>;
  for (const [kernel, ms] of ours) {
    const referenceMs = reference[kernel];
    console.log(
      JSON.stringify({
        bench: 'kernels',
        kernel,
        side: SIDE,
        ms: Number(ms.toFixed(2)),
        ...(referenceMs === undefined
          ? {}
          : {
              referenceMs: Number(referenceMs.toFixed(1)),
              speedup: Number((referenceMs / ms).toFixed(2)),
            }),
      }),
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
