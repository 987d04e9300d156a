import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountProblem } from '../../mount/harness.ts';
import { hasProgram, PLATEFS, PlateMount, SHARED_DATA } from '../../mount/plate-mount.ts';
import { differences, type Kind, lookedAt } from './imagej.ts';
import { MountReader } from './mount-reader.ts';

const problem = mountProblem();
const why = problem ?? (existsSync(SHARED_DATA) ? undefined : '../shared/data is absent');
const whyNoImageJ = ['imagej', 'xvfb-run'].find((program) => !hasProgram(program));

const IMAGEJ_SECONDS = 220;

/** A file of the mount, and a checksum of what must stand in it. */
type Expected = readonly [path: string, sum: string];

const truthOf = <T>(set: string): T =>
  JSON.parse(readFileSync(join(SHARED_DATA, `${set}.truth.json`), 'utf8')) as T;

const PLATES = [
  'ix-exported-3434',
  'ix-raw-1334',
  'ix-raw-1697',
  'ix-nested-synth',
  'operetta-v5',
  'harmony-synth-v5',
  'cv8000-minimal',
  'ngff04-hcs-3d',
  'ngff05-hcs',
  'openhcs-plate-zarr',
  'openhcs-plate-zarr-file',
  'openhcs-plate-zarr-2026',
];
const OTHERS = [
  'ome-tiff',
  'ndtiff',
  'ngff-images/v04',
  'ngff-images/v05',
  'zarr-arrays/v2.zarr',
  'zarr-arrays/v3.zarr',
  'hdf5-features',
  'ilastik-h5',
  'bdv-h5',
  'imaris-derived',
  'h5ad',
  'anndata-zarr',
  'tiff-zoo',
];
/** The set's folder of the mount. */
const folderOf = (set: string): string => set.replaceAll('/', ' ');

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
    let mount: PlateMount;
    let reader: MountReader;
    /** What each set has, as its test read it. */
    const kinds: Kind[] = [];

    beforeAll(async () => {
      // Keeping what was read whole would have most of it made twice; whether that is right, hot-renders.test.ts says.
      mount = await PlateMount.make({ plate: 'unset', args: ['-o', 'hot-cache=off'] });
      const definition = join(mount.folder, 'all.yaml');
      const sources = [...PLATES, ...OTHERS].map((set) => ({
        name: folderOf(set),
        path: join(SHARED_DATA, set),
        // A folder of TIFFs alone is one of unknown origin.
        ...(set === 'tiff-zoo' ? { as: 'sources' } : {}),
      }));
      writeFileSync(definition, JSON.stringify({ sources }));
      const words = mount.mountWords().map((word) => (word === 'unset' ? definition : word));
      await mount.succeed(PLATEFS, words, { timeoutMs: 200_000 });
      reader = new MountReader(mount.folder);
    });

    afterAll(async () => {
      reader?.[Symbol.dispose]();
      await mount?.remove();
    });

    /** Reads everything there is; nothing differs, and what the truth file knows of is what it says. */
    async function check(set: string, expected: readonly Expected[]): Promise<void> {
      const report = await reader.read(mount.path(folderOf(set)), join(SHARED_DATA, set));
      const { files, opened, left, sums, problems } = report;
      console.log(
        `${set}: ${files} files (${left.length} of them in parts), ${expected.length} sums known; opened: ${JSON.stringify(opened)}`,
      );
      kinds.push(...Object.values(report.kinds));
      expect(problems).toEqual([]);
      const wrong = expected.filter(
        ([path, sum]) => !left.includes(path) && sums[path]?.includes(sum) !== true,
      );
      expect(wrong.map(([path]) => [path, path in sums ? 'another sum' : 'not there'])).toEqual([]);
    }

    it.each(PLATES)('plate %s', async (set) => {
      const names = new Set((await mount.shell('ls "$1/images"', folderOf(set))).trim().split('\n'));
      const planes = truthOf<PlateTruth>(set).planes.map(
        ({ virtual, sha256_pixels }) => [virtual.replace(/^.*\//, ''), sha256_pixels] as const,
      );
      const shown = planes.filter(([name]) => names.has(name));
      expect(shown.length).toBeGreaterThan(0);
      await check(
        set,
        shown.map(([name, sum]) => [`images/${name}`, sum]),
      );
    });

    it.each(['ome-tiff', 'ndtiff'])('plates of pages %s', async (set) => {
      await check(set, [...expectedPages(set)]);
    });

    it.each(['v04', 'v05'])('images ngff-images/%s', async (version) => {
      const images = truthOf<ArrayTruth>('ngff-images').arrays.flatMap(
        ({ path, sha256_array: sum }): Expected[] => {
          const [, image] = path.match(`^${version}/([^/]+)/0$`) ?? [];
          return image === undefined || sum === undefined ? [] : [[`${image}/plate.ome.zarr/A/1/0`, sum]];
        },
      );
      expect(images.length).toBe(3);
      await check(`ngff-images/${version}`, images);
    });

    it.each(['v2.zarr', 'v3.zarr'])('arrays of zarr-arrays/%s', async (store) => {
      const arrays = truthOf<ArrayTruth>('zarr-arrays').arrays.flatMap(
        ({ path, dtype, sha256_array: sum }): Expected[] =>
          path.startsWith(`${store}/`) && sum !== undefined && isNumber(dtype)
            ? [[`arrays/${path.slice(store.length + 1)}.npy`, sum]]
            : [],
      );
      expect(arrays.length).toBeGreaterThan(10);
      await check(`zarr-arrays/${store}`, arrays);
    });

    it.each(['hdf5-features', 'ilastik-h5', 'bdv-h5', 'imaris-derived'])('HDF5 files of %s', async (set) => {
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
      await check(set, expected);
    });

    it.each(['h5ad', 'anndata-zarr'])('AnnData of %s', async (set) => {
      await check(set, [...expectedTables(set)]);
    });

    it('TIFFs of tiff-zoo', async () => {
      const warnings = await mount.shell('cat .platefs/warnings.json');
      const { files } = truthOf<{
        files: { file: string; pages: { sha256_pixels?: string }[] }[];
      }>('tiff-zoo');
      const report = await reader.read(mount.path('tiff-zoo'), join(SHARED_DATA, 'tiff-zoo'));
      kinds.push(...Object.values(report.kinds));
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
    });

    it.skipIf(whyNoImageJ)(
      'a file of every kind of every set, in ImageJ, as a stack and as a virtual one',
      async () => {
        expect(kinds.length).toBeGreaterThan(0);
        const files = lookedAt(kinds);
        const list = join(mount.folder, 'imagej.tsv');
        writeFileSync(list, files.map(({ line }) => line).join('\n'));
        const macro = join(import.meta.dirname, 'look-at-files.ijm');
        // Its exit status says nothing: the macro's output is what counts.
        // With a group of its own: at the deadline all that xvfb-run started ends too.
        const words = ['-k', '5', `${IMAGEJ_SECONDS}`, 'xvfb-run', '-a', 'imagej', '-b', macro, list];
        const { stdout } = await mount.run('timeout', words, { timeoutMs: (IMAGEJ_SECONDS + 10) * 1000 });
        console.log(`ImageJ: ${files.length} files of ${kinds.length} kinds`);
        expect(differences(files, stdout)).toEqual([]);
      },
    );
  },
);

