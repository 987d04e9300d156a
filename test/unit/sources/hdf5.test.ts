import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import hdf5 from '../../../src/sources/hdf5.ts';
import {
  type CatalogSample,
  type ExpectedPixels,
  sourceCatalogConformance,
} from '../../conformance/source-catalogs.ts';
import { hasH5py, runH5py } from '../../fixtures/hdf5.ts';

/** Files of every kind that is recognised, and what h5py reads of them. */
const WRITE_ALL = `
import json, base64
rng = np.random.default_rng(1)
folder = args[0]
out = {}
def put(name, **pixels):
    out[name] = [dict(path=p, shape=list(a.shape), dtype=a.dtype.name, bytes=base64.b64encode(np.ascontiguousarray(a).astype(a.dtype.newbyteorder('<')).tobytes()).decode()) for p, a in pixels.items()]
def pixels(*shape, dtype='u2'):
    return rng.integers(0, 250, shape).astype(dtype)

with h5py.File(folder + '/plain/a.h5', 'w') as f:
    a, b, c = pixels(40, 50), pixels(5, 33, 47, dtype='>u4'), pixels(3, 2, 4, 18, 20, dtype='f4')
    f['flat'] = a
    f.create_dataset('g/gzip', data=b, chunks=(2, 16, 16), compression='gzip', shuffle=True, fletcher32=True)
    f.create_dataset('g/named', data=c, chunks=(1, 1, 4, 18, 20), compression='lzf')
    for at, label in enumerate('ctzyx'): f['g/named'].dims[at].label = label
    f.create_dataset('grows', data=a, chunks=(16, 16), maxshape=(None, 50), compression='gzip')
    f['one'] = np.float64(3.5)
    f['text'] = 'hé'
    f['names'] = ['a', 'ßß', '']
    t = np.zeros(4, dtype=[('id', 'i8'), ('x', '<f4', (2,)), ('on', '?'), ('n', [('p', 'u1')]), ('s', 'S3')])
    t['id'] = [1, -2, 3, 2**62]; t['x'] = rng.random((4, 2)); t['s'] = [b'a', b'bc', b'', b'def']
    f['table'] = t
    f['kinds'] = np.array([0, 1, 1, 0], dtype=h5py.enum_dtype({'red': 0, 'green': 1}, 'u1'))
    f.attrs['note'] = 'x'; f['flat'].attrs['big'] = np.int64(2**62)
    order = np.ascontiguousarray(c.transpose(1, 0, 2, 3, 4))
    out['plain/a.h5'] = None
    put('plain/a.h5', **{'flat': a, 'g/gzip': b, 'g/named': order, 'grows': a, 'one': np.float64(3.5).reshape(()), 'kinds': np.array([0, 1, 1, 0], 'u1')})

with h5py.File(folder + '/bdv/b.h5', 'w', libver='latest') as f:
    stack = pixels(2, 1, 9, 40, 30)
    small = stack[:, :, ::2, ::2, ::2][:, :, :4]
    for t in range(2):
        for level, data in ((0, stack), (1, small)):
            f.create_dataset('t%05d/s00/%d/cells' % (t, level), data=data[t, 0].astype('i2'), chunks=(4, 8, 8), compression='gzip')
    f['s00/resolutions'] = np.array([[1, 1, 1], [2, 2, 2]], 'f8')
    f['s00/subdivisions'] = np.array([[16, 16, 4]] * 2, 'i4')
    put('bdv/b.h5', **{'s00': stack, 's00/1': np.ascontiguousarray(small)})
open(folder + '/bdv/b.xml', 'w').write('<SpimData version="0.2"><SequenceDescription><ViewSetups><ViewSetup><id>0</id><name>s</name><voxelSize><unit>micron</unit><size>0.5 0.5 2</size></voxelSize></ViewSetup></ViewSetups></SequenceDescription></SpimData>')

with h5py.File(folder + '/imaris/c.ims', 'w') as f:
    text = lambda s: np.array([c.encode() for c in s], 'S1')
    stack = pixels(2, 2, 5, 30, 20)
    for t in range(2):
        for c in range(2):
            g = f.create_group('DataSet/ResolutionLevel 0/TimePoint %d/Channel %d' % (t, c))
            data = np.zeros((8, 32, 32), 'u2'); data[:5, :30, :20] = stack[t, c]
            g.create_dataset('Data', data=data, chunks=(8, 32, 32), compression='gzip')
            for axis, size in zip('XYZ', (20, 30, 5)): g.attrs['ImageSize' + axis] = text(str(size))
    f.create_group('DataSetInfo/Image').attrs['Unit'] = text('um')
    put('imaris/c.ims', **{'DataSet': stack})

with h5py.File(folder + '/cellh5/d.ch5', 'w') as f:
    data = pixels(2, 3, 1, 20, 24, dtype='u1')
    f['sample/0/plate/p/experiment/A01/position/1/image/channel'] = data
    put('cellh5/d.ch5', **{'sample/0/plate/p/experiment/A01/position/1/image/channel': np.ascontiguousarray(data.transpose(1, 0, 2, 3, 4))})

with h5py.File(folder + '/linked/other.h5', 'w') as f: f['x'] = a
with h5py.File(folder + '/linked/e.h5', 'w') as f:
    f['there'] = h5py.ExternalLink('other.h5', '/x')
    f['soft'] = h5py.SoftLink('/there')
    layout = h5py.VirtualLayout((2, 40, 50), 'u2')
    for at in range(2): layout[at] = h5py.VirtualSource('other.h5', 'x', (40, 50))
    f.create_virtual_dataset('virtual', layout)
    put('linked/e.h5', **{'there': a, 'soft': a, 'virtual': np.stack([a, a])})
print(json.dumps(out))
`;

