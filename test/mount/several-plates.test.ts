import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makePlate } from '../../scripts/plate-maker/plate-maker.ts';
import { xdceImage, xdceText } from '../fixtures/incell-plate.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();

describe.skipIf(problem)(`a folder of several plates${problem ? ` (skipped: ${problem})` : ''}`, () => {
  it('shows the others where one has no images, which is shown as it is and told of', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const folder = join(mount.folder, 'several');
    mkdirSync(folder);
    const made = await makePlate(join(mount.folder, 'made'), SMALL_PLATE);
    cpSync(made.root, join(folder, 'whole'), { recursive: true });
    mkdirSync(join(folder, 'emptied'));
    const listed = { row: 3, column: 3, field: 0, wave: 0, z: 0, t: 0 };
    const list = xdceText([xdceImage('C - 03(fld 01 wv UV - DAPI).tif', 'C - 3', listed)]);
    writeFileSync(join(folder, 'emptied/list.xdce'), list);
    const words = mount.mountWords().map((word) => (word === 'unset' ? folder : word));
    // The second time the index is there already.
    for (const _ of ['looked at', 'known']) {
      expect((await mount.platefs('inspect', folder)).stdout).toMatch(
        /emptied +as it is: .*no image was found/,
      );
      await mount.json(words);
      expect(await mount.shell('ls whole/images | wc -l')).toBe('32\n');
      expect(await mount.shell('ls -A emptied')).toBe('list.xdce\n');
      expect(await mount.shell('cat .platefs/warnings.json')).toMatch(
        /emptied is shown as it is: .*no image/,
      );
      await mount.umount();
    }
    // Alone it is refused.
    rmSync(join(folder, 'whole'), { recursive: true });
    const refused = await mount.platefs(...words);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('no image was found');
  }, 60_000);
});
