import { copyFileSync, mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PlateMount, type PlateMountOptions, SMALL_PLATE } from './plate-mount.ts';

/** One well of two fields at three time points. */
export const GROWING_PLATE = {
  ...SMALL_PLATE,
  wells: ['A01'],
  sites: 2,
  zSteps: 1,
  channels: ['DAPI'],
  timePoints: 3,
};

/** A plate of which some planes, named as `A01_s001_w1_z001_t001.tif`, are acquired when the test lets them arrive. */
export async function growing(
  isLater: (name: string) => boolean,
  options: PlateMountOptions = {},
): Promise<{ mount: PlateMount; arrive: (name: string) => void; late: string[] }> {
  const later = new Map<string, string>();
  const mount = await PlateMount.make({
    plate: GROWING_PLATE,
    ...options,
    prepare: (root, { planes }) => {
      for (const { name, source } of planes) {
        if (!isLater(name)) continue;
        later.set(name, source);
        const kept = join(dirname(root), 'later', source);
        mkdirSync(dirname(kept), { recursive: true });
        renameSync(join(root, source), kept);
      }
      for (const folder of new Set([...later.values()].map((source) => join(root, dirname(source)))))
        if (readdirSync(folder).length === 0) rmdirSync(folder);
    },
  });
  const arrive = (name: string): void => {
    const source = later.get(name) ?? '';
    mkdirSync(dirname(join(mount.plate, source)), { recursive: true });
    copyFileSync(join(dirname(mount.plate), 'later', source), join(mount.plate, source));
  };
  return { mount, arrive, late: [...later.keys()].sort() };
}
