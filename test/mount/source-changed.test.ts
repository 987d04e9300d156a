import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { OpenedFile, STALE } from './opened-file.ts';
import { PlateMount, SMALL_PLATE } from './plate-mount.ts';
import { untilLogged } from './told.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

describe.skipIf(problem)(`a source file that changes while it is mounted${why}`, () => {
  it('is shown as it is now, whole', async () => {
    let root = '';
    await using mount = await PlateMount.start({ prepare: (folder) => void (root = folder) });
    const found = (await mount.shell('cd source && find . -name "*.tif" | sort | head -1')).trim();
    await mount.shell(`cat "source/$1" "source/$1" > /dev/null`, found);
    const path = join(root, found);
    for (const text of ['short', 'much longer than it was '.repeat(400)]) {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
      expect(await mount.shell(`cat "source/$1" > /dev/null; cat "source/$1"`, found)).toBe(text);
    }
  });

  it('shows a plane that was rewritten in a stack that is open, once anybody has read of it', async () => {
    let root = '';
    await using mount = await PlateMount.start({
      prepare: (folder) => void (root = folder),
      args: ['-o', 'watch=off'],
    });
    const plane = (await mount.shell('ls images | head -1')).trim();
    const source = (
      await mount.shell(`getfattr --only-values -n user.platefs.source "images/$1"`, plane)
    ).trim();
    const stack = `stacks/${plane.slice(0, 'A01_s001'.length)}.tif`;
    const before = await mount.shell('cksum < "$1"', stack);
    const path = join(root, source);
    const bytes = readFileSync(path);
    const middle = bytes.length >> 2;
    for (let at = middle; at < middle + 32; at++) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
    // One program has the stack open all the time; another reads past the page cache, with more than one reader.
    const script = `exec 3< "$1"; s="$2"; end=$(($(date +%s) + 60))
      while [ "$s" = "$2" ] && [ $(date +%s) -lt $end ]; do
        direct=$(dd if="$1" iflag=direct bs=64k status=none | cksum)
        s=$(cksum < /proc/self/fd/3)
      done; echo "$direct"; echo "$s"`;
    const [direct, cached] = (await mount.shell(script, stack, before.trim())).trim().split('\n');
    expect(`${direct}\n`).not.toBe(before);
    expect(cached).toBe(direct);
  });

  it('fails a stack that it breaks, and shows the new pixels when it is whole again', async () => {
    let root = '';
    await using mount = await PlateMount.start({ prepare: (folder) => void (root = folder) });
    const plane = (await mount.shell('ls images | head -1')).trim();
    const source = (
      await mount.shell(`getfattr --only-values -n user.platefs.source "images/$1"`, plane)
    ).trim();
    const stack = `stacks/${plane.slice(0, 'A01_s001'.length)}.tif`;
    // Past the kernel's page cache, as a reader that comes later sees it.
    const read = `dd if="$1" iflag=direct bs=1M status=none | cksum`;
    const before = await mount.shell(read, stack);
    const path = join(root, source);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length / 2));
    const broken = await mount.shell(
      `dd if="$1" iflag=direct bs=1M status=none of=/dev/null 2>&1 || true`,
      stack,
    );
    expect(broken).toContain('Input/output error');
    const changed = Buffer.from(bytes);
    const middle = bytes.length >> 2;
    for (let at = middle; at < middle + 32; at++) changed[at] = (changed[at] ?? 0) ^ 0xff;
    writeFileSync(path, changed);
    const after = await mount.shell(read, stack);
    writeFileSync(path, bytes);
    expect(await mount.shell(read, stack)).toBe(before);
    expect(after).not.toBe(before);
  });
});

/** Changes pixels in the middle of an uncompressed plane: in place, or with another file in its place. */
function rewrite(path: string, how: 'in place' | 'replaced'): void {
  const bytes = readFileSync(path);
  const middle = bytes.length >> 1;
  for (let at = middle; at < middle + 3000; at++) bytes[at] = (bytes[at] ?? 0) ^ 0x55;
  if (how === 'in place') writeFileSync(path, bytes);
  else {
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  }
}

const LARGE = { ...SMALL_PLATE, wells: ['A01'], sites: 1, width: 512, height: 512 };
const PLANE_BYTES = 512 * 512 * 2;

describe.skipIf(problem)(`a handle that stays open while a source changes${why}`, () => {
  it.each(['in place', 'replaced'] as const)(
    'shows the planes that were there, and is stale for one that was rewritten (%s); later ones see it',
    async (how) => {
      await using mount = await PlateMount.start({ plate: LARGE, args: ['-o', 'watch=off'] });
      const stack = 'stacks/A01_s001.tif';
      // The third plane's middle, and one that nobody reads before it changes.
      const [read, unread] = [2.5 * PLANE_BYTES, 4.5 * PLANE_BYTES];
      const size = Number(await mount.shell('stat -c %s "$1"', stack));
      expect(size).toBeGreaterThan(8 * PLANE_BYTES);
      await using before = await OpenedFile.open(mount, stack);
      const [one, two, other] = [
        await before.read(read),
        await before.read(read + 65536),
        await before.read(0),
      ];
      const order = await mount.python(`
import tifffile
with tifffile.TiffFile(mnt + '/stacks/A01_s001.tif') as t: shape = t.series[0].axes
print(shape)`);
      expect(order.trim()).toBe('TZCYX');
      const planeAt = (place: number): string => {
        const [t, z, c] = [(place >> 2) + 1, ((place >> 1) & 1) + 1, (place & 1) + 1];
        const name = `A01_s001_w${c}_z00${z}_t00${t}.tif`;
        return join(mount.plate, mount.truth.planes.find((plane) => plane.name === name)?.source ?? '');
      };
      rewrite(planeAt(2), how);
      rewrite(planeAt(4), how);
      expect(await before.read(read)).toBe(STALE);
      expect(await before.read(read)).toBe(STALE);
      expect(await before.read(unread)).toBe(STALE);
      expect(await before.read(0)).toBe(other);
      await using after = await OpenedFile.open(mount, stack);
      const [now, nowFurther] = [await after.read(read), await after.read(read + 65536)];
      expect(now).not.toMatch(/errno/);
      expect(now).not.toBe(one);
      expect(nowFurther).toBe(two);
      expect(await after.read(unread)).not.toMatch(/errno/);
      // The first goes on being refused, whatever others read.
      expect(await before.read(read)).toBe(STALE);
      await untilLogged(mount, `${planeAt(2)} changed after it was opened`);
    },
  );

  it('is held to its state by the next daemon, too', async () => {
    await using mount = await PlateMount.start({ plate: LARGE, args: ['-o', 'watch=off'] });
    await using file = await OpenedFile.open(mount, 'stacks/A01_s001.tif');
    const before = await file.read(0.5 * PLANE_BYTES);
    const { pid } = await mount.status();
    process.kill(pid, 'SIGKILL');
    const plane = mount.truth.planes.find(({ name }) => name === 'A01_s001_w1_z001_t001.tif');
    rewrite(join(mount.plate, plane?.source ?? ''), 'in place');
    expect(before).not.toMatch(/errno/);
    expect(await file.read(0.5 * PLANE_BYTES)).toBe(STALE);
    expect(await file.read(1.5 * PLANE_BYTES)).not.toMatch(/errno/);
  });
});
