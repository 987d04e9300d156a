import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NgffKind, ngffFaults } from '../fixtures/ngff-rules.ts';
import { ngffProblems } from '../interop/landing/ngff-problems.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, SHARED_DATA, SMALL_PLATE } from './plate-mount.ts';

/** Several of every axis, projections, odd extents, three levels, and planes that are missing. */
const PLATE = {
  ...SMALL_PLATE,
  width: 613,
  height: 530,
  projections: true,
  missing: ['A01_s001_w2_z002_t001', 'B12_s002_w1_z001_t002'],
};

/**
 * Opens every array of every level of a store with zarr-python, as its metadata names them. `argv[0]` is the store below
 * the mountpoint or an absolute path, `argv[1]` the names of the planes that there are. Prints the checksum of every
 * chunk of level 0 that is there by the plane's name, and what is wrong with the other levels and chunks.
 */
const READ_STORE = `
import hashlib, re, zarr
store = os.path.join(mnt, argv[0])
names = json.loads(argv[1])
parsed = [re.match(r'([A-Z]+\\d+)_s(\\d+)_w(\\d+)_z(\\d+)_t(\\d+)', name).groups() for name in names]
of = lambda kind: sorted({(int(c), int(z), int(t)) for _, _, c, z, t in parsed if (int(z) == 0) == (kind == 1)})
axes = [[sorted({place[axis] for place in of(kind)}) for axis in range(3)] for kind in (0, 1)]
times = sorted({int(t) for _, _, _, _, t in parsed})
byName = {tuple([p[0]] + [int(n) for n in p[1:]]): name for p, name in zip(parsed, names)}
digests, problems, levels, shapes = {}, [], set(), set()
def half(level):
  y, x = level.shape[-2:]
  padded = np.pad(level, [(0, 0)] * 3 + [(0, y % 2), (0, x % 2)], mode='edge').astype('f8')
  mean = (padded[..., 0::2, 0::2] + padded[..., 0::2, 1::2] + padded[..., 1::2, 0::2] + padded[..., 1::2, 1::2]) / 4
  return (np.floor(mean + 0.5) if level.dtype.kind in 'iu' else mean).astype(level.dtype)
root = zarr.open_group(store, mode='r')
for well in root.attrs['plate']['wells']:
  row, column = well['path'].split('/')
  assert root.attrs['plate']['rows'][well['rowIndex']]['name'] == row
  assert root.attrs['plate']['columns'][well['columnIndex']]['name'] == column
  for listed in root[well['path']].attrs['well']['images']:
    path = well['path'] + '/' + listed['path']
    image = root[path]
    kind = listed['acquisition']
    channels, zs = axes[kind][0], axes[kind][1] if kind == 0 else [0]
    site = int(listed['path'].lstrip('p')) + 1
    before = None
    datasets = image.attrs['multiscales'][0]['datasets']
    levels.add(len(datasets))
    for level, dataset in enumerate(datasets):
      array = image[dataset['path']]
      data = array[:]
      if level == 0: shapes.add(data.shape[-2:])
      if data.shape[:3] != (len(times), len(channels), len(zs)): problems.append([path, level, data.shape])
      for t, c, z in np.ndindex(*data.shape[:3]):
        name = byName.get((row + column.zfill(2), site, channels[c], zs[z], times[t]))
        there = os.path.exists(os.path.join(store, path, dataset['path'], f'{t}/{c}/{z}/0/0'))
        if there != (name is not None): problems.append([path, level, t, c, z, there])
        if level == 0 and there:
          plane = data[t, c, z]
          digests[name] = hashlib.sha256(np.ascontiguousarray(plane).astype(plane.dtype.newbyteorder('<')).tobytes()).hexdigest()
        if name is None and data[t, c, z].any(): problems.append([path, level, t, c, z, 'not empty'])
      if before is not None and not np.array_equal(half(before), data): problems.append([path, level, 'is no mean'])
      before = data
    print(path, level, file=sys.stderr)
print(json.dumps({'digests': digests, 'problems': problems, 'levels': sorted(levels), 'shapes': sorted(shapes)}))
`;

interface StoreReport {
  readonly digests: Record<string, string>;
  readonly problems: unknown[];
  readonly levels: number[];
  readonly shapes: number[][];
}

async function readStore(plate: PlateMount, names: readonly string[], store = 'plate.ome.zarr') {
  return JSON.parse(await plate.python(READ_STORE, store, JSON.stringify(names))) as StoreReport;
}

