import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, mountProblem } from './harness.ts';
import { OpenedFile, STALE } from './opened-file.ts';
import { PlateMount } from './plate-mount.ts';
import { writeChunk, writeStore } from './store-of-planes.ts';
import { untilLogged } from './told.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const SEEN_TIMEOUT_MS = 60_000;
/** More than one read takes, so that each is of one plane. */
const SIDE = 512;
const PLANE_BYTES = SIDE * SIDE * 2;
const SHOWN = 'store.zarr/arrays/0.npy';

const at = (channel: number, slice: number): number => (2 * channel + slice + 0.5) * PLANE_BYTES;

describe.skipIf(problem)(`a store that is written while it is read${why}`, () => {
  it('is the same file while chunks come; only what shows one that came is stale for who has it open', async () => {
    await using mount = await PlateMount.start({
      // A file that is kept whole in memory is shown as it was opened, to the end.
      args: ['--as', 'sources', '-o', 'hot-cache=1MiB'],
      prepare: (root) => {
        rmSync(root, { recursive: true });
        const store = join(root, 'store.zarr');
        writeStore(store, SIDE);
        // An array and no image, of which the second channel has not begun.
        rmSync(join(store, '.zattrs'));
        rmSync(join(store, '0/1'), { recursive: true });
      },
    });
    const store = join(mount.plate, 'store.zarr');
    const inode = (): Promise<string> => mount.shell('stat -c %i "$1"', SHOWN);
    const changedAt = (): Promise<string> => mount.shell('stat -c %y "$1"', SHOWN);
    const values = async (): Promise<string> =>
      (
        await mount.python(
          `
import numpy
a = numpy.load(mnt + '/' + argv[0])
print(*(plane.min() if plane.min() == plane.max() else 'mixed' for channel in a for plane in channel))`,
          SHOWN,
        )
      ).trim();
    expect(await values()).toBe('1 2 7 7');
    const before = await inode();
    await using held = await OpenedFile.open(mount, SHOWN);
    await using other = await OpenedFile.open(mount, SHOWN);
    const steady = [await held.read(at(0, 0)), await held.read(at(0, 1))];
    expect(`${steady} ${await held.read(at(1, 0))}`).not.toContain('errno');

    const known = await changedAt();
    writeChunk(store, '1/0/0/0', 3);
    await eventually(
      'the mount looked at the store again',
      async () => {
        expect([await held.read(at(0, 0)), await held.read(at(0, 1))]).toEqual(steady);
        return (await changedAt()) !== known;
      },
      SEEN_TIMEOUT_MS,
    );
    expect(await inode()).toBe(before);
    writeChunk(store, '1/1/0/0', 4);

    // What was fill value is no longer: whoever has the file open is not shown both, read or not.
    for (const handle of [held, other]) {
      expect(await handle.read(at(1, 0))).toBe(STALE);
      expect(await handle.read(at(1, 1))).toBe(STALE);
      expect(await handle.read(at(0, 1))).toBe(steady[1]);
    }
    await untilLogged(mount, 'changed after it was opened');
    await eventually(
      'who opens it sees all chunks',
      async () => (await values()) === '1 2 3 4',
      SEEN_TIMEOUT_MS,
    );
    expect(await inode()).toBe(before);

    // Something else is said of it: now it is another file.
    writeFileSync(join(store, '0/.zattrs'), '{"told": "otherwise"}');
    await eventually('it is another file', async () => (await inode()) !== before, SEEN_TIMEOUT_MS);
    expect(await held.read(at(0, 0))).toBe(STALE);
    expect(await values()).toBe('1 2 3 4');
  }, 240_000);
});
