import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBlosc } from '../../src/zarr/codec/blosc.ts';
import { FIELD_SIDE } from './bench.ts';
import { LinkedFiles } from './linked-files.ts';

/** Side of a chunk, which is a plane. */
export const LARGE_SIDE = 2 * FIELD_SIDE;
export const LARGE_PLANE_BYTES = LARGE_SIDE * LARGE_SIDE * 2;

/** Cells on a background with noise in its lowest bits. */
function chunk(): Uint8Array {
  const pixels = new Uint16Array(LARGE_SIDE * LARGE_SIDE);
  for (let pixel = 0; pixel < pixels.length; pixel++) {
    const [x, y] = [pixel % LARGE_SIDE, Math.floor(pixel / LARGE_SIDE)];
    const cell = ((x >> 6) + (y >> 6)) % 3 === 0 ? 900 : 0;
    pixels[pixel] = 200 + cell + ((Math.imul(pixel, 40_503) >>> 13) & 7);
  }
  return new Uint8Array(pixels.buffer);
}

/** How the chunks of a {@link makeLargeZarr} are stored: as they are, or by Blosc with LZ4 and shuffle. */
export type LargeZarrCodec = 'none' | 'blosc';

const BLOSC = { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 };

/** An OME-Zarr image of one z-stack, every chunk of which is another name of one file. */
export function makeLargeZarr(folder: string, planes: number, codec: LargeZarrCodec): void {
  const write = (name: string, value: object): void => {
    writeFileSync(join(folder, name), JSON.stringify(value));
  };
  const chunks = join(folder, '0', '0', '0');
  mkdirSync(chunks, { recursive: true });
  const space = ['z', 'y', 'x'].map((name) => ({ name, type: 'space', unit: 'micrometer' }));
  const axes = [{ name: 't', type: 'time' }, { name: 'c', type: 'channel' }, ...space];
  const scale = [{ type: 'scale', scale: [1, 1, 1, 0.5, 0.5] }];
  const datasets = [{ path: '0', coordinateTransformations: scale }];
  write('.zgroup', { zarr_format: 2 });
  write('.zattrs', { multiscales: [{ version: '0.4', axes, datasets }] });
  write(join('0', '.zarray'), {
    zarr_format: 2,
    shape: [1, 1, planes, LARGE_SIDE, LARGE_SIDE],
    chunks: [1, 1, 1, LARGE_SIDE, LARGE_SIDE],
    dtype: '<u2',
    order: 'C',
    fill_value: 0,
    filters: null,
    compressor: codec === 'none' ? null : BLOSC,
    dimension_separator: '/',
  });
  const content = join(folder, '..', `${codec}.chunk`);
  writeFileSync(content, codec === 'none' ? chunk() : encodeBlosc(chunk(), 2, content));
  const linked = new LinkedFiles(content);
  for (let z = 0; z < planes; z++) {
    mkdirSync(join(chunks, String(z), '0'), { recursive: true });
    linked.add(join(chunks, String(z), '0', '0'));
  }
}
