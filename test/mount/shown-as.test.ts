import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makePlate } from '../../scripts/plate-maker/plate-maker.ts';
import { eventually, mountProblem } from './harness.ts';
import { PlateMount, PYTHON, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();

describe.skipIf(problem)(`what a folder is shown as${problem ? ` (skipped: ${problem})` : ''}`, () => {
  it('ten stacks are ten folders, without being asked for', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const folder = join(mount.folder, 'stacks');
    mkdirSync(folder);
    await mount.succeed(PYTHON, [
      '-c',
      `
import numpy as np, sys, tifffile
for i in range(1, 11):
  tifffile.imwrite(f'{sys.argv[1]}/A01_stack_{i:02}.tif', np.full((3, 4, 5), i, 'uint16'))
`,
      folder,
    ]);
    await mount.json(mount.mountWords().map((word) => (word === 'unset' ? folder : word)));
    await mount.python(`
import tifffile
names = sorted(name for name in os.listdir(mnt) if name != '.platefs')
assert names == [f'A01_stack_{i:02}.tif' for i in range(1, 11)], names
for i, name in enumerate(names, 1):
  image = tifffile.imread(f'{mnt}/{name}/stacks/{name}')
  assert image.shape == (3, 4, 5) and (image == i).all(), (name, image.shape)
`);
  });

  it('a plate is shown by its files where that is asked for, and not mixed up with what was written to it', async () => {
    await using mount = await PlateMount.start({ args: ['-o', 'as=sources'] });
    expect((await mount.shell('ls -A')).trim().split('\n')).not.toContain('images');
    expect(await mount.shell('find . -name "*.HTD" | wc -l')).not.toBe('0\n');
    await mount.umount();
    const asPlate = mount.mountWords().map((word) => (word === 'as=sources' ? 'as=plate' : word));
    await mount.json(asPlate);
    await mount.shell('ls images > /dev/null; echo mine > images/mine.txt');
    await mount.umount();
    const told = await mount.platefs(...mount.mountWords());
    expect(told.code).not.toBe(0);
    expect(told.stderr).toContain('was written to while it was shown as a plate; mount with  --as plate');
    await mount.json(asPlate);
    expect(await mount.shell('cat images/mine.txt')).toBe('mine\n');
  });

  it('what comes into a folder of sources is shown: a file by what it holds, a plate once it is mounted again', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const folder = join(mount.folder, 'several');
    mkdirSync(join(folder, 'sub'), { recursive: true });
    const write = (name: string): Promise<string> =>
      mount.succeed(PYTHON, [
        '-c',
        "import numpy as np, sys, tifffile\ntifffile.imwrite(sys.argv[1], np.ones((3, 4, 5), 'uint16'))",
        join(folder, name),
      ]);
    await write('first.tif');
    const words = mount.mountWords().map((word) => (word === 'unset' ? folder : word));
    await mount.json(words);
    await write('second.tif');
    const made = await makePlate(join(mount.folder, 'made'), SMALL_PLATE);
    cpSync(made.root, join(folder, 'sub'), { recursive: true });
    const warnings = async (): Promise<string> => await mount.shell('cat .platefs/warnings.json');
    await eventually('the file is there', async () =>
      (await mount.shell('ls second.tif 2>&1 || true')).includes('stacks'),
    );
    await eventually('the plate is told of', async () =>
      (await warnings()).includes('sub has become a plate'),
    );
    // It stays told of when something else changes.
    await write('third.tif');
    await eventually('the next is there', async () => (await mount.shell('ls -A')).includes('third.tif'));
    expect(await warnings()).toContain('sub has become a plate');
    expect(await mount.shell('ls sub')).not.toContain('images');
    await mount.umount();
    await mount.json(words);
    expect(await mount.shell('ls sub/images | wc -l')).toBe('32\n');
    expect(await warnings()).not.toContain('has become');
  });
});
