import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from '../../mount/harness.ts';
import { PlateMount, PYTHON, SHARED_DATA } from '../../mount/plate-mount.ts';

const problem = mountProblem();
const why = problem ?? (existsSync(SHARED_DATA) ? undefined : '../shared/data is absent');

/** What `read-mount.py` prints. */
interface Report {
  readonly files: number;
  readonly opened: Readonly<Record<string, number>>;
  readonly sums: Readonly<Record<string, readonly string[]>>;
  /** Files that were not read whole. */
  readonly left: readonly string[];
  readonly problems: readonly string[];
}

/** A file of the mount, and a checksum of what must stand in it. */
type Expected = readonly [path: string, sum: string];

const truthOf = <T>(set: string): T =>
  JSON.parse(readFileSync(join(SHARED_DATA, `${set}.truth.json`), 'utf8')) as T;

async function read(mount: PlateMount): Promise<Report> {
  const script = join(import.meta.dirname, 'read-mount.py');
  const text = await mount.succeed(PYTHON, [script, mount.mountpoint, mount.plate], { timeoutMs: 110_000 });
  return JSON.parse(text) as Report;
}

/** Reads everything there is; nothing differs, and what the truth file knows of is what it says. */
async function check(mount: PlateMount, set: string, expected: readonly Expected[]): Promise<void> {
  const { files, opened, left, sums, problems } = await read(mount);
  console.log(
    `${set}: ${files} files (${left.length} of them in parts), ${expected.length} sums known; opened: ${JSON.stringify(opened)}`,
  );
  expect(problems).toEqual([]);
  const wrong = expected.filter(([path, sum]) => !left.includes(path) && sums[path]?.includes(sum) !== true);
  expect(wrong.map(([path]) => [path, path in sums ? 'another sum' : 'not there'])).toEqual([]);
}

interface PlateTruth {
  readonly planes: readonly { readonly virtual: string; readonly sha256_pixels: string }[];
}

interface ArrayTruth {
  readonly arrays: readonly {
    readonly file?: string;
    readonly path: string;
    readonly dtype: string;
    readonly shape: readonly number[] | null;
    readonly link?: string;
    readonly sha256_array?: string;
    readonly sha256_array_without_padding?: string;
  }[];
}

/** Numbers of one kind: those that are shown as NPY. */
const isNumber = (dtype: string): boolean => /^(?:[<>|]?[iuf]\d|u?int\d+|float\d+)$/.test(dtype);

