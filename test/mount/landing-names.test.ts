import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

describe.skipIf(problem)(`the output folder follows the names in the mount${why}`, () => {
  it('files renamed, exchanged, replaced, removed and written again after they landed', async () => {
    await using mount = await PlateMount.start();
    await mount.shell(
      `cd "$1" && mkdir out && for n in a b c d e f; do echo "is $n" > out/$n.txt; done`,
      mount.mountpoint,
    );
    expect((await mount.flush()).kept).toEqual([]);
    const at = (path: string) => join(mount.output, path);
    expect(readdirSync(at('out')).sort()).toEqual(['a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt', 'f.txt']);
    await mount.shell(
      `cd "$1" && mv out/a.txt out/first.txt && mv out/b.txt out/t && mv out/c.txt out/b.txt && mv out/t out/c.txt
       rm out/d.txt && echo more >> out/e.txt && mv out/f.txt out/e2.txt && mv out moved`,
      mount.mountpoint,
    );
    expect((await mount.flush()).kept).toEqual([]);
    const want = {
      'first.txt': 'is a\n',
      'b.txt': 'is c\n',
      'c.txt': 'is b\n',
      'e.txt': 'is e\nmore\n',
      'e2.txt': 'is f\n',
    };
    expect(readdirSync(at('moved')).sort()).toEqual(Object.keys(want).sort());
    for (const [name, text] of Object.entries(want))
      expect(readFileSync(at(`moved/${name}`), 'utf8'), name).toBe(text);
    expect(existsSync(at('out')) ? readdirSync(at('out')) : []).toEqual([]);
    // Names exchanged in place: both places are taken by living files.
    await mount.shell(`cd "$1/moved" && mv b.txt t && mv c.txt b.txt && mv t c.txt`, mount.mountpoint);
    expect((await mount.flush()).kept).toEqual([]);
    expect(readdirSync(at('moved')).sort()).toEqual(Object.keys(want).sort());
    expect(readFileSync(at('moved/b.txt'), 'utf8')).toBe('is b\n');
    expect(readFileSync(at('moved/c.txt'), 'utf8')).toBe('is c\n');
    for (const [name, text] of Object.entries({
      'b.txt': 'is b\n',
      'c.txt': 'is c\n',
      'e.txt': 'is e\nmore\n',
    }))
      expect(await mount.shell(`cat "$1/moved/${name}"`, mount.mountpoint), name).toBe(text);
    expect((await mount.umount()).code).toBe(0);
    expect(existsSync(mount.memoryFolder)).toBe(false);
    await mount.mount();
    expect(await mount.shell(`cat "$1/moved/e.txt"`, mount.mountpoint)).toBe('is e\nmore\n');
  });

  it('a new file takes the place of a landed one that was renamed away', async () => {
    await using mount = await PlateMount.start();
    await mount.shell('echo old > x.txt');
    await mount.flush();
    await mount.shell('mv x.txt x.old && echo new > x.txt');
    await mount.flush();
    expect(readFileSync(join(mount.output, 'x.txt'), 'utf8')).toBe('new\n');
    expect(readFileSync(join(mount.output, 'x.old'), 'utf8')).toBe('old\n');
    expect(await mount.shell('cat x.txt x.old')).toBe('new\nold\n');
  });

  it('a landed file removed just before the daemon is killed does not stay in the output folder', async () => {
    await using mount = await PlateMount.start();
    await mount.shell(`echo x > "$1/x.txt"`, mount.mountpoint);
    await mount.flush();
    expect(existsSync(join(mount.output, 'x.txt'))).toBe(true);
    await mount.shell(`rm "$1/x.txt"`, mount.mountpoint);
    await mount.kill();
    await mount.mount();
    await mount.flush();
    expect(existsSync(join(mount.output, 'x.txt'))).toBe(false);
  });
});
