import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount, SMALL_PLATE } from './plate-mount.ts';

/**
 * What CellProfiler 4 does with a table, step by step (module LoadData: its help text, and the methods named below of
 * cellprofiler_core/modules/loaddata.py); it prints what a run would work with, or fails where a run would.
 */
const LOAD_DATA = `
import csv
from PIL import Image

# get_loaddata_type: a column is of 32-bit integers if every cell is, else of floats if every cell is, else text.
def kind(text):
    try:
        return 0 if -2**31 <= int(text) < 2**31 else 2
    except ValueError:
        try:
            float(text)
            return 1
        except ValueError:
            return 2

# Help text: the first row is the header. prepare_run: a row with fewer cells ends the run; no rows do, too.
with open(mnt + '/tables/LoadData.csv', 'rt') as file:
    header, *rows = csv.reader(file)
rows = [row for row in rows if row]
assert rows and all(len(row) == len(header) for row in rows)
columns = {name: [row[i] for row in rows] for i, name in enumerate(header)}
assert len(columns) == len(header)

# header_to_column: 'Image_FileName_X' is 'FileName_X'. prepare_run: what stands before the first '_' is the category.
split = [name.removeprefix('Image_').split('_', 1) for name in header]
images = [feature for category, feature in split if category == 'FileName']
# prepare_run: a PathName_ column needs its FileName_ column; the manual: a name is letters, digits and '_'.
assert sorted(images) == sorted(feature for category, feature in split if category == 'PathName')
assert all(name.isascii() and name.replace('_', '').isalnum() for name in images)
assert {category for category, _ in split} == {'FileName', 'PathName', 'Metadata'}

# prepare_run: base folder, path and name are joined; an absolute path stands for itself, whatever the base folder is.
# run: an image is opened for every FileName_ column of a row, also for an empty cell, and must be one grey plane.
used = set()
for base in ('', '/tmp'):
    for i in range(len(rows)):
        for name in images:
            path = os.path.join(base, columns['PathName_' + name][i], columns['FileName_' + name][i])
            used.add(os.path.basename(path))
            assert np.asarray(Image.open(path)).ndim == 2

# Help text, on MetaXpress: duplicates cause metadata to be mismatched.
metadata = [name for name in header if name.startswith('Metadata_')]
assert len({tuple(columns[name][i] for name in metadata) for i in range(len(rows))}) == len(rows)

# get_measurement_columns: the plate's column is text in any case; the numbers are to be integers.
print('integers', [name[9:] for name in metadata if max(map(kind, columns[name])) == 0])
# get_groupings: by plate and well, as illumination correction and batches are run.
print('groups', sorted({(columns['Metadata_Plate'][i], columns['Metadata_Well'][i]) for i in range(len(rows))}))
print('images', images, len(rows))
left = list(csv.DictReader(open(mnt + '/tables/LoadData_incomplete.csv', 'rt')))
print('left', [[row['FileName_' + name] for name in images] for row in left])
used |= {row['FileName_' + name] for row in left for name in images} - {''}
print('all', used == set(os.listdir(mnt + '/images')))
`;

describe.skipIf(mountProblem() !== undefined)('LoadData.csv as CellProfiler reads it', () => {
  it('gives image sets of all channels, z positions and time points; sets that lack an image stand apart', async () => {
    await using mount = await PlateMount.start({
      plate: { ...SMALL_PLATE, missing: ['A01_s001_w2_z002_t001', 'B12_s002_w1_z001_t002'] },
    });
    expect((await mount.python(LOAD_DATA)).trim().split('\n')).toEqual([
      "integers ['Row', 'Column', 'Site', 'Z', 'T']",
      "groups [('plate', 'A01'), ('plate', 'B12')]",
      "images ['DAPI', 'FITC'] 14",
      "left [['A01_s001_w1_z002_t001.tif', ''], ['', 'B12_s002_w2_z001_t002.tif']]",
      'all True',
    ]);
  });
});