describe.skipIf(why)(
  `every file that is presented, read by every program${why === undefined ? '' : ` (skipped: ${why})`}`,
  () => {
    // Not cv8000-minimal: 96 planes of 8 MB that are all zeros.
    it.each([
      'ix-exported-3434',
      'ix-raw-1334',
      'ix-raw-1697',
      'ix-nested-synth',
      'operetta-v5',
      'harmony-synth-v5',
      'ngff04-hcs-3d',
      'ngff05-hcs',
      'openhcs-plate-zarr',
      'openhcs-plate-zarr-file',
      'openhcs-plate-zarr-2026',
    ])(
      'plate %s',
      async (set) => {
        await using mount = await PlateMount.start({ plate: join(SHARED_DATA, set) });
        const names = new Set((await mount.shell('ls images')).trim().split('\n'));
        const planes = truthOf<PlateTruth>(set).planes.map(
          ({ virtual, sha256_pixels }) => [virtual.replace(/^.*\//, ''), sha256_pixels] as const,
        );
        const shown = planes.filter(([name]) => names.has(name));
        expect(shown.length).toBeGreaterThan(0);
        await check(
          mount,
          set,
          shown.map(([name, sum]) => [`images/${name}`, sum]),
        );
      },
      120_000,
    );

    it.each(['ome-tiff', 'ndtiff', 'ngff-images/v04', 'ngff-images/v05'])(
      'plates of few images %s',
      async (set) => {
        await using mount = await PlateMount.start({ plate: join(SHARED_DATA, set) });
        await check(mount, set, []);
      },
      120_000,
    );

    it.each(['v2.zarr', 'v3.zarr'])(
      'arrays of zarr-arrays/%s',
      async (store) => {
        await using mount = await PlateMount.start({ plate: join(SHARED_DATA, 'zarr-arrays', store) });
        const arrays = truthOf<ArrayTruth>('zarr-arrays').arrays.flatMap(
          ({ path, dtype, sha256_array: sum }): Expected[] =>
            path.startsWith(`${store}/`) && sum !== undefined && isNumber(dtype)
              ? [[`arrays/${path.slice(store.length + 1)}.npy`, sum]]
              : [],
        );
        expect(arrays.length).toBeGreaterThan(10);
        await check(mount, store, arrays);
      },
      120_000,
    );

    it.each(['hdf5-features', 'ilastik-h5', 'bdv-h5', 'imaris-derived'])(
      'HDF5 files of %s',
      async (set) => {
        await using mount = await PlateMount.start({ plate: join(SHARED_DATA, set) });
        const family = set === 'bdv-h5' ? 'bdv' : 'imaris';
        const expected = truthOf<ArrayTruth>(set).arrays.flatMap((array): Expected[] => {
          const { file = 'derived.ims', path, dtype, shape } = array;
          const sum = array.sha256_array ?? array.sha256_array_without_padding;
          if (array.link !== undefined || sum === undefined || shape === null || !isNumber(dtype)) return [];
          const cells = family === 'bdv' ? /^\/t\d+\/(s\d+)\/(\d+)\/cells$/.exec(path) : undefined;
          if (cells) return [[`${file}/ome-zarr/${cells[1]}.ome.zarr/${cells[2]}`, sum]];
          if (path.startsWith('/DataSet/')) return [[`${file}/ome-zarr/DataSet.ome.zarr/0`, sum]];
          return [[`${file}/arrays${path}.npy`, sum]];
        });
        expect(expected.length).toBeGreaterThan(0);
        await check(mount, set, expected);
      },
      120_000,
    );

    it.each(['h5ad', 'anndata-zarr'])(
      'AnnData of %s',
      async (set) => {
        await using mount = await PlateMount.start({ plate: join(SHARED_DATA, set) });
        await check(mount, set, [...expectedTables(set)]);
      },
      120_000,
    );

    it('TIFFs of tiff-zoo', async () => {
      await using mount = await PlateMount.make({ plate: 'unset' });
      // A folder of TIFFs alone is one of unknown origin: beside a store each of them is shown.
      const folder = join(mount.folder, 'zoo');
      mkdirSync(folder);
      cpSync(join(SHARED_DATA, 'tiff-zoo'), folder, { recursive: true });
      cpSync(join(SHARED_DATA, 'ilastik-h5/probabilities.h5'), join(folder, 'probabilities.h5'));
      await using zoo = await PlateMount.start({ plate: folder });
      const warnings = await zoo.shell('cat .platefs/warnings.json');
      const { files } = truthOf<{
        files: { file: string; pages: { sha256_pixels?: string }[] }[];
      }>('tiff-zoo');
      const report = await read(zoo);
      console.log(`tiff-zoo: ${report.files} files; opened: ${JSON.stringify(report.opened)}`);
      expect(report.problems).toEqual([]);
      const missing = files.flatMap(({ file, pages }) => {
        const sums = new Set(
          Object.entries(report.sums).flatMap(([path, all]) =>
            path.startsWith(`${file}/arrays/`) ? all : [],
          ),
        );
        if (sums.size === 0 && warnings.includes(file)) return [];
        return pages.flatMap(({ sha256_pixels: sum }, page) =>
          sum === undefined || sums.has(sum) ? [] : [`${file} page ${page}`],
        );
      });
      expect(missing).toEqual([]);
    }, 120_000);
  },
);

interface FrameTruth {
  readonly names_sha256: string;
  readonly columns: Readonly<Record<string, { readonly values_sha256_f64?: string }>>;
}

interface TablesTruth {
  readonly files: readonly {
    readonly file: string;
    readonly X: { readonly sha256_dense_f64: string } | null;
    readonly obs: FrameTruth;
    readonly var: FrameTruth;
    readonly obsm: Readonly<Record<string, { readonly kind: string; readonly sha256_dense_f64: string }>>;
  }[];
}

/** Names, numbers of every column, matrices and embeddings of the AnnData files of a set. */
function* expectedTables(set: string): Generator<Expected> {
  for (const truth of truthOf<TablesTruth>('h5ad.tables').files) {
    const file = set === 'h5ad' ? truth.file : truth.file.replace(/\.h5ad$/, '.zarr');
    if (!existsSync(join(SHARED_DATA, set, file))) continue;
    for (const name of ['obs', 'var'] as const) {
      yield [`${file}/tables/${name}.csv`, truth[name].names_sha256];
      for (const { values_sha256_f64: sum } of Object.values(truth[name].columns))
        if (sum !== undefined) yield [`${file}/tables/${name}.csv`, sum];
    }
    if (truth.X) yield [`${file}/arrays/X.npy`, truth.X.sha256_dense_f64];
    for (const [name, { kind, sha256_dense_f64: sum }] of Object.entries(truth.obsm))
      if (kind === 'dense') yield [`${file}/arrays/obsm/${name}.npy`, sum];
  }
}
