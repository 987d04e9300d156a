import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { put } from '../fixtures/zarr.ts';

/** Writes a chunk of a store, every pixel of it `value`, and the folders it lies in. */
export function writeChunk(store: string, key: string, value: number): void {
  const { chunks } = JSON.parse(readFileSync(join(store, '0/.zarray'), 'utf8')) as { chunks: number[] };
  const pixels = chunks.reduce((product, extent) => product * extent, 1);
  put(join(store, '0', key), deflateSync(new Uint16Array(pixels).fill(value)));
}

/**
 * An image of two channels and two slices, a chunk per plane in folders of folders; the last chunk is not there, and
 * stands for 7.
 */
export function writeStore(store: string, side = 64): void {
  const axes = ['c', 'z', 'y', 'x'].map((name) => ({
    name,
    type: name === 'c' ? 'channel' : 'space',
  }));
  const scale = [{ type: 'scale', scale: [1, 1, 1, 1] }];
  const datasets = [{ path: '0', coordinateTransformations: scale }];
  put(join(store, '.zgroup'), { zarr_format: 2 });
  put(join(store, '.zattrs'), { multiscales: [{ version: '0.4', axes, datasets }] });
  put(join(store, '0/.zarray'), {
    zarr_format: 2,
    shape: [2, 2, side, side],
    chunks: [1, 1, side, side],
    dtype: '<u2',
    compressor: { id: 'zlib', level: 1 },
    fill_value: 7,
    order: 'C',
    filters: null,
    dimension_separator: '/',
  });
  for (const [i, key] of ['0/0/0/0', '0/1/0/0', '1/0/0/0'].entries()) writeChunk(store, key, i + 1);
}
