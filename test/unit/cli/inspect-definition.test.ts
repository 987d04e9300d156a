import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../../src/cli/command-line.ts';
import type { SourceReport } from '../../../src/cli/source-report.ts';
import { put } from '../../fixtures/zarr.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-inspect-definition-'));
const cacheHome = process.env['XDG_CACHE_HOME'];
beforeAll(() => void (process.env['XDG_CACHE_HOME'] = join(folder, 'cache')));
afterAll(() => {
  if (cacheHome === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = cacheHome;
  rmSync(folder, { recursive: true, force: true });
});

/** A store with an image of 64-bit floats, which ImageJ does not open. */
function writeStore(store: string): void {
  const axes = ['y', 'x'].map((name) => ({ name, type: 'space' }));
  const scale = [{ type: 'scale', scale: [1, 1] }];
  const datasets = [{ path: '0', coordinateTransformations: scale }];
  put(join(store, '.zgroup'), { zarr_format: 2 });
  put(join(store, 'image/.zgroup'), { zarr_format: 2 });
  put(join(store, 'image/.zattrs'), { multiscales: [{ version: '0.4', axes, datasets }] });
  put(join(store, 'image/0/.zarray'), {
    zarr_format: 2,
    shape: [16, 16],
    chunks: [16, 16],
    dtype: '<f8',
    compressor: null,
    fill_value: 0,
    order: 'C',
    filters: null,
  });
}

async function inspected(definition: string): Promise<unknown> {
  const path = join(folder, 'definition.yaml');
  put(path, definition);
  let stdout = '';
  const status = await runCommandLine(['inspect', path, '--json'], {
    version: '1.2.3',
    signal: new AbortController().signal,
    out: { write: (text) => (stdout += text) },
    err: { write: () => true },
  });
  expect(`${status} ${stdout}`).toMatch(/^0 /);
  return JSON.parse(stdout);
}

const shown = ({ sources, warnings }: Pick<SourceReport, 'sources' | 'warnings'>) => ({
  files: sources.map(({ files }) => files),
  refused: warnings.map(({ message }) => message).join(),
});

describe('inspect of a definition tells what a mount of it shows', () => {
  beforeAll(() => writeStore(join(folder, 'store.zarr')));
  const AS_THEY_ARE = { files: [4], refused: expect.stringContaining('float64=float32') };
  const ROUNDED = { files: [5], refused: '' };

  it.each([
    ['', AS_THEY_ARE],
    ['options:\n  float64: float64\n', AS_THEY_ARE],
    ['options:\n  float64: float32\n', ROUNDED],
  ])(
    '64-bit floats of one source, with %j',
    async (options, expected) => {
      expect(shown((await inspected(`source: store.zarr\n${options}`)) as SourceReport)).toEqual(expected);
    },
    60_000,
  );

  it('64-bit floats of several sources', async () => {
    const several = 'sources:\n  - store.zarr\n  - path: store.zarr\n    name: again\n';
    for (const [options, expected] of [
      ['', AS_THEY_ARE],
      ['options:\n  float64: float32\n', ROUNDED],
    ] as const) {
      const { sources } = (await inspected(`${several}${options}`)) as { sources: SourceReport[] };
      expect(sources.map(shown)).toEqual([expected, expected]);
    }
  }, 60_000);
});
