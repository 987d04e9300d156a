import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { hasProgram, PlateMount, PROGRESS, PYTHON, readTree } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

/** SHA-256 of every file, target of every link, below the mountpoint's folder `argv[0]`. */
const SUMS = `
import hashlib
out = {}
for d, ds, ns in os.walk(os.path.join(mnt, argv[0])):
    for n in ns + [x for x in ds if os.path.islink(os.path.join(d, x))]:
        p = os.path.join(d, n)
        out[os.path.relpath(p, mnt)] = os.readlink(p) if os.path.islink(p) else hashlib.sha256(open(p, 'rb').read()).hexdigest()
print(json.dumps(out))`;

describe.skipIf(problem)(`ordinary programs write into a mount${why}`, () => {
  let mount: PlateMount;
  let sourceBefore: Map<string, Buffer>;
  beforeAll(async () => {
    mount = await PlateMount.start();
    sourceBefore = readTree(mount.plate);
  });
  afterAll(async () => {
    await mount?.remove();
  });

  it('cp -r, mv, rm -r, tar and find', async () => {
    await mount.shell(`
mkdir work; cp -r source work/copy; cp -r images work/images
diff -r source work/copy; diff -r images work/images
tar cf ../t.tar -C work .; mkdir untarred; tar xf ../t.tar -C untarred; diff -r work untarred
tar czf packed.tgz work; mkdir again; tar xzf packed.tgz -C again; diff -r work again/work
mv work/copy moved; test ! -e work/copy; diff -r source moved
mv moved untarred/inside; diff -r source untarred/inside
rm -r again work; test ! -e again
test $(find untarred/images -type f | wc -l) = 32
rm -r untarred; rm packed.tgz
test "$(ls)" = "images
openhcs_metadata.json
plate.ome.zarr
previews
source
stacks
tables"`);
  });

  it.skipIf(!hasProgram('git'))('git init, add, commit, gc, fsck (needs git)', async () => {
    await mount.shell(`
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
mkdir repo; cd repo; git init -q .
for i in 1 2 3 4 5 6 7 8; do echo "text $i" > f$i; done; cp ../images/A01_s001_w1_z001_t001.tif .
git add -A; git commit -qm first; echo more >> f1; git commit -qam second; git checkout -q HEAD~1; git checkout -q -
git gc -q; git fsck --strict; test -z "$(git status --porcelain)"; git clone -q . ../clone; diff -r --exclude .git . ../clone`);
  });

  it.skipIf(!hasProgram('sqlite3'))(
    'sqlite3 with a rollback journal and with a write-ahead log (needs sqlite3)',
    async () => {
      for (const mode of ['delete', 'wal', 'truncate'])
        await mount.shell(
          `mkdir -p db; sqlite3 db/$1.db "pragma journal_mode=$1; create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i+1 from n where i < 3000) insert into t select i, hex(randomblob(40)) from n;
update t set b = b || 'x' where a % 3 = 0; delete from t where a % 7 = 0;"
sqlite3 db/$1.db "vacuum; pragma integrity_check; select count(*) from t;" | tail -2 | tr '\\n' ' ' | grep -qx 'ok 2572 '`,
          mode,
        );
    },
  );

  it('a program that writes a new file and renames it over the old one, as editors and rsync do', async () => {
    await mount.shell(`
mkdir edit; echo old > edit/doc; for i in 1 2 3 4 5 6 7 8 9 10; do echo new $i > edit/.doc.tmp; mv edit/.doc.tmp edit/doc; grep -qx "new $i" edit/doc; done
test "$(ls -A edit)" = doc; sed -i s/new/newest/ edit/doc; grep -qx 'newest 10' edit/doc`);
  });

  it('images are overwritten, deleted, made anew, renamed; the source stays as it is', async () => {
    const done = JSON.parse(
      await mount.python(`
import hashlib
i = os.path.join(mnt, 'images')
names = sorted(os.listdir(i))
read = lambda n: open(os.path.join(i, n), 'rb').read()
before = {n: read(n) for n in names}
a, b, c, d, e, f, g = names[:7]
with open(os.path.join(i, a), 'r+b') as h:
    h.seek(100); h.write(b'patched')
assert read(a) == before[a][:100] + b'patched' + before[a][107:]
open(os.path.join(i, b), 'wb').write(b'quite new')
assert read(b) == b'quite new'
with open(os.path.join(i, c), 'ab') as h: h.write(b'tail')
assert read(c) == before[c] + b'tail'
os.unlink(os.path.join(i, d))
assert d not in os.listdir(i) and not os.path.exists(os.path.join(i, d))
open(os.path.join(i, d), 'xb').write(b'again')
assert read(d) == b'again' and os.listdir(i).count(d) == 1
os.rename(os.path.join(i, e), os.path.join(mnt, 'elsewhere.tif'))
assert open(os.path.join(mnt, 'elsewhere.tif'), 'rb').read() == before[e] and e not in os.listdir(i)
os.rename(os.path.join(i, f), os.path.join(i, g))
assert read(g) == before[f] and f not in os.listdir(i)
os.truncate(os.path.join(i, names[7]), 10)
assert read(names[7]) == before[names[7]][:10]
os.unlink(os.path.join(i, names[8]))
open(os.path.join(mnt, 'x'), 'wb').write(b'over')
os.rename(os.path.join(mnt, 'x'), os.path.join(i, names[9]))
assert read(names[9]) == b'over'
# A reader that had a plane open before it was overwritten goes on reading what it opened.
h = open(os.path.join(i, names[10]), 'rb'); h.read(10)
with open(os.path.join(i, names[10]), 'wb') as w: w.write(b'short')
h.seek(0); assert h.read() == before[names[10]]
os.rename(os.path.join(mnt, 'stacks', 'A01_s001.tif'), os.path.join(mnt, 'stack.tif'))
for n in names[11:]: assert read(n) == before[n], n
print(json.dumps(sorted(os.listdir(i))))`),
    ) as string[];
    expect(done).toHaveLength(29);
    expect(readTree(mount.plate)).toEqual(sourceBefore);
    await mount.succeed('diff', ['-r', mount.plate, mount.path('source')]);
  });

  it('folders of the tree can be renamed and taken away like any other', async () => {
    await mount.shell(`
cp -r stacks before; mv stacks renamed; diff -r before renamed; test ! -e stacks; mv renamed stacks; diff -r before stacks; rm -r before`);
  });

  it('what libtiff, tifffile and patching writers write is read back', async () => {
    await mount.python(`
import tifffile
d = os.path.join(mnt, 'tiffs'); os.mkdir(d)
rng = np.random.default_rng(1)
a = rng.integers(0, 65535, (3, 100, 120), dtype=np.uint16)
at = lambda n: os.path.join(d, n)
m = tifffile.memmap(at('memmap.tif'), shape=a.shape, dtype=a.dtype)
m[1] = a[1]; m[2] = a[2]; m.flush(); m[0] = a[0]; m.flush(); del m
assert np.array_equal(tifffile.imread(at('memmap.tif')), a)
holes = tifffile.memmap(at('holes.tif'), shape=(64, 256, 256), dtype=np.uint16)
holes[63, 255, 255] = 7; holes.flush(); del holes
h = tifffile.imread(at('holes.tif')); assert h.sum() == 7 and h[63, 255, 255] == 7
with tifffile.TiffWriter(at('pages.tif')) as t:
    for p in a: t.write(p, contiguous=False)
assert np.array_equal(tifffile.imread(at('pages.tif'), key=slice(None)), a)
with tifffile.TiffWriter(at('pages.tif'), append=True) as t: t.write(a[0])
with tifffile.TiffFile(at('pages.tif')) as t: assert len(t.pages) == 4 and np.array_equal(t.pages[3].asarray(), a[0])
tifffile.imwrite(at('big.tif'), a, bigtiff=True); assert np.array_equal(tifffile.imread(at('big.tif')), a)
tifffile.imwrite(at('ij.tif'), a, imagej=True); assert np.array_equal(tifffile.imread(at('ij.tif')), a)
tifffile.imwrite(at('ome.ome.tif'), a, ome=True); assert np.array_equal(tifffile.imread(at('ome.ome.tif')), a)
# A writer that writes pixels plane by plane and then goes back to the header, as ImageJ does.
raw = open(at('ij.tif'), 'rb').read()
with open(at('sequential.tif'), 'wb', buffering=0) as f:
    f.write(bytes(8))
    for i in range(8, len(raw), 777): f.write(raw[i:i + 777])
    f.seek(0); f.write(raw[:8])
assert open(at('sequential.tif'), 'rb').read() == raw
try:
    from PIL import Image
    Image.fromarray(a[0]).save(at('pil.tif')); assert np.array_equal(np.array(Image.open(at('pil.tif'))), a[0])
    Image.fromarray(a[0]).save(at('lzw.tif'), compression='tiff_lzw'); assert np.array_equal(np.array(Image.open(at('lzw.tif'))), a[0])
except ImportError: pass`);
    if (hasProgram('tiffcp'))
      await mount.shell(
        `
cd tiffs; for c in none lzw zip:2 packbits; do tiffcp -c $c pages.tif c-$c.tif; done; tiffcp -a pages.tif c-lzw.tif; tiffcp -8 pages.tif c-8.tif
test $(tiffinfo c-lzw.tif 2>/dev/null | grep -c 'Image Width') = 8; tiffset -s 270 'a text' c-none.tif; tiffinfo c-none.tif | grep -q 'a text'
exec "$1" -c 'import tifffile; a = tifffile.imread("pages.tif", key=slice(None))
for n in ["c-none.tif", "c-zip:2.tif", "c-packbits.tif"]: assert (tifffile.imread(n, key=slice(None)) == a).all(), n'`,
        PYTHON,
      );
  });

  it('5,000 files in a folder, listed while they are made and deleted', async () => {
    await mount.python(`
d = os.path.join(mnt, 'many'); os.mkdir(d)
want = ['file-%05d.txt' % i for i in range(5000)]
for n in want:
    fd = os.open(os.path.join(d, n), os.O_CREAT | os.O_EXCL | os.O_WRONLY); os.write(fd, n.encode()); os.close(fd)
assert sorted(os.listdir(d)) == want
# Each is deleted as it is listed: none is missed, none appears twice.
seen = []
with os.scandir(d) as entries:
    for e in entries:
        seen.append(e.name)
        if int(e.name[5:10]) % 2: os.unlink(e.path)
assert sorted(seen) == want, (len(seen), len(set(seen)))
left = sorted(os.listdir(d)); assert left == want[::2]
assert all(open(os.path.join(d, n)).read() == n for n in left[::50])`);
    await mount.shell('rm -r many; test ! -e many');
  });

  it('everything is there after flush, and after unmounting and mounting again, byte for byte', async () => {
    const before = JSON.parse(await mount.python(SUMS, '.')) as Record<string, string>;
    const own = (sums: Record<string, string>): Record<string, string> =>
      Object.fromEntries(Object.entries(sums).filter(([name]) => !name.startsWith('.platefs/')));
    expect(Object.keys(before).length).toBeGreaterThan(80);
    const { kept } = await mount.flush();
    expect(kept).toEqual([]);
    expect(own(JSON.parse(await mount.python(SUMS, '.')) as Record<string, string>)).toEqual(own(before));
    expect((await mount.status()).waiting).toEqual({ files: 0, sizeBytes: 0 });
    const { code, stderr } = await mount.umount();
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(PROGRESS) });
    await mount.mount();
    expect(own(JSON.parse(await mount.python(SUMS, '.')) as Record<string, string>)).toEqual(own(before));
    await mount.shell(
      'echo and more >> edit/doc; tail -1 edit/doc | grep -qx "and more"; cd repo; git fsck; git status --porcelain',
    );
    expect(readTree(mount.plate)).toEqual(sourceBefore);
  });
});
