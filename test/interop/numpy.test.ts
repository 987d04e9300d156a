import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Dtype, elementCount, itemSizeBytes } from '../../src/core/nd-array.ts';
import npy from '../../src/encoders/npy.ts';
import { cutRegion, VirtualFile } from '../conformance/virtual-file.ts';

const PYTHON = '/usr/bin/python3';
const hasNumpy =
  existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import numpy'], { stdio: 'ignore' }).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'platefs-interop-npy-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const PROBE = `
import hashlib, json, sys, numpy
out = []
for path in sys.argv[1:]:
    a = numpy.load(path)
    mapped = a.size == 0 or a.tobytes() == numpy.load(path, mmap_mode='r').tobytes()
    out.append([str(a.dtype), list(a.shape), hashlib.sha256(a.tobytes()).hexdigest(), mapped])
print(json.dumps(out))
`;

describe.skipIf(!hasNumpy)('numpy reads (needs python3-numpy)', () => {
  it('every dtype and rank, whole and as a memory map', () => {
    const dtypes: (Dtype | 'bool')[] = [
      'bool',
      'uint8',
      'int8',
      'uint16',
      'int16',
      'uint32',
      'int32',
      'uint64',
      'int64',
      'float16',
      'float32',
      'float64',
    ];
    const shapes = [[], [5], [0], [3, 0, 2], [4, 3], [2, 3, 4, 5], new Array(32).fill(1)];
    const expected: unknown[] = [];
    const paths: string[] = [];
    for (const dtype of dtypes) {
      for (const shape of shapes) {
        const stored = dtype === 'bool' ? 'uint8' : dtype;
        const itemBytes = itemSizeBytes(stored);
        const bytes = Uint8Array.from({ length: elementCount(shape) * itemBytes }, (_, i) =>
          dtype === 'bool' ? i % 2 : (i * 37 + 11) & 127,
        );
        const layout = npy.layout({
          name: 'x',
          shape,
          dtype: stored,
          isBoolean: dtype === 'bool',
          chunkShape: shape.map(() => 2),
        });
        using file = new VirtualFile(layout, (region, target) =>
          cutRegion(bytes, shape, itemBytes, region, target),
        );
        const path = join(folder, `${paths.length}.npy`);
        writeFileSync(path, file.whole());
        paths.push(path);
        expected.push([dtype, shape, createHash('sha256').update(bytes).digest('hex'), true]);
      }
    }
    const text = execFileSync(PYTHON, ['-c', PROBE, ...paths], { encoding: 'utf8' });
    expect(JSON.parse(text)).toEqual(expected);
  });
});
