import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SourceBusyError, SourceChangedError } from '../../../src/core/errors.ts';
import hdf5 from '../../../src/sources/hdf5.ts';
import type { SourceCatalog } from '../../../src/sources.ts';
import { hasH5py, PYTHON } from '../../fixtures/hdf5.ts';

const never = new AbortController().signal;
const root = mkdtempSync(join(tmpdir(), 'platefs-hdf5-growing-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(() => hdf5.prepare!());

let writer: ChildProcess | undefined;
afterEach(() => {
  writer?.kill('SIGKILL');
  writer = undefined;
});

/** Starts a program that prints a line after each step and takes the next when it is told to. */
async function startWriter(program: string, path: string): Promise<() => Promise<void>> {
  const child = spawn(
    PYTHON,
    [
      '-c',
      `import sys, h5py, numpy as np\npath = sys.argv[1]\ndef step():\n    print('done', flush=True); sys.stdin.readline()\n${program}`,
      path,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  writer = child;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return async () => {
    child.stdin.write('\n');
    const { done } = await lines.next();
    if (done) await (child.exitCode === null ? once(child, 'exit') : undefined);
  };
}

const look = async (path: string): Promise<SourceCatalog> => (await hdf5.catalog!(path, { root }, never))!;

function valuesOf(path: string, catalog: SourceCatalog, item: string): number[] {
  using source = hdf5.openSync!(path, catalog);
  const array = catalog.items.find((one) => one.kind === 'array' && one.path === item);
  const shape = array?.kind === 'array' ? array.shape : [];
  const values = new Int32Array(shape[0]!);
  source.readRegion(item, { start: [0], shape }, new Uint8Array(values.buffer));
  return [...values];
}

describe.skipIf(!hasH5py())('a file that h5py is writing', () => {
  it('is busy until it is closed', async () => {
    const path = join(root, 'busy.h5');
    const next = await startWriter(
      `f = h5py.File(path, 'w', libver='latest'); f['a'] = np.arange(3, dtype='i4'); f.flush(); step()\nf.close(); step()`,
      path,
    );
    const error = await look(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SourceBusyError);
    expect(String(error)).toContain(path);
    await next();
    const catalog = await look(path);
    expect(valuesOf(path, catalog, 'a')).toEqual([0, 1, 2]);
  });

  it('for others to read meanwhile is read, and grows', async () => {
    const path = join(root, 'growing.h5');
    const next = await startWriter(
      `
f = h5py.File(path, 'w', libver='latest')
d = f.create_dataset('a', (3,), 'i4', maxshape=(None,), chunks=(2,)); d[:] = [1, 2, 3]
f.swmr_mode = True; f.flush(); step()
d.resize((6,)); d[3:] = [4, 5, 6]; d.flush(); step()
f.close(); step()`,
      path,
    );
    const first = await look(path);
    expect(valuesOf(path, first, 'a')).toEqual([1, 2, 3]);
    using held = hdf5.openSync!(path, first);
    const values = new Uint8Array(12);
    held.readRegion('a', { start: [0], shape: [3] }, values);
    await next();
    expect(() => held.readRegion('a', { start: [0], shape: [3] }, values)).toThrow(SourceChangedError);
    expect(() => hdf5.openSync!(path, first)).toThrow(SourceChangedError);
    const second = await look(path);
    expect(valuesOf(path, second, 'a')).toEqual([1, 2, 3, 4, 5, 6]);
    await next();
    expect(valuesOf(path, await look(path), 'a')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('in the old format shows what was flushed, and what comes later as a change', async () => {
    const path = join(root, 'old.h5');
    const next = await startWriter(
      `
f = h5py.File(path, 'w'); d = f.create_dataset('a', (2,), 'i4', maxshape=(None,), chunks=(2,)); d[:] = [1, 2]; f.flush(); step()
d.resize((4,)); d[2:] = [3, 4]; f.flush(); step()
f.close(); step()`,
      path,
    );
    const first = await look(path);
    expect(valuesOf(path, first, 'a')).toEqual([1, 2]);
    await next();
    expect(() => hdf5.openSync!(path, first)).toThrow(SourceChangedError);
    expect(valuesOf(path, await look(path), 'a')).toEqual([1, 2, 3, 4]);
    await next();
  });
});
