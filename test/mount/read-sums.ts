import { expect } from 'vitest';
import { eventually } from './harness.ts';
import type { PlateMount } from './plate-mount.ts';

/** Reads again as long as the file has become another one, which is stale once for whoever was about to read it. */
async function sumBy(mount: PlateMount, command: string, path: string): Promise<string> {
  let sum = '';
  await eventually(`${path} can be read`, async () => {
    const script = `cd "$0"; test -f "$1"; ${command}`;
    const { code, stdout, stderr } = await mount.run('bash', [
      ...['-eo', 'pipefail', '-c', script],
      ...[mount.mountpoint, path],
    ]);
    if (code !== 0) expect(stderr).toContain('Stale file handle');
    sum = stdout;
    return code === 0;
  });
  return sum;
}

/** Checksum of what programs read, from the kernel's pages where it has them. */
export const cachedSum = (mount: PlateMount, path: string): Promise<string> =>
  sumBy(mount, 'cksum < "$1"', path);

/** The same past the kernel's pages. */
export const directSum = (mount: PlateMount, path: string): Promise<string> =>
  sumBy(mount, 'dd if="$1" iflag=direct bs=64k status=none | cksum', path);
