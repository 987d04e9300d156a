import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dtype, elementCount, fromBytes, type NdArray } from '../../src/core/nd-array.ts';
import { binaryMorphology } from '../../src/devices/shared/binary-morphology.ts';
import { labelComponents } from '../../src/devices/shared/connected-components.ts';
import type { FootprintShape } from '../../src/devices/shared/footprint.ts';
import { gaussianBlur } from '../../src/devices/shared/gaussian-blur.ts';
import { medianFilter } from '../../src/devices/shared/median-filter.ts';
import { maskAbove, otsuThreshold } from '../../src/devices/shared/otsu-threshold.ts';
import { measureRegions } from '../../src/devices/shared/region-measurements.ts';
import { seededRandom, syntheticCells } from '../fixtures/synthetic-cells.ts';

const PYTHON = '/usr/bin/python3';
const SCRIPT = `
import json, sys, os
import numpy as np
import scipy.ndimage as nd
from skimage import filters, morphology, measure
folder = sys.argv[1]
jobs = json.load(open(os.path.join(folder, 'jobs.json')))
answers = []
for i, job in enumerate(jobs):
    x = np.fromfile(os.path.join(folder, job['input']), job['dtype']).reshape(job['shape'])
    op = job['operation']
    answer = {}
    if 'radius' in job:
        footprint = morphology.disk(job['radius']) if job['footprint'] == 'disk' else morphology.square(2 * job['radius'] + 1)
    if op == 'gaussian': y = nd.gaussian_filter(x, job['sigma'], output=np.float64 if job.get('exact') else np.float32)
    elif op == 'median': y = nd.median_filter(x, footprint=footprint)
    elif op == 'otsu':
        t = filters.threshold_otsu(x); answer['threshold'] = float(t); y = (x > t).astype(np.uint8)
    elif op.startswith('binary-'): y = getattr(morphology, op.replace('-', '_'))(x != 0, footprint).astype(np.uint8)
    elif op == 'label':
        y, n = nd.label(x, np.ones((3, 3)) if job['connectivity'] == 8 else None); answer['count'] = n; y = y.astype(np.int32)
    elif op == 'measure':
        v = np.fromfile(os.path.join(folder, job['intensity']), job['intensityDtype']).reshape(job['shape'])
        rows = []
        for r in measure.regionprops(x, v):
            inside = v[x == r.label].astype(np.float64)
            rows.append([r.label, r.area, *r.centroid, *r.bbox, r.intensity_mean, r.intensity_min, r.intensity_max, inside.sum()])
        answer['rows'] = np.array(rows, float).tolist(); y = np.zeros(0, np.uint8)
    y.tofile(os.path.join(folder, 'out%d' % i)); answer['dtype'] = str(y.dtype)
    answers.append(answer)
print(json.dumps(answers))
`;

const missing =
  spawnSync(PYTHON, ['-c', 'import scipy.ndimage, skimage']).status === 0
    ? undefined
    : `${PYTHON} with scipy and skimage is missing`;

interface Job {
  readonly operation: string;
  readonly input: NdArray;
  readonly intensity?: NdArray;
  readonly sigma?: number;
  readonly exact?: boolean;
  readonly radius?: number;
  readonly footprint?: FootprintShape;
  readonly connectivity?: 4 | 8;
}

interface Answer {
  readonly array: NdArray;
  readonly threshold?: number;
  readonly count?: number;
  readonly rows?: number[][];
}

const WIDTH = 517;
const HEIGHT = 389;
const cells = (): NdArray<'uint16'> => ({
  dtype: 'uint16',
  shape: [HEIGHT, WIDTH],
  data: syntheticCells(WIDTH, HEIGHT, 120),
});
const noise = <D extends 'uint8' | 'uint16' | 'int16' | 'int32' | 'float32' | 'float64'>(
  dtype: D,
  shape: readonly number[],
  scale: number,
  offset = 0,
): NdArray => {
  const random = seededRandom(elementCount(shape) + scale);
  const bytes = new Uint8Array(elementCount(shape) * 8);
  const array = fromBytes(
    dtype,
    shape,
    bytes.subarray(
      0,
      elementCount(shape) * { uint8: 1, uint16: 2, int16: 2, int32: 4, float32: 4, float64: 8 }[dtype],
    ),
  );
  for (let i = 0; i < array.data.length; i++) array.data[i] = random() * scale + offset;
  return array;
};
const ODD_SHAPES = [
  [1, 1],
  [1, 40],
  [40, 1],
  [3, 70],
  [2, 33],
  [65, 31],
] as const;