/** Checksum of the pixels of every file in images/, as tifffile reads them. */
async function imageSums(plate: PlateMount): Promise<Record<string, string>> {
  return JSON.parse(
    await plate.python(`
import hashlib, tifffile
def digest(name):
  image = tifffile.imread(os.path.join(mnt, 'images', name))
  return hashlib.sha256(np.ascontiguousarray(image.astype(image.dtype.newbyteorder('<'))).tobytes()).hexdigest()
print(json.dumps({name: digest(name) for name in os.listdir(os.path.join(mnt, 'images'))}))
`),
  ) as Record<string, string>;
}

const withoutExtension = (sums: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name.replace(/\.tiff?$/i, ''), sum]));

/** The attributes of every group of a store, with what kind of group they say it is. */
async function groups(plate: PlateMount): Promise<{ path: string; kind: NgffKind; attributes: unknown }[]> {
  return JSON.parse(
    await plate.python(`
store = os.path.join(mnt, 'plate.ome.zarr')
out = []
for folder, folders, files in os.walk(store):
  for name in files:
    path = os.path.join(folder, name)
    if name == '.zattrs': attributes = ome = json.load(open(path))
    elif name == 'zarr.json':
      document = json.load(open(path))
      assert document['zarr_format'] == 3
      if document['node_type'] != 'group' or not document['attributes']: continue
      attributes = document['attributes']
      ome = attributes['ome']
    else: continue
    kind = 'plate' if 'plate' in ome else 'well' if 'well' in ome else 'image'
    out.append({'path': os.path.relpath(folder, store), 'kind': kind, 'attributes': attributes})
print(json.dumps(out))
`),
  ) as { path: string; kind: NgffKind; attributes: unknown }[];
}

describe.skipIf(mountProblem() !== undefined || !existsSync(SHARED_DATA))(
  'plate.ome.zarr (skipped where ../shared/data is absent)',
  () => {
    it.each(['ix-exported-3434', 'ix-raw-1334', 'harmony-synth-v5', 'ngff04-hcs-3d'])(
      '%s: zarr-python reads what the truth file says, and means of it',
      async (set) => {
        const truth = JSON.parse(readFileSync(join(SHARED_DATA, `${set}.truth.json`), 'utf8')) as {
          plate_root: string;
          planes: { virtual: string; sha256_pixels: string }[];
        };
        await using plate = await PlateMount.start({ plate: join(SHARED_DATA, set) });
        const expected = Object.fromEntries(
          truth.planes.map(({ virtual, sha256_pixels }) => [virtual, sha256_pixels]),
        );
        const { digests, problems } = await readStore(plate, Object.keys(expected));
        expect(problems).toEqual([]);
        expect(digests).toEqual(expected);
        const described = await groups(plate);
        for (const { path, kind, attributes } of described)
          expect([path, ngffFaults('0.4', kind, attributes)]).toEqual([path, []]);
        if (set !== 'ngff04-hcs-3d') return;
        // Channels have the colours that the OME-Zarr has them in.
        const colors = described.flatMap(({ kind, attributes }) => {
          const { omero } = attributes as { omero?: { channels: { color: string }[] } };
          return kind === 'image' ? [omero?.channels.map(({ color }) => color)] : [];
        });
        expect(new Set(colors.map(String))).toEqual(new Set(['00FFFF,008000']));
      },
    );
  },
);

