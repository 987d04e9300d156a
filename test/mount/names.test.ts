import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PLATEFS, PlateMount, SHARED_DATA, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

/** Every file below images/, its bytes' SHA-256, and where its attribute says it comes from. */
const WALK = `import hashlib
out = {}
for d, _, names in os.walk(os.path.join(mnt, 'images')):
    for n in names:
        p = os.path.join(d, n)
        own = hashlib.sha256(open(p, 'rb').read()).hexdigest()
        src = os.getxattr(p, 'user.platefs.source').decode()
        same = hashlib.sha256(open(os.path.join(mnt, 'source', src), 'rb').read()).hexdigest()
        out[os.path.relpath(p, os.path.join(mnt, 'images'))] = src if own == same else 'other bytes'
print(json.dumps(out))`;

async function walk(mount: PlateMount): Promise<Record<string, string>> {
  return JSON.parse(await mount.python(WALK)) as Record<string, string>;
}

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

describe.skipIf(problem)(`--names through a mount${why}`, () => {
  it('harmony: flat names, which ls lists and tifffile reads', async () => {
    await using mount = await PlateMount.start({
      plate: { ...SMALL_PLATE, projections: true },
      args: ['--names', 'harmony'],
    });
    const expected = Object.fromEntries(
      mount.truth.planes.map(({ well, site, channel, z, t, source }) => {
        const row = well.charCodeAt(0) - 64;
        const name = `r${pad(row, 2)}c${well.slice(1)}f${pad(site, 3)}p${pad(z, 3)}-ch${channel}sk${t}fk1fl1.tif`;
        return [name.toLowerCase().endsWith('.tif') ? name : '', source];
      }),
    );
    const found = await walk(mount);
    const spelt = Object.fromEntries(
      Object.entries(found).map(([name, source]) => [name.replace(/\.TIF$/, '.tif'), source]),
    );
    expect(spelt).toEqual(expected);
    const listed = (await mount.succeed('ls', ['-U', mount.path('images')])).trim().split('\n');
    expect(listed.sort()).toEqual(Object.keys(found).sort());
    const document = JSON.parse(await mount.shell('cat openhcs_metadata.json')) as {
      subdirectories: {
        images: { source_filename_parser_name: string; image_files: string[]; wells: object };
      };
    };
    const { images } = document.subdirectories;
    expect(images.source_filename_parser_name).toBe('OperaPhenixFilenameParser');
    expect(images.image_files.map((path) => path.replace('images/', '')).sort()).toEqual(listed.sort());
    expect(Object.keys(images.wells)).toEqual(['R01C01', 'R02C12']);
  });

  it("harmony: a Harmony plate has its instrument's names, padded (skipped without shared data)", async () => {
    const set = join(SHARED_DATA, 'harmony-synth-v5');
    if (!existsSync(set)) return;
    await using mount = await PlateMount.start({ plate: set, args: ['--names', 'harmony'] });
    const found = Object.entries(await walk(mount));
    expect(found.length).toBeGreaterThan(10);
    for (const [name, source] of found)
      expect(name).toBe(
        basename(source).replace(
          /f(\d+)p(\d+)-/,
          (_, f: string, p: string) => `f${pad(Number(f), 3)}p${pad(Number(p), 3)}-`,
        ),
      );
    await mount.umount();
    await mount.mount('--names', 'openhcs');
    const raster = JSON.parse(await mount.shell('cat openhcs_metadata.json')) as {
      subdirectories: { images: { image_files: string[] } };
    };
    expect(
      raster.subdirectories.images.image_files.every((path) =>
        /^images\/r\d\dc\d\df\d{3}p\d{3}-ch\dsk\dfk1fl1\.tiff$/.test(path),
      ),
    ).toBe(true);
    expect(Object.keys(await walk(mount)).length).toBe(found.length);
  });

  it('a template with folders: find, ls and tifffile see them, and what is written in them lands and comes back', async () => {
    const names = '{well}/t{t}/{field:03}_{channel}-{z}{ext}';
    await using mount = await PlateMount.make({ plate: SMALL_PLATE, args: ['--names', names] });
    await mount.mount();
    const found = await walk(mount);
    expect(Object.keys(found).length).toBe(mount.truth.planes.length);
    for (const { well, site, channel, z, t, source } of mount.truth.planes) {
      const name = `${well}/t${t}/${pad(site, 3)}_${channel}-${z}`;
      expect(found[`${name}.tif`] ?? found[`${name}.TIF`], name).toBe(source);
    }
    const some = Object.keys(found).find((name) => name.startsWith('A01/')) ?? '';
    expect(await mount.shell('ls images')).toBe('A01\nB12\n');
    expect(await mount.shell('ls images/A01')).toBe('t1\nt2\n');
    expect((await mount.shell('ls images/B12/t2')).trim().split('\n').length).toBe(8);
    expect((await mount.shell('find images -type f | wc -l')).trim()).toBe(String(mount.truth.planes.length));
    expect(
      await mount.shell(
        'stat -c %F images/A01/t1; stat -c %h images/A01/t1 >/dev/null; ls images/C01 2>&1 || true',
      ),
    ).toContain('directory\n');
    const shape = await mount.python(
      `import tifffile
a = tifffile.imread(os.path.join(mnt, 'images', argv[0]))
p = os.path.join(mnt, 'images/A01/t1')
tifffile.imwrite(os.path.join(p, 'mine.tif'), a + 1)
os.mkdir(os.path.join(p, 'sub'))
open(os.path.join(p, 'sub/x.txt'), 'w').write('kept')
victim = sorted(os.listdir(os.path.join(mnt, 'images/B12/t1')))[0]
os.remove(os.path.join(mnt, 'images/B12/t1', victim))
print(list(a.shape), victim)`,
      some,
    );
    expect(shape).toContain(`[${SMALL_PLATE.height}, ${SMALL_PLATE.width}]`);
    const victim = shape.trim().split(' ').at(-1) ?? '';
    await mount.umount();
    await mount.mount();
    expect(await mount.shell('cat images/A01/t1/sub/x.txt')).toBe('kept');
    const again = await mount.python(
      `import tifffile, numpy as np
a = tifffile.imread(os.path.join(mnt, 'images', argv[0]))
b = tifffile.imread(os.path.join(mnt, 'images/A01/t1/mine.tif'))
print(bool((b == a + 1).all()), 'mine.tif' in os.listdir(os.path.join(mnt, 'images/A01/t1')), argv[1] in os.listdir(os.path.join(mnt, 'images/B12/t1')))`,
      some,
      victim,
    );
    expect(again.trim()).toBe('True True False');
    const table = await mount.shell('cat tables/LoadData.csv');
    expect(table).toContain(`${mount.mountpoint}/images/A01/t1`);
    const document = JSON.parse(await mount.shell('cat openhcs_metadata.json')) as {
      subdirectories: { images: { workspace_mapping: Record<string, string> } };
    };
    const mapping = Object.entries(document.subdirectories.images.workspace_mapping);
    expect(mapping.length).toBe(mount.truth.planes.length);
    // A well that comes later has its folder, though the kernel had been told that there is none.
    const one = mount.truth.planes.find(({ well, z, t }) => well === 'B12' && z === 1 && t === 1);
    if (!one) throw new Error('the plate has no such plane');
    expect(await mount.shell('ls images/C03 2>&1 || true')).toContain('No such file');
    copyFileSync(join(mount.plate, one.source), join(mount.plate, one.source.replace('B12', 'C03')));
    await mount.python(`import time
end = time.monotonic() + 80
while not os.path.exists(os.path.join(mnt, 'images/C03/t1')):
    assert time.monotonic() < end
    time.sleep(0.05)
assert 'C03' in os.listdir(os.path.join(mnt, 'images'))
assert len(os.listdir(os.path.join(mnt, 'images/C03/t1'))) == 1`);
    for (const [canonical, path] of mapping.slice(0, 3)) {
      expect(canonical).toMatch(/^images\/[A-Z]\d\d_s\d{3}_w\d_z\d{3}_t\d{3}\.tif$/i);
      expect(found[path.replace('images/', '')]).toBeDefined();
    }
  });

  it('other names are refused while images/ holds changes under these, which are kept', async () => {
    await using mount = await PlateMount.make({ plate: SMALL_PLATE });
    await mount.mount();
    await mount.shell('echo hello > images/notes.txt; echo x > images/a; mv images/a images/b; rm images/b');
    await mount.umount();
    await mount.mount('--names', 'harmony');
    expect(await mount.shell('cat images/notes.txt')).toBe('hello\n');
    await mount.shell('rm images/r01c01f001p001-ch1sk1fk1fl1.*');
    await mount.umount();
    const refused = await mount.run(PLATEFS, mount.mountWords());
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(
      'mount with  --names harmony without --layout  or name another --output',
    );
    await mount.mount('--names', 'harmony');
    expect(await mount.shell('ls images | grep -c r01c01f001p001-ch1sk1 || true')).toBe('0\n');
  });

  it('a template that could not tell planes apart mounts nothing and says what to write', async () => {
    await using mount = await PlateMount.make({ plate: SMALL_PLATE });
    const said = await mount.run(PLATEFS, [
      'mount',
      mount.plate,
      mount.mountpoint,
      '--state',
      mount.state,
      '--names',
      '{well}_s{site}_w{channel}_z{z}{ext}',
    ]);
    expect(said.code).not.toBe(0);
    expect(existsSync(mount.memoryFolder)).toBe(false);
    expect(said.stderr).toContain('{t:03}{ext}');
    expect(said.stderr).toContain("doesn't tell time points apart, and the plate has 1 to 2");
    const wrong = await mount.run(PLATEFS, [
      'mount',
      mount.plate,
      mount.mountpoint,
      '--names',
      '{well}{z}{t}{ext}',
    ]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('has {t} right behind {z}');
  });
});

describe.skipIf(problem)(`--layout through a mount${why}`, () => {
  it('inspect proposes one for a folder of unknown origin, and mounting by it shows every image', async () => {
    await using mount = await PlateMount.make({
      plate: { ...SMALL_PLATE, shape: 'flat', zSteps: 1, timePoints: 1 },
    });
    const odd = join(mount.folder, "odd images's");
    for (const { source, well, site, channel } of mount.truth.planes) {
      const path = join(
        odd,
        well.replace(/0(\d)/, '$1'),
        `field ${site} ${channel === 1 ? 'GFP' : 'DAPI'}.tif`,
      );
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, readFileSync(join(mount.truth.root, source)));
    }
    const refused = await mount.run(PLATEFS, ['mount', odd, mount.mountpoint]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("--layout '{well}/field {site} {channel}.tif'");
    const proposed = await mount.run(PLATEFS, ['inspect', odd]);
    expect(proposed.code).toBe(1);
    expect(proposed.stdout).toContain('{well}/field {site} {channel}.tif');
    expect(proposed.stdout).toContain('A1/field 1 DAPI.tif  →  A01_s001_w1_z001_t001.tif');
    const command = proposed.stdout.split('\n').find((line) => line.startsWith('  platefs mount ')) ?? '';
    await mount.succeed('sh', [
      '-c',
      `${PLATEFS} ${command.trim().replace('platefs ', '').replace('MOUNTPOINT', mount.mountpoint)} --output ${mount.output} --state ${mount.state}`,
    ]);
    const found = await walk(mount);
    expect(found).toMatchObject({
      'A01_s001_w1_z001_t001.tif': 'A1/field 1 DAPI.tif',
      'B12_s002_w2_z001_t001.tif': 'B12/field 2 GFP.tif',
    });
    expect(Object.keys(found).length).toBe(mount.truth.planes.length);
    const stacks = await mount.python(`import tifffile
with tifffile.TiffFile(os.path.join(mnt, 'stacks/A01_s001.ome.tif')) as f:
    print(f.series[0].axes, f.series[0].shape, 'DAPI' in f.ome_metadata)`);
    expect(stacks).toContain('True');
    // It still grows.
    const more = join(odd, 'A1', 'field 9 GFP.tif');
    writeFileSync(more, readFileSync(join(odd, 'A1', 'field 1 GFP.tif')));
    await mount.python(`import time
end = time.monotonic() + 80
while not os.path.exists(os.path.join(mnt, 'images/A01_s009_w2_z001_t001.tif')):
    assert time.monotonic() < end
    time.sleep(0.05)`);
    expect(readdirSync(odd).sort()).toEqual(['A1', 'B12']);
  });
});