/** Collects jobs first, asks Python once, then hands out its answers. */
class Reference {
  readonly #folder = mkdtempSync(join(tmpdir(), 'platefs-scipy-'));
  readonly #jobs: Job[] = [];
  #answers: Answer[] = [];

  ask(job: Job): () => Answer {
    const index = this.#jobs.push(job) - 1;
    return () => this.#answers[index]!;
  }

  compute(): void {
    const write = (name: string, array: NdArray): string => {
      writeFileSync(join(this.#folder, name), array.data);
      return name;
    };
    const described = this.#jobs.map(({ input, intensity, ...rest }, i) => ({
      ...rest,
      input: write(`in${i}`, input),
      dtype: input.dtype,
      shape: input.shape,
      ...(intensity && { intensity: write(`by${i}`, intensity), intensityDtype: intensity.dtype }),
    }));
    writeFileSync(join(this.#folder, 'jobs.json'), JSON.stringify(described));
    const text = execFileSync(PYTHON, ['-W', 'ignore', '-c', SCRIPT, this.#folder], { encoding: 'utf8' });
    this.#answers = (JSON.parse(text) as ({ dtype: Dtype } & Answer)[]).map(({ dtype, ...rest }, i) => {
      const bytes = new Uint8Array(readFileSync(join(this.#folder, `out${i}`)));
      const shape = rest.rows ? [0] : this.#jobs[i]!.input.shape;
      return { ...rest, array: fromBytes(dtype, shape, bytes) };
    });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

function differences(actual: NdArray, expected: NdArray): number {
  expect(actual.shape).toEqual(expected.shape);
  expect(actual.dtype).toBe(expected.dtype);
  let count = 0;
  for (let i = 0; i < expected.data.length; i++) if (actual.data[i] !== expected.data[i]) count++;
  return count;
}

function greatestRelativeError(actual: NdArray, expected: NdArray): number {
  let greatest = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const wanted = Number(expected.data[i]);
    greatest = Math.max(
      greatest,
      Math.abs(Number(actual.data[i]) - wanted) / Math.max(Math.abs(wanted), 1e-3),
    );
  }
  return greatest;
}

describe.skipIf(missing !== undefined)(`kernels against scipy and scikit-image ${missing ?? ''}`, () => {
  const reference = new Reference();
  const checks: { readonly name: string; readonly check: () => void }[] = [];

  const gaussian = (name: string, input: NdArray, sigma: number): void => {
    const answer = reference.ask({ operation: 'gaussian', input, sigma, exact: true });
    checks.push({
      name: `gaussian sigma ${sigma}, ${name}: within 1e-5`,
      check: () =>
        expect(greatestRelativeError(gaussianBlur(input, sigma), answer().array)).toBeLessThan(1e-5),
    });
  };
  const median = (name: string, input: NdArray, footprint: FootprintShape, radius: number): void => {
    const answer = reference.ask({ operation: 'median', input, footprint, radius });
    checks.push({
      name: `median ${footprint} ${radius}, ${name}: exact`,
      check: () => expect(differences(medianFilter(input, footprint, radius), answer().array)).toBe(0),
    });
  };
  const otsu = (name: string, input: NdArray): void => {
    const answer = reference.ask({ operation: 'otsu', input });
    checks.push({
      name: `otsu, ${name}: exact`,
      check: () => {
        const threshold = otsuThreshold(input);
        expect(threshold).toBe(answer().threshold);
        expect(differences(maskAbove(input, threshold), answer().array)).toBe(0);
      },
    });
  };
  const morphology = (operation: string, input: NdArray, footprint: FootprintShape, radius: number): void => {
    const answer = reference.ask({ operation, input, footprint, radius });
    checks.push({
      name: `${operation} ${footprint} ${radius}, ${input.shape}: exact`,
      check: () =>
        expect(differences(binaryMorphology(input, operation, footprint, radius), answer().array)).toBe(0),
    });
  };
  const label = (name: string, input: NdArray, connectivity: 4 | 8): void => {
    const answer = reference.ask({ operation: 'label', input, connectivity });
    checks.push({
      name: `label ${connectivity}, ${name}: exact`,
      check: () => {
        const { labels, count } = labelComponents(input, connectivity);
        expect(count).toBe(answer().count);
        expect(differences(labels, answer().array)).toBe(0);
      },
    });
  };
  const measure = (name: string, input: NdArray, intensity: NdArray, digits?: number): void => {
    const answer = reference.ask({ operation: 'measure', input, intensity });
    checks.push({
      name: `measure, ${name}: ${digits === undefined ? 'exact' : `${digits} digits`}`,
      check: () => {
        const { columns } = measureRegions(input, intensity);
        const rows = Array.from(columns[0]!.values, (_, row) => columns.map(({ values }) => values[row]!));
        if (digits === undefined) expect(rows).toEqual(answer().rows);
        else {
          const expected = answer().rows!;
          expect(rows.length).toBe(expected.length);
          rows.forEach((row, r) => {
            row.forEach((value, c) => {
              expect(value / expected[r]![c]! || 1).toBeCloseTo(1, digits);
            });
          });
        }
      },
    });
  };

  for (const sigma of [0.4, 2, 7.3, 120]) gaussian('cells', cells(), sigma);
  for (const shape of ODD_SHAPES) {
    gaussian(`${shape}`, noise('uint16', shape, 60_000), 3);
    gaussian(`${shape}`, noise('float32', shape, 1), 12);
    for (const connectivity of [4, 8] as const) label(`${shape}`, noise('uint8', shape, 2), connectivity);
    for (const dtype of ['uint8', 'uint16', 'float32'] as const) {
      const input = noise(dtype, shape, 250);
      median(`${dtype} ${shape}`, input, 'box', 1);
      median(`${dtype} ${shape}`, input, 'disk', 4);
      median(`${dtype} ${shape}`, input, 'box', 7);
    }
    otsu(`${shape}`, noise('uint16', shape, 60_000));
    otsu(`float32 ${shape}`, noise('float32', shape, 1));
  }
  gaussian('uint8', noise('uint8', [97, 130], 256), 2);
  gaussian('float64', noise('float64', [97, 130], 1000), 2);
  for (const [shape, radius] of [
    ['box', 1],
    ['disk', 2],
    ['box', 2],
  ] as const) {
    median('cells', cells(), shape, radius);
  }
  for (const [shape, radius] of [
    ['disk', 5],
    ['box', 6],
    ['disk', 9],
  ] as const) {
    median('large', noise('uint16', [61, 83], 60_000), shape, radius);
  }
  for (const dtype of ['int16', 'int32', 'float64'] as const) {
    median(dtype, noise(dtype, [61, 83], 50_000, -25_000), 'disk', 2);
    median(dtype, noise(dtype, [61, 83], 50_000, -25_000), 'box', 6);
  }
  otsu('cells', cells());
  otsu('int16 below zero', noise('int16', [61, 83], 60_000, -30_000));
  otsu('int32, wide', noise('int32', [31, 33], 4e6, -2e6));
  otsu('float32 cells', {
    dtype: 'float32',
    shape: [HEIGHT, WIDTH],
    data: Float32Array.from(syntheticCells(WIDTH, HEIGHT, 120), (v) => v / 7),
  });
  otsu('float32, below zero', noise('float32', [61, 83], 7, -5));
  otsu('float64', noise('float64', [61, 83], 1, -0.5));
  otsu('one value', { dtype: 'uint16', shape: [5, 7], data: new Uint16Array(35).fill(9) });

  const mask = (): NdArray => maskAbove(gaussianBlur(cells(), 2), 1500);
  for (const operation of ['binary-erosion', 'binary-dilation', 'binary-opening', 'binary-closing']) {
    for (const [shape, radius] of [
      ['disk', 1],
      ['disk', 3],
      ['box', 2],
      ['disk', 20],
      ['box', 40],
    ] as const) {
      morphology(operation, mask(), shape, radius);
    }
    for (const shape of ODD_SHAPES) morphology(operation, noise('uint8', shape, 4), 'disk', 2);
  }
  for (const connectivity of [4, 8] as const) {
    label('cells', mask(), connectivity);
    label('noise', noise('uint8', [311, 203], 2), connectivity);
  }
  const labels = (): NdArray => labelComponents(mask(), 4).labels;
  measure('cells', labels(), cells());
  measure('float32 intensities', labels(), noise('float32', [HEIGHT, WIDTH], 1), 6);
  measure(
    'labels with gaps',
    { dtype: 'uint16', shape: [2, 3], data: Uint16Array.of(0, 60_000, 60_000, 7, 0, 7) },
    noise('uint16', [2, 3], 900),
  );

  beforeAll(() => reference.compute());
  afterAll(() => reference.remove());
  for (const { name, check } of checks) it(name, check);
});