describe.skipIf(mountProblem() !== undefined)('plate.ome.zarr', () => {
  let plate: PlateMount;
  beforeAll(async () => {
    plate = await PlateMount.start({ plate: PLATE });
  });
  afterAll(async () => {
    await plate?.remove();
  });

  it('is a valid store of every plane at every level, and so is a copy of it', async () => {
    const images = await imageSums(plate);
    const report = await readStore(plate, Object.keys(images));
    expect(report.problems).toEqual([]);
    expect(report.digests).toEqual(images);
    expect(report.levels).toEqual([3]);
    expect(report.shapes).toEqual([[530, 613]]);

    const copy = join(plate.folder, 'copy.zarr');
    await plate.shell('cp -r plate.ome.zarr "$1" && diff -r plate.ome.zarr "$1"', copy);
    expect(await readStore(plate, Object.keys(images), copy)).toEqual(report);
    expect(ngffProblems(copy)).toEqual([]);
    const found = (await plate.shell('cd plate.ome.zarr && find . | sort')).split('\n');
    expect(new Set(found).size).toBe(found.length);
    expect((await plate.shell('cd "$1" && find . | sort', copy)).split('\n')).toEqual(found);
  });

  it.each(['0.4', '0.5'] as const)('%s: its metadata keeps the rules, its planes come back', async (ngff) => {
    await using first = await PlateMount.start({
      plate: { ...PLATE, projections: false, missing: [] },
      args: ['--ngff', ngff],
    });
    for (const { path, kind, attributes } of await groups(first))
      expect([path, ngffFaults(ngff, kind, attributes)]).toEqual([path, []]);
    const images = withoutExtension(await imageSums(first));
    await using again = await PlateMount.start({ plate: first.path('plate.ome.zarr') });
    expect(withoutExtension(await imageSums(again))).toEqual(images);
    const { plate: described } = await again.status();
    expect(described.format).toContain(`OME-Zarr ${ngff} plate`);
    const channels = await again.shell('cat tables/channels.csv');
    expect(channels).toContain('DAPI');
    expect(channels).toContain('FITC');
  });

  it('says what the plate says: pixel size, channels, wells; and nothing that it does not', async () => {
    const all = new Map((await groups(plate)).map(({ path, attributes }) => [path, attributes]));
    expect(all.get('.')).toMatchObject({
      plate: {
        field_count: 2,
        wells: [
          { path: 'A/1', rowIndex: 0, columnIndex: 0 },
          { path: 'B/12', rowIndex: 1, columnIndex: 11 },
        ],
      },
    });
    expect(all.get('B/12')).toEqual({
      well: {
        version: '0.4',
        images: [
          { path: '0', acquisition: 0 },
          { path: '1', acquisition: 0 },
          { path: 'p0', acquisition: 1 },
          { path: 'p1', acquisition: 1 },
        ],
      },
    });
    const image = all.get('A/1/0') as Record<string, unknown>;
    expect(image).toMatchObject({ omero: { channels: [{ label: 'DAPI' }, { label: 'FITC' }] } });
    const size = await plate.python(
      "print(os.getxattr(os.path.join(mnt, 'images/A01_s001_w1_z001_t001.tif'), 'user.platefs.pixel-size-um').decode())",
    );
    const [{ axes, datasets }] = image['multiscales'] as [
      { axes: object[]; datasets: { coordinateTransformations: { scale: number[] }[] }[] },
    ];
    const scales = datasets.map((level) => level.coordinateTransformations[0]?.scale.slice(3));
    expect(scales).toEqual([1, 2, 4].map((factor) => [Number(size) * factor, Number(size) * factor]));
    expect(axes.slice(3)).toEqual(['y', 'x'].map((name) => ({ name, type: 'space', unit: 'micrometer' })));
  });

  it('is read-only', async () => {
    const result = await plate.python(`
import errno
store = os.path.join(mnt, 'plate.ome.zarr')
def attempt(what):
  try:
    what()
    return 'done'
  except OSError as error: return errno.errorcode[error.errno]
print([attempt(what) for what in (
  lambda: open(os.path.join(store, '.zattrs'), 'w'),
  lambda: open(os.path.join(store, 'A/1/0/0/0/0/0/0/0'), 'r+'),
  lambda: open(os.path.join(store, 'new'), 'w'),
  lambda: os.mkdir(os.path.join(store, 'labels')),
  lambda: os.unlink(os.path.join(store, '.zgroup')),
  lambda: os.rename(os.path.join(store, 'A'), os.path.join(store, 'C')),
)])
`);
    expect(result).toBe(
      `${JSON.stringify(Array(6).fill('EROFS')).replaceAll('"', "'").replaceAll(',', ', ')}\n`,
    );
  });

  it('gives an error for planes that are missing where that is asked, and always for one that is damaged', async () => {
    await using damaged = await PlateMount.start({
      plate: { ...PLATE, projections: false },
      args: ['--missing', 'error', '-o', 'nopassthrough'],
      prepare: async (root, { planes }) => {
        const { truncateSync } = await import('node:fs');
        const { source } = planes.find(({ name }) => name.startsWith('A01_s002_w1_z001_t001'))!;
        truncateSync(join(root, source), 5000);
      },
    });
    const result = await damaged.python(`
import errno
def read(path):
  try:
    with open(os.path.join(mnt, 'plate.ome.zarr', path), 'rb') as file: return len(file.read())
  except OSError as error: return errno.errorcode[error.errno]
print(json.dumps([read(path) for path in (
  'A/1/0/0/0/1/1/0/0', 'A/1/0/1/0/1/1/0/0', 'A/1/1/0/0/0/0/0/0', 'A/1/1/2/0/0/0/0/0', 'A/1/1/0/0/0/1/0/0', 'A/1/1/2/0/0/1/0/0')]))
`);
    const wholeBytes = 613 * 530 * 2;
    expect(JSON.parse(result)).toEqual(['EIO', 'EIO', 'EIO', 'EIO', wholeBytes, 154 * 133 * 2]);
  });
});
