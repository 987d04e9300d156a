import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { renderCsv } from '../../../src/compute/csv-table.ts';
import { narrowLabels } from '../../../src/compute/image-file.ts';
import { HookRunner, type HookRunnerOptions } from '../../../src/compute/runner.ts';
import {
  BadRuleError,
  CancelledError,
  DeviceFailedError,
  explain,
  HookFailedError,
} from '../../../src/core/errors.ts';
import { allocate, bytesOf, itemSizeBytes, type NdArray } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import cpu from '../../../src/devices/cpu.ts';
import type { ComputeDevice } from '../../../src/devices.ts';
import tiffEncoder from '../../../src/encoders/tiff.ts';
import type { HookRule } from '../../../src/model/mount-definition.ts';
import tiffSource from '../../../src/sources/tiff.ts';
import type { ArraySource, SourceDriver } from '../../../src/sources.ts';

const never = new AbortController().signal;
const step = (hook: string, params: Record<string, unknown> = {}) => ({ hook, params, name: hook });
const OBJECTS: HookRule = {
  name: 'objects',
  on: 'inbox/*.tif',
  steps: [step('threshold', { value: 5 }), step('label'), step('measure')],
  outputs: { label: 'out/{stem}_labels.tif', measure: 'out/{stem}.csv' },
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-runner-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const staged = (): string[] => readdirSync(folder).filter((name) => name.startsWith('hook-'));
const createRunner = (options: Partial<HookRunnerOptions> = {}): Promise<HookRunner> =>
  HookRunner.create({ rules: [OBJECTS], stagingDir: folder, devices: [cpu], ...options });

/** A TIFF file of an array of shape t, c, z, y, x. */
function writeTiff(name: string, array: NdArray): { path: string; sizeBytes: number } {
  const layout = tiffEncoder.layout({
    name,
    shape: array.shape as [number, number, number, number, number],
    dtype: array.dtype,
    channels: [],
  });
  const file = Buffer.alloc(layout.sizeBytes);
  for (const segment of layout.segments(0, layout.sizeBytes)) {
    if (segment.kind === 'bytes') file.set(segment.bytes, segment.offsetBytes);
    else if (segment.kind === 'pixels') {
      const planeBytes = array.shape[3]! * array.shape[4]! * itemSizeBytes(array.dtype);
      const [t = 0, c = 0, z = 0, y = 0] = segment.region.start;
      const plane = (t * array.shape[1]! + c) * array.shape[2]! + z;
      const from = plane * planeBytes + y * array.shape[4]! * itemSizeBytes(array.dtype);
      file.set(bytesOf(array).subarray(from, from + segment.sizeBytes), segment.offsetBytes);
    }
  }
  const path = join(folder, name);
  writeFileSync(path, file);
  return { path, sizeBytes: file.length };
}

async function readTiff(path: string): Promise<NdArray & { readonly axes: string }> {
  await using source = await tiffSource.openArray(path, never);
  return { ...(await source.read(wholeRegion(source.info.shape), never)), axes: source.info.axes };
}

const plane = (...values: number[]): NdArray => ({
  dtype: 'uint16',
  shape: [1, 1, 1, 2, values.length / 2],
  data: Uint16Array.from(values),
});

describe('running a rule', () => {
  it('stages a label image and a table, complete, with provenance', async () => {
    const runner = await createRunner();
    const { path, sizeBytes } = writeTiff('data', plane(9, 9, 0, 8, 0, 0, 0, 7));
    const [rule] = runner.rulesFor('inbox/a.tif');
    const result = await runner.run(rule!, { mountPath: 'inbox/a.tif', dataPath: path, sizeBytes }, never);
    expect(result.outputs.map(({ mountPath }) => mountPath)).toEqual(['out/a_labels.tif', 'out/a.csv']);
    for (const output of result.outputs) expect(statSync(output.stagedPath).size).toBe(output.sizeBytes);
    expect(staged()).toHaveLength(2);
    const labels = await readTiff(result.outputs[0]!.stagedPath);
    expect(labels).toMatchObject({ dtype: 'uint16', shape: [2, 4] });
    expect([...labels.data]).toEqual([1, 1, 0, 2, 0, 0, 0, 2]);
    expect(readFileSync(result.outputs[1]!.stagedPath, 'utf8')).toBe(
      'label,area,centroid_y,centroid_x,bbox_min_y,bbox_min_x,bbox_max_y,bbox_max_x,' +
        'intensity_mean,intensity_min,intensity_max,intensity_sum\r\n' +
        '1,2,0,0.5,0,0,1,2,9,9,9,18\r\n2,2,0.5,3,0,3,2,4,7.5,7,8,15\r\n',
    );
    expect(result.provenance).toMatchObject({
      rule: 'objects',
      input: { mountPath: 'inbox/a.tif', sizeBytes, shape: [2, 4], dtype: 'uint16', axes: 'yx' },
      steps: [
        { hook: 'threshold', params: { value: 5 } },
        { hook: 'label', params: { connectivity: 4 } },
        { hook: 'measure' },
      ],
      planes: [{ index: {}, device: 'cpu', scalars: { label: { count: 2 } } }],
      fallbacks: [],
    });
    expect(structuredClone(result.provenance)).toEqual(result.provenance);
  });

  it('reads a file that lies in pieces', async () => {
    const runner = await createRunner();
    const { path, sizeBytes } = writeTiff('data', plane(9, 0, 0, 9));
    const bytes = readFileSync(path);
    writeFileSync(join(folder, 'ram'), Buffer.concat([Buffer.from('xyz'), bytes.subarray(0, 100)]));
    writeFileSync(join(folder, 'spill'), bytes.subarray(100));
    const pieces = [
      { path: join(folder, 'ram'), offsetBytes: 3, sizeBytes: 100 },
      { path: join(folder, 'spill'), offsetBytes: 0, sizeBytes: sizeBytes - 100 },
    ];
    const [rule] = runner.rulesFor('inbox/a.tif');
    const { outputs } = await runner.run(rule!, { mountPath: 'inbox/a.tif', pieces, sizeBytes }, never);
    expect([...(await readTiff(outputs[0]!.stagedPath)).data]).toEqual([1, 0, 0, 2]);
    expect(staged()).toHaveLength(2);
    await expect(
      runner.run(rule!, { mountPath: 'inbox/a.tif', pieces: pieces.slice(0, 1), sizeBytes }, never),
    ).rejects.toThrow(HookFailedError);
  });

  it('does every plane of a stack, with its place in front of the rows', async () => {
    const runner = await createRunner();
    const stack: NdArray = {
      dtype: 'uint8',
      shape: [2, 1, 2, 1, 3],
      data: Uint8Array.from([9, 0, 9, 0, 0, 0, 8, 8, 0, 7, 0, 0]),
    };
    const { path, sizeBytes } = writeTiff('data', stack);
    const [rule] = runner.rulesFor('inbox/s.tif');
    const { outputs, provenance } = await runner.run(
      rule!,
      { mountPath: 'inbox/s.tif', dataPath: path, sizeBytes },
      never,
    );
    const labels = await readTiff(outputs[0]!.stagedPath);
    expect(labels.axes).toBe('tzyx');
    expect([...labels.data]).toEqual([1, 0, 2, 0, 0, 0, 1, 1, 0, 1, 0, 0]);
    const rows = readFileSync(outputs[1]!.stagedPath, 'utf8').trimEnd().split('\r\n');
    expect(rows.map((row) => row.split(',').slice(0, 4).join())).toEqual([
      't,z,label,area',
      '1,1,1,1',
      '1,1,2,1',
      '2,1,1,2',
      '2,2,1,1',
    ]);
    expect(provenance.planes.map(({ index }) => index)).toEqual([
      { t: 1, z: 1 },
      { t: 1, z: 2 },
      { t: 2, z: 1 },
      { t: 2, z: 2 },
    ]);
  });

  it('carries the pixel size over to what it writes', async () => {
    const seen: unknown[] = [];
    const source: ArraySource = {
      info: { shape: [1, 2], dtype: 'uint8', axes: 'yx', pixelSizeUm: { x: 0.65, y: 0.65 } },
      chunkShape: [1, 2],
      read: async () => ({ dtype: 'uint8', shape: [1, 2], data: Uint8Array.of(0, 9) }),
      [Symbol.asyncDispose]: async () => {},
    };
    const driver: SourceDriver = { id: 'fake', canOpen: () => true, openArray: async () => source };
    const runner = await createRunner({
      sources: [driver],
      encoder: {
        ...tiffEncoder,
        layout: (image) => {
          seen.push(image.pixelSizeUm, image.name);
          return tiffEncoder.layout(image);
        },
      },
    });
    const [rule] = runner.rulesFor('inbox/a.tif');
    await runner.run(rule!, { mountPath: 'inbox/a.tif', dataPath: '/nowhere', sizeBytes: 1 }, never);
    expect(seen).toEqual([{ x: 0.65, y: 0.65 }, 'a_labels.tif']);
  });

  it.each([
    ['an empty file', Buffer.alloc(0)],
    ['garbage', Buffer.from('not a TIFF at all')],
    ['a truncated TIFF', undefined],
  ])('fails on %s, names it, and leaves nothing behind', async (_, bytes) => {
    const runner = await createRunner();
    const { path } = writeTiff('data', plane(9, 0, 0, 9));
    writeFileSync(path, bytes ?? readFileSync(path).subarray(0, -3));
    const [rule] = runner.rulesFor('inbox/a.tif');
    const error = await runner
      .run(rule!, { mountPath: 'inbox/a.tif', dataPath: path, sizeBytes: 1 }, never)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(HookFailedError);
    expect(explain(error)).toMatch(/^hook rule 'objects' on inbox\/a\.tif: /);
    expect(staged()).toEqual([]);
  });

  it('leaves nothing when the second output can’t be written', async () => {
    const runner = await createRunner({
      encoder: {
        ...tiffEncoder,
        layout: () => {
          throw new Error('no room');
        },
      },
      rules: [{ ...OBJECTS, outputs: { measure: 'out/{stem}.csv', label: 'out/{stem}.tif' } }],
    });
    const { path, sizeBytes } = writeTiff('data', plane(9, 0, 0, 9));
    const [rule] = runner.rulesFor('inbox/a.tif');
    const run = runner.run(rule!, { mountPath: 'inbox/a.tif', dataPath: path, sizeBytes }, never);
    await expect(run).rejects.toThrow(HookFailedError);
    expect(staged()).toEqual([]);
  });

  it('refuses a colour image in words', async () => {
    const source: ArraySource = {
      info: { shape: [4, 4, 3], dtype: 'uint8', axes: 'yxs' },
      chunkShape: [4, 4, 3],
      read: async () => allocate('uint8', [4, 4, 3]),
      [Symbol.asyncDispose]: async () => {},
    };
    const runner = await createRunner({
      sources: [{ id: 'fake', canOpen: () => true, openArray: async () => source }],
    });
    const [rule] = runner.rulesFor('inbox/a.tif');
    const error = await runner
      .run(rule!, { mountPath: 'inbox/a.tif', dataPath: '/x', sizeBytes: 1 }, never)
      .catch((caught: unknown) => caught);
    expect(explain(error)).toMatch(/this is a colour image: split it first/);
  });

  it('goes to the next device when one fails, and says so', async () => {
    const broken: ComputeDevice = {
      id: 'broken',
      concurrency: 1,
      supports: () => true,
      run: async () => {
        throw new DeviceFailedError('device lost');
      },
      [Symbol.asyncDispose]: async () => {},
    };
    const runner = await createRunner({ devices: [broken, cpu] });
    const { path, sizeBytes } = writeTiff('data', plane(9, 0, 0, 9));
    const [rule] = runner.rulesFor('inbox/a.tif');
    const { provenance } = await runner.run(
      rule!,
      { mountPath: 'inbox/a.tif', dataPath: path, sizeBytes },
      never,
    );
    expect(provenance.planes[0]?.device).toBe('cpu');
    expect(provenance.fallbacks).toEqual(['broken: device lost']);
    const alone = await createRunner({ devices: [broken] });
    const error = await alone
      .run(alone.rulesFor('inbox/a.tif')[0]!, { mountPath: 'inbox/a.tif', dataPath: path, sizeBytes }, never)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ tag: 'hook-failed', cause: { tag: 'device-failed' } });
  });

  it('stops when cancelled', async () => {
    const runner = await createRunner();
    const { path, sizeBytes } = writeTiff('data', plane(9, 0, 0, 9));
    const [rule] = runner.rulesFor('inbox/a.tif');
    const run = runner.run(
      rule!,
      { mountPath: 'inbox/a.tif', dataPath: path, sizeBytes },
      AbortSignal.abort(),
    );
    await expect(run).rejects.toThrow(CancelledError);
    expect(staged()).toEqual([]);
  });

  it('refuses rules that no device can do', async () => {
    const idle: ComputeDevice = { ...cpu, supports: () => false };
    await expect(createRunner({ devices: [idle] })).rejects.toThrow(BadRuleError);
  });
});

describe('results as files', () => {
  it('print numbers so that they read back the same', () => {
    expect(
      renderCsv({
        columns: [
          { name: 'a,b', values: Float64Array.of(1, 0.1 + 0.2) },
          { name: 'c', values: Float64Array.of(Number.NaN, -3) },
        ],
      }),
    ).toBe('"a,b",c\r\n1,NaN\r\n0.30000000000000004,-3\r\n');
    expect(renderCsv({ columns: [{ name: 'x', values: new Float64Array(0) }] })).toBe('x\r\n');
  });

  it('save labels as uint16 while they fit', () => {
    const labels = (...values: number[]): NdArray => ({
      dtype: 'int32',
      shape: [values.length],
      data: Int32Array.from(values),
    });
    expect(narrowLabels(labels(0, 65_535))).toMatchObject({
      dtype: 'uint16',
      data: Uint16Array.of(0, 65_535),
    });
    expect(narrowLabels(labels(65_536, 65_535))).toMatchObject({
      dtype: 'uint32',
      data: Uint32Array.of(65_536, 65_535),
    });
  });
});
