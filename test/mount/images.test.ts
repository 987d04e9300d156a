import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PlateTruth } from '../../scripts/plate-maker/plate-maker.ts';
import type { PlateOptions } from '../../scripts/plate-maker/plate-options.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, SHARED_DATA, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** File name → SHA-256 of what a client reads there. */
async function sumsOf(mount: PlateMount, folder: string): Promise<Record<string, string>> {
  const text = await mount.python(
    `import hashlib
d = os.path.join(mnt, argv[0])
print(json.dumps({n: hashlib.sha256(open(os.path.join(d, n), 'rb').read()).hexdigest() for n in os.listdir(d)}))`,
    folder,
  );
  return JSON.parse(text) as Record<string, string>;
}

const SHAPES: Record<string, Partial<PlateOptions>> = {
  'an export with projections and missing images': {
    ...SMALL_PLATE,
    projections: true,
    missing: ['A01_s001_w2_z002_t001', 'B12_s002_w1_z000_t002'],
  },
  'a database folder: GUIDs, thumbnails, projections, deflate': {
    ...SMALL_PLATE,
    shape: 'database',
    thumbnails: true,
    projections: true,
    compression: 'deflate',
    extension: '.TIF',
  },
  'a flat folder': { ...SMALL_PLATE, shape: 'flat', zSteps: 1, timePoints: 1, compression: 'lzw' },
};

