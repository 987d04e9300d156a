import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount, SMALL_PLATE } from './plate-mount.ts';

describe.skipIf(mountProblem() !== undefined)('tables/ through a mount', () => {
  it('names files that are there, with the sizes that ls says', async () => {
    await using mount = await PlateMount.start({ plate: { ...SMALL_PLATE, missing: [] } as object });
    const out = await mount.python(`
import csv
rows = list(csv.DictReader(open(mnt + '/tables/plate.csv', newline='')))
names = sorted(os.listdir(mnt + '/images'))
print(sorted(r['name'] for r in rows) == names)
print(all(open(mnt + '/source/' + r['source'], 'rb').read() == open(mnt + '/images/' + r['name'], 'rb').read() for r in rows))
load = list(csv.DictReader(open(mnt + '/tables/LoadData.csv', newline='')))
paths = [os.path.join(r['PathName_' + c], r['FileName_' + c]) for r in load for c in ('DAPI', 'FITC')]
print(len(paths) == len(names) == len(set(paths)), all(os.path.exists(p) for p in paths))
for n in os.listdir(mnt + '/tables'):
    p = mnt + '/tables/' + n
    print(n, os.stat(p).st_size == len(open(p, 'rb').read()))
open(mnt + '/tables/plate.csv', 'a').write('mine\\n')
print(open(mnt + '/tables/plate.csv').read().endswith('\\nmine\\n'))
`);
    expect(out.trim().split('\n').sort()).toEqual(
      [
        'True',
        'True',
        'True True',
        'LoadData.csv True',
        'LoadData_incomplete.csv True',
        'channels.csv True',
        'plate.csv True',
        'wells.csv True',
        'True',
      ].sort(),
    );
  });
});
