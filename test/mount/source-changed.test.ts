import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount } from './plate-mount.ts';

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
    const script = `exec 3< "$1"; n=0; s="$2"
      while [ "$s" = "$2" ] && [ $n -lt 500 ]; do
        direct=$(dd if="$1" iflag=direct bs=64k status=none | cksum)
        s=$(cksum < /proc/self/fd/3); n=$((n + 1))
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