describe.skipIf(problem)(`images/ through a mount${why}`, () => {
  it.each(Object.keys(SHAPES))('%s: every plane has its name and the bytes of its source', async (shape) => {
    await using mount = await PlateMount.start({ plate: SHAPES[shape] ?? {} });
    const { planes, root, missing } = mount.truth;
    const expected = Object.fromEntries(
      planes.map(({ name, source }) => [name, sha256(readFileSync(join(root, source)))]),
    );
    expect(await sumsOf(mount, 'images')).toEqual(expected);
    const warnings = await mount.shell('cat .platefs/warnings.json');
    for (const stem of missing) expect(warnings).toContain(stem);
    await mount.succeed('diff', ['-r', mount.plate, mount.path('source')]);
  });

  const sets = [
    'ix-exported-3434',
    'ix-raw-1334',
    'ix-raw-1697',
    'ix-nested-synth',
    'operetta-v5',
    'harmony-synth-v5',
  ];
  it.each(sets)(
    '%s: names and bytes are those of the truth file (skipped without shared data)',
    async (set) => {
      if (!existsSync(join(SHARED_DATA, set))) return;
      const truth = JSON.parse(readFileSync(join(SHARED_DATA, `${set}.truth.json`), 'utf8')) as {
        plate_root: string;
        planes: { virtual: string; sha256_file: string }[];
        listed_but_absent?: unknown[];
      };
      await using mount = await PlateMount.start({ plate: join(SHARED_DATA, set, truth.plate_root) });
      expect(await sumsOf(mount, 'images')).toEqual(
        Object.fromEntries(truth.planes.map(({ virtual, sha256_file }) => [virtual, sha256_file])),
      );
      await mount.succeed('diff', ['-r', mount.plate, mount.path('source')]);
    },
  );

  it('source/ refuses every change, and images/ names where each plane comes from', async () => {
    await using mount = await PlateMount.start();
    const before = readdirSync(mount.plate, { recursive: true }).toSorted();
    const refused = await mount.python(`
import errno
out = {}
s = os.path.join(mnt, 'source')
f = [os.path.join(d, n) for d, _, ns in os.walk(s) for n in ns if n.endswith('.tif')][0]
def attempt(name, call):
    try:
        call(); out[name] = 'done'
    except OSError as e:
        out[name] = errno.errorcode[e.errno]
attempt('create', lambda: open(os.path.join(s, 'new'), 'w'))
attempt('write', lambda: open(f, 'r+b'))
attempt('append', lambda: open(f, 'ab'))
attempt('truncate', lambda: os.truncate(f, 0))
attempt('unlink', lambda: os.unlink(f))
attempt('rename', lambda: os.rename(f, f + 'x'))
attempt('move in', lambda: os.rename(os.path.join(mnt, 'images', os.listdir(os.path.join(mnt, 'images'))[0]), os.path.join(s, 'y')))
attempt('move over', lambda: os.rename(os.path.join(mnt, 'images', os.listdir(os.path.join(mnt, 'images'))[0]), f))
attempt('mkdir', lambda: os.mkdir(os.path.join(s, 'd')))
attempt('rmdir', lambda: os.rmdir(os.path.dirname(f)))
attempt('chmod', lambda: os.chmod(f, 0o777))
attempt('utime', lambda: os.utime(f, ns=(1, 1)))
attempt('symlink', lambda: os.symlink('x', os.path.join(s, 'l')))
attempt('setxattr', lambda: os.setxattr(f, 'user.a', b'b'))
print(json.dumps(out))`);
    const answers = JSON.parse(refused) as Record<string, string>;
    expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((name) => [name, 'EROFS'])));
    expect(readdirSync(mount.plate, { recursive: true }).toSorted()).toEqual(before);
    const attributes = JSON.parse(
      await mount.python(`
d = os.path.join(mnt, 'images')
print(json.dumps({n: {a: os.getxattr(os.path.join(d, n), a).decode() for a in os.listxattr(os.path.join(d, n))} for n in os.listdir(d)}))`),
    ) as Record<string, Record<string, string>>;
    for (const { name, source, well, site, channel, z, t } of mount.truth.planes) {
      const own = attributes[name] ?? {};
      expect(own['user.platefs.source']).toBe(source);
      expect(own['user.platefs.well']).toBe(well);
      expect(JSON.stringify(own)).toContain(`"${site}"`);
      expect([channel, z, t].every((value) => Object.values(own).includes(String(value)))).toBe(true);
    }
  });

  it('openhcs_metadata.json names files that are there, and .platefs/ tells of the plate', async () => {
    await using mount = await PlateMount.start({
      plate: { ...SMALL_PLATE, missing: ['A01_s001_w1_z001_t001'] },
    });
    const told = JSON.parse(
      await mount.python(`
m = json.load(open(os.path.join(mnt, 'openhcs_metadata.json')))
files = [f for s in m['subdirectories'].values() for f in s['image_files']]
absent = [f for f in files if not os.path.isfile(os.path.join(mnt, f))]
p = os.path.join(mnt, '.platefs')
print(json.dumps({'files': len(files), 'absent': absent, 'list': sorted(os.listdir(p)),
  'sizes': all(os.path.getsize(os.path.join(p, n)) == len(open(os.path.join(p, n), 'rb').read()) for n in os.listdir(p) if n != 'versions'),
  'versions': os.listdir(os.path.join(p, 'versions')),
  'status': json.load(open(os.path.join(p, 'status.json'))),
  'warnings': json.load(open(os.path.join(p, 'warnings.json')))}))`),
    ) as {
      files: number;
      absent: string[];
      list: string[];
      sizes: boolean;
      versions: string[];
      status: { planes: number; warnings: number; mountpoint: string; source: string };
      warnings: { plate: { kind: string; message: string; files: string[] }[] };
    };
    expect(told.files).toBe(31);
    expect(told.absent).toEqual([]);
    expect(told.list).toEqual(['metrics', 'status.json', 'versions', 'warnings.json']);
    expect(told.versions).toEqual([]);
    expect(told.sizes).toBe(true);
    expect(told.status).toMatchObject({
      planes: 31,
      warnings: 1,
      mountpoint: mount.mountpoint,
      source: mount.plate,
    });
    expect(JSON.stringify(told.warnings.plate)).toContain('A01_s001_w1_z001_t001');
    expect(await mount.shell('cat .platefs/metrics')).toMatch(/^platefs_planes 31$/m);
  });

  it('links that lead out of the plate are not followed unless that is asked for', async () => {
    const prepare = (root: string, { planes }: PlateTruth): void => {
      const [out = '', inside = '', folder = ''] = planes.map(({ source }) => join(root, source));
      const kept = join(dirname(root), 'elsewhere.tif');
      renameSync(out, kept);
      symlinkSync(kept, out);
      renameSync(inside, `${inside}.kept`);
      symlinkSync(`${basename(inside)}.kept`, inside);
      symlinkSync('/etc', join(dirname(folder), 'etc'));
      symlinkSync('..', join(root, 'loop'));
      symlinkSync('../mnt/images', join(root, 'mine'));
    };
    for (const args of [[], ['-o', 'follow_links']]) {
      await using mount = await PlateMount.start({ prepare, args });
      const names = (await mount.shell('ls images')).trim().split('\n');
      const { planes } = mount.truth;
      const shown = args.length === 0 ? planes.slice(1) : planes;
      expect(names).toEqual(shown.map(({ name }) => name).sort());
      for (const { name, source } of shown.slice(0, 2))
        expect(await mount.shell(`sha256sum < images/${name}`)).toBe(
          await mount.succeed('sh', ['-c', 'sha256sum < "$0"', join(mount.plate, source)]),
        );
      const { plate } = JSON.parse(await mount.shell('cat .platefs/warnings.json')) as {
        plate: { kind: string; files: string[] }[];
      };
      const told = plate.find(({ kind }) => kind === 'link-out-of-plate')?.files ?? [];
      // What leads to the mount itself, or above it, is never followed.
      expect(told).toEqual(expect.arrayContaining(['loop', 'mine']));
      expect(told).toHaveLength(args.length === 0 ? 4 : 2);
      expect((await mount.run('sh', ['-c', `find ${mount.path('source')} | grep -c passwd`])).stdout).toEqual(
        args.length === 0 ? '0\n' : expect.stringMatching(/^[1-9]/),
      );
    }
  });

  it('a garbage HTD, a zero-byte and a truncated image: mounted, told of, the rest is right', async () => {
    await using mount = await PlateMount.start({
      prepare: (root, { planes }) => {
        writeFileSync(
          join(root, 'Assay_B2_plate.HTD'),
          Buffer.from('\0\x01garbage\xff, no HTD\n"', 'latin1'),
        );
        writeFileSync(join(root, planes[3]?.source ?? ''), '');
        const cut = join(root, planes[5]?.source ?? '');
        writeFileSync(cut, readFileSync(cut).subarray(0, 300));
      },
    });
    const { planes, root } = mount.truth;
    const shown = await sumsOf(mount, 'images');
    expect(shown).toEqual(
      Object.fromEntries(planes.map(({ name, source }) => [name, sha256(readFileSync(join(root, source)))])),
    );
    const warnings = await mount.shell('cat .platefs/warnings.json');
    expect(warnings).toContain('Assay_B2_plate.HTD');
    const { status } = await mount.json<{ status: { warnings: number } }>(['status', mount.mountpoint]);
    expect(status.warnings).toBeGreaterThan(0);
  });
});