interface Written {
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: ExpectedPixels['dtype'];
  readonly bytes: string;
}

describe.skipIf(!hasH5py())('with h5py', () => {
  sourceCatalogConformance(hdf5, (folder): CatalogSample[] => {
    for (const name of ['plain', 'bdv', 'imaris', 'cellh5', 'linked']) mkdirSync(join(folder, name));
    const written = JSON.parse(runH5py(WRITE_ALL, folder)) as Record<string, Written[]>;
    return Object.entries(written).map(([name, pixels]) => ({
      path: join(folder, name),
      pixels: pixels.map((one) => ({ ...one, bytes: Buffer.from(one.bytes, 'base64') })),
    }));
  });

  it('lists the time points and channels that an Imaris file lacks, and keeps the numbers of the others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-hdf5-'));
    try {
      runH5py(
        `
text = lambda s: np.array([c.encode() for c in s], 'S1')
with h5py.File(args[0] + '/gaps.ims', 'w') as f:
    for level in range(2):
        for t, c in ((0, 1), (2, 0), (2, 1), (3, 0)):
            if level and t == 3: continue
            g = f.create_group('DataSet/ResolutionLevel %d/TimePoint %d/Channel %d' % (level, t, c))
            g['Data'] = np.full((2, 8 >> level, 8 >> level), 10 * t + c + 1, 'u2')
            for axis, size in zip('XYZ', (8 >> level, 8 >> level, 2)): g.attrs['ImageSize' + axis] = text(str(size))
    for c in range(2): f.create_group('DataSetInfo/Channel %d' % c).attrs['Name'] = text('abc'[c])
    for t in range(4): f.require_group('DataSetInfo/TimeInfo').attrs['TimePoint%d' % (t + 1)] = text('2020-01-01 00:00:%02d' % (5 * t))
`,
        folder,
      );
      const path = join(folder, 'gaps.ims');
      const catalog = (await hdf5.catalog!(path, { root: folder }, new AbortController().signal))!;
      expect(catalog.items.find((item) => item.kind === 'image')).toMatchObject({
        image: {
          shape: [4, 2, 2, 8, 8],
          channels: [{ name: 'a' }, { name: 'b' }],
          timeIntervalS: 5,
        },
      });
      expect(catalog.warnings).toEqual([
        {
          path: 'DataSet',
          message:
            'not recorded and shown as zeros: TimePoint 0/Channel 0, TimePoint 1, TimePoint 3/Channel 1',
        },
      ]);
      await hdf5.prepare!();
      using source = hdf5.openSync!(path, catalog);
      const corner = (t: number, c: number, item = 'DataSet'): number => {
        const bytes = new Uint8Array(2);
        source.readRegion(item, { start: [t, c, 1, 3, 3], shape: [1, 1, 1, 1, 1] }, bytes);
        return new DataView(bytes.buffer).getUint16(0, true);
      };
      expect([0, 1, 2, 3].map((t) => [corner(t, 0), corner(t, 1)])).toEqual([
        [0, 2],
        [0, 0],
        [21, 22],
        [31, 0],
      ]);
      // What only a smaller level lacks is no zeros.
      expect(corner(2, 1, 'DataSet/ResolutionLevel 1')).toBe(22);
      expect(() => corner(3, 0, 'DataSet/ResolutionLevel 1')).toThrow(/gaps\.ims.*TimePoint 3/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('names an image of CellH5 after its place, and other axes as their labels say', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-hdf5-'));
    try {
      runH5py(
        `
with h5py.File(args[0] + '/d.ch5', 'w') as f:
    for site in '12': f['sample/0/plate/p/experiment/A01/position/%s/image/channel' % site] = np.zeros((2, 3, 1, 20, 24), 'u1')
with h5py.File(args[0] + '/s.h5', 'w') as f:
    f['rgb'] = np.zeros((30, 40, 3), 'u1'); f['rgb'].attrs['CLASS'] = np.bytes_('IMAGE'); f['rgb'].attrs['INTERLACE_MODE'] = np.bytes_('INTERLACE_PIXEL')
    f['stack'] = np.zeros((5, 30, 40), 'u2'); f['stack'].attrs['element_size_um'] = [2, .5, .25]
    f['times'] = np.zeros((5, 30, 40), 'u2'); f['times'].attrs['axes'] = 'tyx'
    f['matrix'] = np.zeros((5, 30)); f['four'] = np.zeros((2, 3, 30, 40)); f['wrong'] = np.zeros((20, 20)); f['wrong'].attrs['axes'] = 'ab'
`,
        folder,
      );
      const imagesOf = async (name: string) =>
        (await hdf5.catalog!(join(folder, name), { root: folder }, new AbortController().signal))!.items
          .filter((item) => item.kind === 'image')
          .map(({ image, path }) => ({ path, ...image }));
      expect((await imagesOf('d.ch5')).map(({ name, shape }) => [name, shape])).toEqual([
        ['p_A01_1', [3, 2, 1, 20, 24]],
        ['p_A01_2', [3, 2, 1, 20, 24]],
      ]);
      expect(await imagesOf('s.h5')).toEqual([
        { path: 'rgb', name: 'rgb', shape: [1, 3, 1, 30, 40], dtype: 'uint8', channels: [] },
        {
          path: 'stack',
          name: 'stack',
          shape: [1, 1, 5, 30, 40],
          dtype: 'uint16',
          pixelSizeUm: { x: 0.25, y: 0.5 },
          zSpacingUm: 2,
          channels: [],
        },
        { path: 'times', name: 'times', shape: [5, 1, 1, 30, 40], dtype: 'uint16', channels: [] },
        { path: 'wrong', name: 'wrong', shape: [1, 1, 1, 20, 20], dtype: 'float64', channels: [] },
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
