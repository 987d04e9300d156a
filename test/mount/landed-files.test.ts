import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount, PYTHON } from './plate-mount.ts';

const problem =
  mountProblem() ??
  (spawnSync(PYTHON, ['-c', 'import tifffile']).status === 0
    ? undefined
    : `${PYTHON} with tifffile is missing`);
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

describe.skipIf(problem)(`files that have landed${why}`, () => {
  it('are renamed, rewritten, deleted and replaced like any other', async () => {
    await using mount = await PlateMount.start();
    const content = `
import tifffile
rng = np.random.default_rng(11)
im = {n: rng.integers(0, 4000, (64, 80), dtype=np.uint16) for n in 'abcdef'}
o = os.path.join(mnt, 'o'); name = lambda t: os.path.join(o, 'A01_s001_w1_z001_t%03d.tif' % t)
read = lambda p: open(p, 'rb').read()
def eq(x, y): assert np.array_equal(x, y)
`;
    await mount.python(`${content}
os.makedirs(os.path.join(o, 'sub'))
for t, n in enumerate('abcd', 1): tifffile.imwrite(name(t), im[n])
for n in ('plain', 'gone', 'patched', 'sub/inner'): open(os.path.join(o, n), 'wb').write(n.encode() * 999)`);
    expect((await mount.flush()).kept).toEqual([]);
    expect(existsSync(join(mount.output, 'o/gone'))).toBe(true);
    await mount.python(`${content}
for t, n in enumerate('abcd', 1): eq(tifffile.imread(name(t)), im[n])
os.rename(name(1), name(9)); os.rename(name(2), os.path.join(mnt, 'free.tif')); os.unlink(name(3)); tifffile.imwrite(name(4), im['e']); tifffile.imwrite(name(3), im['f'])
os.rename(os.path.join(o, 'plain'), os.path.join(mnt, 'moved')); os.unlink(os.path.join(o, 'gone'))
with open(os.path.join(o, 'patched'), 'r+b') as f: f.seek(7); f.write(b'PATCH')
os.rename(os.path.join(o, 'sub'), os.path.join(mnt, 'folder'))
h = open(os.path.join(mnt, 'folder', 'inner'), 'rb'); os.unlink(os.path.join(mnt, 'folder', 'inner')); assert h.read() == b'sub/inner' * 999`);
    const check = `${content}
eq(tifffile.imread(name(9)), im['a']); eq(tifffile.imread(os.path.join(mnt, 'free.tif')), im['b']); eq(tifffile.imread(name(3)), im['f']); eq(tifffile.imread(name(4)), im['e'])
assert sorted(os.listdir(o)) == ['A01_s001_w1_z001_t003.tif', 'A01_s001_w1_z001_t004.tif', 'A01_s001_w1_z001_t009.tif', 'patched'], os.listdir(o)
assert read(os.path.join(mnt, 'moved')) == b'plain' * 999 and read(os.path.join(o, 'patched')) == (b'patchedPATCH' + (b'patched' * 999)[12:])
assert os.listdir(os.path.join(mnt, 'folder')) == []`;
    await mount.python(check);
    expect((await mount.flush()).kept).toEqual([]);
    await mount.python(check);
    expect((await mount.umount()).code).toBe(0);
    expect(existsSync(join(mount.output, 'o/gone'))).toBe(false);
    expect(readFileSync(join(mount.output, 'o/patched'), 'utf8').slice(0, 14)).toBe('patchedPATCHed');
    await mount.mount();
    await mount.python(check);
  });

  it('a new file under the old name of a renamed one harms neither', async () => {
    await using mount = await PlateMount.start();
    const content = `
import tifffile
rng = np.random.default_rng(12)
im = [rng.integers(0, 4000, (64, 80), dtype=np.uint16) for _ in range(4)]
p = lambda t: os.path.join(mnt, 'A01_s001_w1_z001_t%03d.tif' % t)
read = lambda n: open(os.path.join(mnt, n), 'rb').read()
def put(n, b):
    with open(os.path.join(mnt, n), 'wb') as f: f.write(b)
`;
    await mount.python(`${content}
put('a', b'first' * 500); put('b', b'second' * 500); tifffile.imwrite(p(1), im[0]); tifffile.imwrite(p(2), im[1])`);
    await mount.flush();
    await mount.python(`${content}
os.rename(os.path.join(mnt, 'a'), os.path.join(mnt, 'old')); put('a', b'third' * 500); os.rename(p(1), p(5)); tifffile.imwrite(p(1), im[2])`);
    const check = `${content}
assert read('old') == b'first' * 500; assert read('a') == b'third' * 500; assert read('b') == b'second' * 500
for t, i in ((1, 2), (2, 1), (5, 0)): assert np.array_equal(tifffile.imread(p(t)), im[i]), t`;
    expect((await mount.flush()).kept).toEqual([]);
    await mount.python(check);
    await mount.python(`${content}
os.rename(os.path.join(mnt, 'a'), os.path.join(mnt, 't')); os.rename(os.path.join(mnt, 'b'), os.path.join(mnt, 'a')); os.rename(os.path.join(mnt, 't'), os.path.join(mnt, 'b')); put('old', b'new' * 700)
os.rename(p(1), p(7)); os.rename(p(2), p(1)); os.rename(p(7), p(2)); tifffile.imwrite(p(5), im[3])`);
    expect((await mount.flush()).kept).toEqual([]);
    const last = `${content}
assert read('old') == b'new' * 700; assert read('b') == b'third' * 500; assert read('a') == b'second' * 500
for t, i in ((1, 1), (2, 2), (5, 3)): assert np.array_equal(tifffile.imread(p(t)), im[i]), t`;
    await mount.python(last);
    expect((await mount.umount()).code).toBe(0);
    await mount.mount();
    await mount.python(last);
  });

  it('sparse files take no more room on disk than they hold', async () => {
    await using mount = await PlateMount.start({ args: ['--budget', '32MiB'] });
    await mount.python(`
with open(os.path.join(mnt, 'sparse'), 'wb') as f: f.truncate(3 << 30); f.seek(2 << 30); f.write(b'here')
with open(os.path.join(mnt, 'sparse'), 'rb') as f: f.seek((2 << 30) - 2); assert f.read(8) == b'\\0\\0here\\0\\0'`);
    expect((await mount.flush()).kept).toEqual([]);
    const landed = statSync(join(mount.output, 'sparse'));
    expect(landed.size).toBe(3 * 2 ** 30);
    expect(landed.blocks * 512).toBeLessThan(64 * 2 ** 20);
    await mount.python(`
with open(os.path.join(mnt, 'sparse'), 'rb') as f: f.seek((2 << 30) - 2); assert f.read(8) == b'\\0\\0here\\0\\0'`);
    expect((await mount.umount()).code).toBe(0);
  });

  it('several programs write and read at once under a small budget', async () => {
    await using mount = await PlateMount.start({ args: ['--budget', '16MiB'] });
    const worker = `
import hashlib, os, random, sys
mnt, k = sys.argv[1], int(sys.argv[2]); r = random.Random(k); d = os.path.join(mnt, 'w%d' % k); os.mkdir(d); held = {}
for i in range(60):
    n = 'f%d' % r.randrange(12); p = os.path.join(d, n); what = r.random()
    if what < 0.55 or n not in held:
        b = r.randbytes(r.randrange(1, 3 << 20)); open(p, 'wb').write(b); held[n] = b
    elif what < 0.7:
        at = r.randrange(len(held[n])); b = r.randbytes(5000)
        with open(p, 'r+b') as f: f.seek(at); f.write(b)
        held[n] = held[n][:at] + b + held[n][at + 5000:]
    elif what < 0.8: os.unlink(p); del held[n]
    elif what < 0.9:
        m = 'f%d' % r.randrange(12); os.rename(p, os.path.join(d, m)); held[m] = held.pop(n)
    else: assert open(p, 'rb').read() == held[n], n
for n, b in held.items(): assert open(os.path.join(d, n), 'rb').read() == b, n
assert sorted(os.listdir(d)) == sorted(held)
for n in sorted(held): print(hashlib.sha256(held[n]).hexdigest(), '  ./' + n, sep='')
`;
    const sums = await Promise.all(
      [1, 2, 3].map((k) => mount.succeed(PYTHON, ['-c', worker, mount.mountpoint, String(k)])),
    );
    const compare = async (): Promise<void> => {
      for (const k of [1, 2, 3])
        expect(await mount.shell(`cd w${k}; find . -type f | LC_ALL=C sort | xargs sha256sum`)).toBe(
          sums[k - 1],
        );
    };
    await compare();
    expect((await mount.flush()).kept).toEqual([]);
    await compare();
    expect((await mount.umount()).code).toBe(0);
    for (const k of [1, 2, 3])
      expect(readdirSync(join(mount.output, `w${k}`))).toHaveLength(
        (sums[k - 1] ?? '').trim().split('\n').length,
      );
    await mount.mount();
    await compare();
  });
});
