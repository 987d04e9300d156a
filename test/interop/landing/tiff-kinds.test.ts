import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LandedReader } from '../../../src/materializer/landed-reader.ts';
import type { Landing } from '../../../src/materializer/landing.ts';
import { Materializer } from '../../../src/materializer/materializer.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import { ngffProblems } from './ngff-problems.ts';
import { sealed } from './small-tiff.ts';

const PYTHON = '/usr/bin/python3';
const hasPython = spawnSync(PYTHON, ['-c', 'import tifffile, zarr, numcodecs']).status === 0;
const never = new AbortController().signal;

describe.skipIf(!hasPython)('TIFFs that programs write (needs python3-tifffile, python3-zarr)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'platefs-kinds-'));
  const input = join(folder, 'in');
  const output = join(folder, 'out');
  const landings = new Map<string, Landing>();
  let kinds: Record<string, string> = {};

  beforeAll(async () => {
    execFileSync('mkdir', [input]);
    const script = join(import.meta.dirname, 'write-tiffs.py');
    kinds = JSON.parse(execFileSync(PYTHON, [script, input], { encoding: 'utf8' }));
    const names = readdirSync(input);
    const files = names.map((name, index) => sealed(join(input, name), `inbox/${name}`, index + 1));
    const materializer = await Materializer.open({ outputDir: output, workers: 2 }, never);
    try {
      for (const result of await materializer.land(files, never)) {
        if ('error' in result) throw result.error;
        landings.set(result.landing.mountPath.slice('inbox/'.length), result.landing);
      }
    } finally {
      await materializer.close();
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are served byte for byte, at any offset', () => {
    const reader = new LandedReader(output, new ByteCache(1 << 20));
    expect(landings.size).toBe(readdirSync(input).length);
    for (const [name, landing] of landings) {
      const bytes = readFileSync(join(input, name));
      const back = Buffer.alloc(bytes.length + 10);
      expect([name, reader.readSync(landing, 0, back.length, back)]).toEqual([name, bytes.length]);
      expect([name, back.subarray(0, bytes.length).equals(bytes)]).toEqual([name, true]);
      for (let offset = 1; offset < bytes.length; offset += 997) {
        const piece = Buffer.alloc(333);
        const count = reader.readSync(landing, offset, 333, piece);
        const isEqual = piece.subarray(0, count).equals(bytes.subarray(offset, offset + 333));
        expect([name, offset, isEqual]).toEqual([name, offset, true]);
      }
    }
  });

  it('keep a copy only where pixels and header do not give the file back', () => {
    const found = Object.fromEntries(
      Object.keys(kinds).map((name) => {
        const landing = landings.get(name);
        return [name, landing?.kind === 'image' ? landing.exactness : landing];
      }),
    );
    expect(found).toEqual(kinds);
  });

  it('have the right pixels for zarr-python, whole and chunk by chunk', () => {
    const lines = Object.keys(kinds).map((name) => {
      const layout = name.startsWith('rgb')
        ? 'rgb'
        : name === 'separate.tif'
          ? 'separate'
          : name.startsWith('imagej')
            ? 'tzcyx'
            : 'pages';
      return [join(output, 'results.ome.zarr/inbox', name, '0'), join(input, `${name}.npy`), layout].join(
        '\t',
      );
    });
    const script = join(import.meta.dirname, 'read-store.py');
    const run = spawnSync(PYTHON, [script], { input: lines.join('\n') });
    expect(run.stderr.toString()).toBe('');
    expect(run.stdout.toString()).toBe('ok\n');
  });

  it('make a store that is OME-NGFF 0.4', () => {
    expect(ngffProblems(join(output, 'results.ome.zarr'))).toEqual([]);
  });
});

const ZOO = new URL('../../../../shared/data/tiff-zoo/', import.meta.url).pathname;
const zoo = (() => {
  try {
    return readdirSync(ZOO).filter((name) => /\.tiff?$/.test(name));
  } catch {
    return [];
  }
})();

describe.skipIf(zoo.length === 0)('odd TIFFs (needs ../shared/data/tiff-zoo)', () => {
  it('land as what they are or as plain files with a reason, and are served byte for byte', async () => {
    const output = mkdtempSync(join(tmpdir(), 'platefs-zoo-'));
    try {
      const materializer = await Materializer.open({ outputDir: output, workers: 2 }, never);
      const results = await materializer.land(
        zoo.map((name, index) => sealed(join(ZOO, name), name, index)),
        never,
      );
      await materializer.close();
      const reader = new LandedReader(output, new ByteCache(0));
      for (const result of results) {
        if ('error' in result) throw result.error;
        const { landing } = result;
        const bytes = readFileSync(join(ZOO, landing.mountPath));
        const back = Buffer.alloc(bytes.length);
        reader.readSync(landing, 0, back.length, back);
        expect([landing.mountPath, back.equals(bytes)]).toEqual([landing.mountPath, true]);
        if (landing.kind === 'plain') expect(landing.note, landing.mountPath).toBeTruthy();
      }
      expect(ngffProblems(join(output, 'results.ome.zarr'))).toEqual([]);
    } finally {
      rmSync(output, { recursive: true, force: true });
    }
  });
});
