import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GROWING_PLATE, growing } from './growing-plate.ts';
import { eventually, mountProblem } from './harness.ts';
import type { PlateMount } from './plate-mount.ts';

const names = async (mount: PlateMount, folder = 'images'): Promise<string[]> =>
  (await mount.shell(`ls ${folder}`)).split('\n').filter((line) => line !== '');

const shows = (mount: PlateMount, wanted: readonly string[], folder = 'images'): Promise<void> =>
  eventually(
    `${folder} shows ${wanted.length} names`,
    async () => (await names(mount, folder)).join() === [...wanted].sort().join(),
  );

describe.skipIf(mountProblem() !== undefined)('a plate that is still acquired', () => {
  it.each(['auto', 'poll'])('grows in the mount, watched by %s', async (mode) => {
    const { mount, arrive, late } = await growing((name) => name.includes('_t003'), {
      args: ['-o', `watch=${mode}`],
    });
    await using _ = mount;
    await mount.mount();
    const all = mount.truth.planes.map(({ name }) => name).sort();
    expect(await names(mount)).toEqual(all.filter((name) => !late.includes(name)));
    // The kernel now remembers that it is not there.
    expect((await mount.run('stat', [mount.path('images', late[0] ?? '')])).code).not.toBe(0);
    for (const name of late) arrive(name);
    await shows(mount, all);
    for (const { name, source } of mount.truth.planes)
      expect(await mount.shell(`sha256sum < images/${name}`)).toBe(
        await mount.succeed('sh', ['-c', 'sha256sum < "$0"', join(mount.plate, source)]),
      );
    const axes = await mount.python(`
import tifffile
with tifffile.TiffFile(mnt + '/stacks/A01_s002.ome.tif') as t:
    s = t.series[0]
    a = s.asarray()
    planes = [tifffile.imread(mnt + '/images/A01_s002_w1_z001_t%03d.tif' % (i + 1)) for i in range(3)]
    print(s.axes, a.shape, np.array_equal(a.reshape(np.stack(planes).shape), np.stack(planes)))`);
    expect(axes.trim()).toMatch(/^TYX \(3, \d+, \d+\) True$/);
    const source = await names(mount, 'source');
    expect(source).toContain('TimePoint_3');
    expect(await mount.umount()).toMatchObject({ code: 0 });
  });

  it('shows an image only when it is whole', async () => {
    const { mount, late } = await growing((name) => name === 'A01_s002_w1_z001_t003.tif');
    await using _ = mount;
    await mount.mount();
    const name = late[0] ?? '';
    const source = mount.truth.planes.find((plane) => plane.name === name)?.source ?? '';
    const bytes = readFileSync(join(dirname(mount.plate), 'later', source));
    const before = await names(mount);
    mkdirSync(dirname(join(mount.plate, source)), { recursive: true });
    writeFileSync(join(mount.plate, source), bytes.subarray(0, bytes.length - 100));
    await eventually('it is told that an image is being written', async () =>
      (await mount.shell('cat .platefs/warnings.json')).includes('unfinished-image'),
    );
    expect(await names(mount)).toEqual(before);
    expect(await mount.shell(`ls "source/${dirname(source)}"`)).toContain(source.split('/').at(-1));
    writeFileSync(join(mount.plate, source), bytes);
    await shows(mount, [...before, name]);
    expect(Buffer.from(await mount.shell(`base64 images/${name}`), 'base64').equals(bytes)).toBe(true);
    await eventually(
      'the warning is gone',
      async () => !(await mount.shell('cat .platefs/warnings.json')).includes('unfinished-image'),
    );
  });

  it('says of the plate what it said, while an image that told it is rewritten', async () => {
    const { mount } = await growing(() => false);
    await using _ = mount;
    await mount.mount();
    // What is before the pixels: pixel size, channels.
    const head = (): Promise<string> =>
      mount.shell('dd if=stacks/A01_s001.ome.tif iflag=direct bs=4k count=1 status=none | cksum');
    const before = await head();
    const path = join(mount.plate, mount.truth.planes[0]?.source ?? '');
    const bytes = readFileSync(path);
    const isTold = async (): Promise<boolean> =>
      (await mount.shell('cat .platefs/warnings.json')).includes('unfinished-image');
    writeFileSync(path, bytes.subarray(0, 100));
    await eventually('it is told that an image is being written', isTold);
    expect(await head()).toBe(before);
    writeFileSync(path, bytes);
    await eventually('the warning is gone', async () => !(await isTold()));
    expect(await head()).toBe(before);
  });

  it('follows folders that are renamed and deleted, and an open stack keeps its shape', async () => {
    const { mount } = await growing(() => false);
    await using _ = mount;
    await mount.mount();
    const all = mount.truth.planes.map(({ name }) => name).sort();
    const answer = mount.python(
      `
import time
f = os.open(mnt + '/stacks/A01_s001.tif', os.O_RDONLY)
size = os.fstat(f).st_size
first = os.pread(f, size, 0)
open(argv[0], 'w').close()
while os.path.exists(argv[0]): time.sleep(0.01)
os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
again = os.pread(f, 400, 0)
print(size == len(first), again == first[:400], os.stat(mnt + '/stacks/A01_s001.tif').st_size < size)`,
      join(mount.folder, 'go'),
    );
    await eventually('the stack is open', () => existsSync(join(mount.folder, 'go')));
    renameSync(join(mount.plate, 'TimePoint_3'), join(mount.plate, 'TimePoint_7'));
    const renamed = all.map((name) => name.replace('_t003', '_t007')).sort();
    await shows(mount, renamed);
    rmSync(join(mount.plate, 'TimePoint_7'), { recursive: true });
    await shows(
      mount,
      all.filter((name) => !name.includes('_t003')),
    );
    unlinkSync(join(mount.folder, 'go'));
    expect((await answer).trim()).toBe('True True True');
    expect(await names(mount, 'source')).not.toContain('TimePoint_7');
  });

  it('goes on with the same nodes when the daemon is killed, and sees what came meanwhile', async () => {
    const { mount, arrive, late } = await growing((name) => name.includes('_t003'));
    await using _ = mount;
    await mount.mount();
    const [first = '', second = ''] = late;
    arrive(first);
    const all = mount.truth.planes.map(({ name }) => name).sort();
    await shows(
      mount,
      all.filter((name) => name !== second),
    );
    const inodes = await mount.shell('ls -i images; ls -i source');
    const { pid } = await mount.status();
    arrive(second);
    process.kill(pid, 'SIGKILL');
    await shows(mount, all);
    const later = await mount.shell('ls -i images; ls -i source');
    for (const line of inodes.trim().split('\n')) expect(later).toContain(line.trim());
  });

  it('sees every one of 20,000 files that arrive at once', async () => {
    const { mount } = await growing(() => false, {
      plate: { ...GROWING_PLATE, shape: 'flat', timePoints: 1 },
    });
    await using _ = mount;
    await mount.mount();
    const before = await names(mount);
    const [plane] = mount.truth.planes;
    const bytes = readFileSync(join(mount.plate, plane?.source ?? ''));
    const [, prefix = '', extension = ''] = /^(.*)_A01_s1.*?(\.\w+)$/.exec(plane?.source ?? '') ?? [];
    const expected: string[] = [...before];
    for (let i = 0; i < 20_000; i += 1) {
      const well = `${'BCDEFGHI'[i % 8]}${String((Math.floor(i / 8) % 12) + 1).padStart(2, '0')}`;
      const site = Math.floor(i / 96) + 1;
      writeFileSync(join(mount.plate, `${prefix}_${well}_s${site}_w1${extension}`), bytes);
      expected.push(`${well}_s${String(site).padStart(3, '0')}_w1_z001_t001${extension}`);
    }
    await eventually(
      'all are shown',
      async () => Number(await mount.shell('ls images | wc -l')) === expected.length,
    );
    expect((await names(mount)).sort()).toEqual(expected.sort());
  });

  it('stays as it was with watch=off', async () => {
    const { mount, arrive, late } = await growing((name) => name.includes('_t003'), {
      args: ['-o', 'watch=off'],
    });
    await using _ = mount;
    await mount.mount();
    const before = await names(mount);
    for (const name of late) arrive(name);
    await eventually('they have arrived', () => existsSync(join(mount.plate, 'TimePoint_3')));
    expect(await names(mount)).toEqual(before);
  });
});
