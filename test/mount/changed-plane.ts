import { join } from 'node:path';
import { type PlateMount, PYTHON } from './plate-mount.ts';

/** Changes a pixel of the first plane of the stack. */
export async function changePlane(mount: PlateMount): Promise<void> {
  const plane = (await mount.shell('ls images | head -1')).trim();
  const source = await mount.shell('getfattr --only-values -n user.platefs.source "images/$1"', plane);
  await mount.succeed(PYTHON, [
    '-c',
    `import sys, tifffile
p = sys.argv[1]
with tifffile.TiffFile(p) as t: a, d = t.asarray(), t.pages[0].description
a[5, 5] ^= 0x5555
tifffile.imwrite(p, a, description=d, metadata=None, compression='zlib')`,
    join(mount.plate, source.trim()),
  ]);
}
