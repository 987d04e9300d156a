import * as zlib from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';

/** Node:zlib whose streams are made otherwise. */
function withStreams(make: (stream: object) => object): void {
  vi.doMock('node:zlib', () => ({
    ...zlib,
    createInflate: () => make(zlib.createInflate()),
    createGunzip: () => make(zlib.createGunzip()),
  }));
}

/** What each of these lacks, or does otherwise than Node 24 does. */
const OTHER_STREAMS: Record<string, (stream: object) => object> = {
  'no handle': () => ({ on: () => {} }),
  'no handle any more': () => ({ _handle: null, _writeState: new Uint32Array(2), on: () => {} }),
  'no synchronous write': () => ({ _handle: { reset() {} }, _writeState: new Uint32Array(2), on: () => {} }),
  'no state': (stream) => Object.assign(stream, { _writeState: undefined }),
  'a write that throws': () => ({
    _handle: {
      reset() {},
      writeSync() {
        throw new TypeError('other arguments');
      },
    },
    _writeState: new Uint32Array(2),
    on: () => {},
  }),
  'a write that does nothing': () => ({
    _handle: { reset() {}, writeSync() {} },
    _writeState: Uint32Array.of(1, 0),
    on: () => {},
  }),
};

afterEach(() => {
  vi.doUnmock('node:zlib');
  vi.resetModules();
});

describe.each(Object.entries(OTHER_STREAMS))('in a Node whose streams have %s', (_, make) => {
  it('chunks of Zarr and HDF5 are decoded all the same', async () => {
    vi.resetModules();
    withStreams(make);
    const { inflate } = await import('../../../src/zarr/codec/inflate.ts');
    const content = Uint8Array.from({ length: 5000 }, (_, at) => (at * at) >> 5);
    const packed = { zlib: zlib.deflateSync(content), gzip: zlib.gzipSync(content) };
    for (const format of ['zlib', 'gzip'] as const) {
      expect(inflate(format, packed[format], content.length)).toBeUndefined();
      const { streamStep } = await import('../../../src/zarr/codec-step.ts');
      const limits = { path: '/store/0', sizeBytes: content.length, maxBytes: content.length };
      expect(Buffer.compare(streamStep(format).decode(Buffer.from(packed[format]), limits), content)).toBe(0);
    }
    const { undoFilters } = await import('../../../src/sources/shared/hdf5-pipeline.ts');
    const { FILTER } = await import('../../../src/sources/shared/hdf5-filter-names.ts');
    const filters = [{ id: FILTER.deflate, values: [1], name: '' }];
    const undone = undoFilters(Buffer.from(packed.zlib), filters, 0, content.length, undefined);
    expect(Buffer.compare(undone, content)).toBe(0);
  });
});
