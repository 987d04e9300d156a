import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeBzip2 } from '../fixtures/damaged-hdf5.ts';
import { mountProblem } from './harness.ts';
import { PlateMount } from './plate-mount.ts';
import { untilLogged } from './told.ts';

const why = mountProblem();

describe.skipIf(why)(`damaged data that breaks the HDF5 library${why ? ` (skipped: ${why})` : ''}`, () => {
  it('costs an error; whoever reads next waits and gets the right numbers', async () => {
    await using mount = await PlateMount.make({ plate: 'unset', args: ['-o', 'readers=1'] });
    const folder = join(mount.folder, 'several');
    mkdirSync(folder);
    for (let number = 0; number < 12; number += 1) await writeBzip2(join(folder, `bad${number}.h5`), true);
    await writeBzip2(join(folder, 'good.h5'), false);
    await mount.json(mount.mountWords().map((word) => (word === 'unset' ? folder : word)));
    const failed = JSON.parse(
      await mount.python(`
import errno
data = [at * at % 1000 for at in range(64 * 64)]
failed = []
for number in range(12):
  try: np.load(mnt + '/bad%d.h5/arrays/a.npy' % number); failed.append(None)
  except OSError as error: failed.append(errno.errorcode[error.errno])
  # The kernel is to keep nothing of it.
  fd = os.open(mnt + '/good.h5/arrays/a.npy', os.O_RDONLY)
  os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
  os.close(fd)
  assert np.load(mnt + '/good.h5/arrays/a.npy').ravel().tolist() == data, number
print(json.dumps(failed))
`),
    ) as (string | null)[];
    expect(failed).toEqual(Array.from({ length: 12 }, () => 'EIO'));
    await untilLogged(mount, /bad0\.h5.*can't decode it/);
    expect(mount.log).not.toMatch(/is being loaded/);
  });
});