interface PagesTruth {
  readonly files: readonly {
    readonly file: string;
    readonly pages?: readonly { readonly sha256_pixels?: string }[];
  }[];
}

/** Where each page of a set's TIFFs stands in images/, as the sets' own metadata says (OME-XML, `Axes` of NDTiff). */
const PAGES: Readonly<Record<string, (file: string, page: number) => string | undefined>> = {
  'ome-tiff': (file, page) => {
    const [, z] = /^multifile-Z(\d)/.exec(file) ?? [];
    return z === undefined
      ? `images/A01_s001_w${page + 1}_z001_t001.tif`
      : `images/A01_s002_w1_z00${z}_t001.tiff`;
  },
  ndtiff: (file, page) => {
    if (file.startsWith('v3/')) return `v3/images/A01_s001_w${(page % 2) + 1}_z001_t00${(page >> 1) + 1}.tif`;
    // Lower resolutions are no planes. The first page is of row 1 and column 1.
    return file.includes('Full resolution') ? `v2/images/A01_s00${2 - page}_w1_z001_t001.tif` : undefined;
  },
};

function* expectedPages(set: string): Generator<Expected> {
  for (const { file, pages = [] } of truthOf<PagesTruth>(set).files)
    for (const [page, { sha256_pixels: sum }] of pages.entries()) {
      const path = PAGES[set]?.(file, page);
      if (path !== undefined && sum !== undefined) yield [path, sum];
    }
}

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
