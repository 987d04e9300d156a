import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { client, eventually, mountProblem, plainUserProblem } from './harness.ts';
import { PLATEFS, PlateMount } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;
const isRoot = process.geteuid?.() === 0;
const canUnshare = isRoot && (await client('unshare', ['-m', 'true'])).code === 0;

/** The registry's entry of the one mount. */
function registryFile(mount: PlateMount): string {
  const folder = join(mount.folder, 'r/platefs');
  const [name = ''] = readdirSync(folder).filter((entry) => entry.endsWith('.json'));
  return join(folder, name);
}

interface Refusal {
  readonly error: { readonly tag: string; readonly message: string; readonly advice?: string };
}

/** Commands and the kinds of refusal that were seen as people see them. */
const seen = new Set<string>();

/** The one sentence a refused command prints, for programs, and once of each kind for people. */
async function refusal(mount: PlateMount, words: readonly string[], code = 1): Promise<Refusal['error']> {
  const { error } = await mount.json<Refusal>(words, code);
  const kind = `${words[0]} ${error.tag}`;
  if (seen.has(kind)) return error;
  seen.add(kind);
  const told = await mount.platefs(...words);
  expect(told.code, told.stdout + told.stderr).toBe(code);
  expect(told.stdout).toBe('');
  expect(told.stderr).toMatch(/^platefs: (.+\n)+$/);
  expect(told.stderr).not.toMatch(/ at .*\.ts:|Error:/);
  expect(told.stderr).toContain(error.message);
  return error;
}

describe.skipIf(problem)(`what can't be mounted is refused with a sentence${why}`, () => {
  it('the plate is missing, no file that it says it is, empty, no plate', async () => {
    await using mount = await PlateMount.make();
    const at = (name: string): string => join(mount.folder, name);
    mkdirSync(at('empty'));
    mkdirSync(at('letters/more'), { recursive: true });
    writeFileSync(at('letters/dear.txt'), 'hello');
    writeFileSync(at('letters/more/report.pdf'), '%PDF');
    writeFileSync(at('file.tif'), 'x');
    const tagOf = async (source: string): Promise<string> => {
      const { tag, message } = await refusal(mount, ['mount', at(source), mount.mountpoint]);
      expect(message).toContain(at(source));
      return tag;
    };
    expect(await tagOf('none')).toBe('unreadable-source');
    expect(await tagOf('file.tif')).toBe('bad-tiff');
    expect(await tagOf('empty')).toBe('empty-folder');
    expect(await tagOf('letters')).toBe('not-a-plate');
    expect((await refusal(mount, ['inspect', at('letters')])).tag).toBe('not-a-plate');
    expect((await refusal(mount, ['inspect', at('none')])).tag).toBe('unreadable-source');
    expect(mount.isMounted).toBe(false);
    expect(existsSync(`${at('letters')}_platefs`)).toBe(false);
  });

  it('the mountpoint is missing, a file, not empty, inside the plate, in use', async () => {
    await using mount = await PlateMount.make();
    const at = (name: string): string => join(mount.folder, name);
    mkdirSync(at('full/inner'), { recursive: true });
    writeFileSync(at('file'), 'x');
    mkdirSync(join(mount.plate, 'inside'));
    for (const [place, word] of [
      [at('none'), 'does not exist'],
      [at('file'), 'is not a folder'],
      [at('full'), 'is not empty'],
      [join(mount.plate, 'inside'), 'inside each other'],
    ] as const) {
      const { tag, message } = await refusal(mount, ['mount', mount.plate, place]);
      expect(tag).toBe('bad-mountpoint');
      expect(message).toContain(word);
    }
    await mount.mount();
    expect(await refusal(mount, mount.mountWords())).toMatchObject({ tag: 'bad-mountpoint' });
    // The same plate and output a second time, elsewhere.
    mkdirSync(at('second'));
    const words = mount.mountWords().map((word) => (word === mount.mountpoint ? at('second') : word));
    const second = await refusal(mount, words);
    expect(second.tag).toBe('already-running');
    expect(second.message).toContain(mount.mountpoint);
    await mount.shell('test $(ls images | wc -l) = 32');
    // Another output is another mount.
    const apart = words.map((word) =>
      word === mount.output ? at('out2') : word === mount.state ? at('state2') : word,
    );
    const told = await mount.platefs(...apart);
    expect(told.code, told.stderr).toBe(0);
    expect((await mount.platefs('umount', at('second'))).code).toBe(0);
  });

  it('a second daemon on a state that lives in another registry is refused by the lock', async () => {
    await using mount = await PlateMount.start();
    const elsewhere = join(mount.folder, 'r2');
    mkdirSync(elsewhere, { mode: 0o700 });
    mkdirSync(join(mount.folder, 'second'));
    const words = mount
      .mountWords()
      .map((word) => (word === mount.mountpoint ? join(mount.folder, 'second') : word));
    const told = await mount.run(PLATEFS, [...words, '--json'], {
      env: { XDG_RUNTIME_DIR: elsewhere },
    });
    expect(told.code, told.stdout + told.stderr).toBe(1);
    expect((JSON.parse(told.stdout) as Refusal).error.tag).toBe('already-running');
    await mount.shell('cat images/* > /dev/null');
  });

  it('wrong words on the command line', async () => {
    await using mount = await PlateMount.make();
    const words = mount.mountWords();
    for (const [more, word] of [
      [['-o', 'readonly'], 'readonly'],
      [['--budget', 'lots'], 'lots'],
      [['--budget', '1KiB'], 'budget'],
      [['--bogus'], 'bogus'],
      [['-o', 'readers=many'], 'many'],
    ] as const) {
      const { tag, message, advice = '' } = await refusal(mount, [...words, ...more], 2);
      expect(tag).toBe('bad-parameter');
      expect(`${message} ${advice}`).toContain(word);
    }
    const definition = join(mount.folder, 'bad.yaml');
    writeFileSync(
      definition,
      `source: ${mount.plate}\nmountpoint: ${mount.mountpoint}\nhooks:\n  - name: a\n    onn: "x/*.tif"\n`,
    );
    const { tag, message } = await refusal(mount, ['mount', definition], 2);
    expect(tag).toBe('bad-definition');
    expect(message).toMatch(/bad\.yaml:[45]: /);
  });

  it('commands on what is not mounted', async () => {
    await using mount = await PlateMount.make();
    for (const command of ['status', 'flush', 'umount']) {
      const { message } = await refusal(mount, [command, mount.mountpoint]);
      expect(message).toContain(mount.mountpoint);
    }
    expect(await mount.json(['status'])).toMatchObject({ mounts: [] });
  });

  const plainProblem = plainUserProblem() ?? (isRoot ? undefined : 'only root can become another user');
  it.skipIf(plainProblem)(
    'a folder one may not read, a mountpoint one may not write, as a plain user',
    async () => {
      await using mount = await PlateMount.make({ asPlainUser: true });
      const locked = join(mount.folder, 'locked');
      mkdirSync(locked);
      chmodSync(locked, 0o700);
      expect((await refusal(mount, ['mount', locked, mount.mountpoint])).tag).toBe('unreadable-source');
      const foreign = join(mount.folder, 'foreign');
      mkdirSync(foreign);
      chmodSync(foreign, 0o755);
      const { message } = await refusal(
        mount,
        mount.mountWords().map((word) => (word === mount.mountpoint ? foreign : word)),
      );
      expect(message).toContain(foreign);
      // A supervisor that was started ahead and is not wanted is on its way out.
      await eventually('nothing of it runs', () => mount.processes().length === 0);
    },
  );

  it.skipIf(!canUnshare)('no /dev/fuse', async () => {
    await using mount = await PlateMount.make({
      namespace: `mkdir "$T/dev"; mount -t tmpfs none "$T/dev"
for n in null zero urandom random tty; do touch "$T/dev/$n"; mount --bind /dev/$n "$T/dev/$n"; done
mkdir "$T/dev/shm"; mount -t tmpfs none "$T/dev/shm"; mount --rbind "$T/dev" /dev`,
    });
    const { tag, message, advice = '' } = await refusal(mount, mount.mountWords());
    expect(tag).toBe('fuse-unavailable');
    expect(`${message} ${advice}`).toMatch(/\/dev\/fuse.*modprobe|\/dev\/fuse.*--device/s);
    const doctor = await mount.platefs('doctor', '--json');
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toContain('/dev/fuse is missing');
  });
});

describe.skipIf(problem ?? (canUnshare ? undefined : 'needs root'))(`full disks lose nothing${why}`, () => {
  it('the output disk is full: flush says so, files stay readable, and land once there is room', async () => {
    await using mount = await PlateMount.make({
      namespace: 'mkdir "$T/results"; mount -t tmpfs -o size=2m none "$T/results"',
    });
    await mount.mount();
    const content = `
rng = np.random.default_rng(3); blobs = {n: rng.bytes(1 << 20) for n in ('a.bin', 'b.bin', 'c.bin', 'd.bin')}
import tifffile
planes = {'A01_s001_w1_z001_t%03d.tif' % t: rng.integers(0, 65535, (700, 700), dtype=np.uint16) for t in (1, 2, 3)}
`;
    const check = `${content}
for n, b in blobs.items(): assert open(os.path.join(mnt, n), 'rb').read() == b, n
for n, x in planes.items(): assert np.array_equal(tifffile.imread(os.path.join(mnt, 'out', n)), x), n`;
    await mount.python(`${content}
os.mkdir(os.path.join(mnt, 'out'))
for n, b in blobs.items(): open(os.path.join(mnt, n), 'wb').write(b)
for n, x in planes.items(): tifffile.imwrite(os.path.join(mnt, 'out', n), x)`);
    const told = await mount.platefs('flush', mount.mountpoint);
    expect(told.code, told.stdout + told.stderr).toBe(3);
    expect(told.stdout).toMatch(/not landed: \S+: .*(no space|no room|full)/i);
    await mount.python(check);
    expect((await mount.status())['kept']).not.toEqual([]);
    await mount.succeed('mount', ['-o', 'remount,size=64m', mount.output]);
    expect((await mount.flush()).kept).toEqual([]);
    await mount.python(check);
    expect((await mount.status()).memory).toMatchObject({ closedFilesBytes: 0, openFilesBytes: 0 });
    await mount.python(
      `${content}
for n, b in blobs.items(): assert open(os.path.join(argv[0], n), 'rb').read() == b, n`,
      mount.output,
    );
  });

  it('the output disk is full at unmount: what is left is kept and is there at the next mount', async () => {
    await using mount = await PlateMount.make({
      namespace: 'mkdir "$T/results"; mount -t tmpfs -o size=1m none "$T/results"',
    });
    await mount.mount();
    await mount.shell('seq 1 400000 > numbers; mkdir d; seq 1 300000 > d/more');
    const told = await mount.umount();
    expect(told.code, told.stdout + told.stderr).toBe(3);
    expect(told.stdout).toContain(mount.state);
    expect(mount.isMounted).toBe(false);
    await mount.mount();
    await mount.shell('seq 1 400000 | cmp - numbers; seq 1 300000 | cmp - d/more');
    await mount.succeed('mount', ['-o', 'remount,size=64m', mount.output]);
    expect((await mount.umount()).code).toBe(0);
    expect((await mount.succeed('cat', [join(mount.output, 'd/more')])).length).toBe(1988895);
  });

  it('memory is full before the budget is: bytes go to disk', async () => {
    await using mount = await PlateMount.make({
      namespace: 'mount -t tmpfs -o size=12m none /dev/shm',
      args: ['--budget', '500MiB'],
    });
    await mount.mount();
    const content = 'rng = np.random.default_rng(4); part = rng.bytes(1 << 20)\n';
    await mount.python(`${content}
for k in range(4):
    with open(os.path.join(mnt, 'f%d' % k), 'wb') as f:
        for i in range(12): f.write(bytes([k, i]) + part[2:])`);
    const check = `${content}
for k in range(4):
    with open(os.path.join(mnt, 'f%d' % k), 'rb') as f:
        for i in range(12): assert f.read(1 << 20) == bytes([k, i]) + part[2:], (k, i)
        assert f.read() == b''`;
    await mount.python(check);
    expect((await mount.flush()).kept).toEqual([]);
    await mount.python(check);
    expect((await mount.umount()).code).toBe(0);
  });

  it('memory and disk are full: ENOSPC at the write, what was acknowledged is there, room helps', async () => {
    await using mount = await PlateMount.make({
      namespace: `mount -t tmpfs -o size=8m none /dev/shm; mkdir "$T/state" "$T/results"
mount -t tmpfs -o size=24m none "$T/state"; mount -t tmpfs -o size=1m none "$T/results"`,
      args: ['--budget', '16MiB'],
    });
    await mount.mount();
    const answer = JSON.parse(
      await mount.python(`
import errno
rng = np.random.default_rng(4); part = rng.bytes(1 << 18)
done, failed = [], None
for k in range(40):
    p = os.path.join(mnt, 'f%02d' % k)
    try: f = os.open(p, os.O_CREAT | os.O_WRONLY)
    except OSError as e: failed = errno.errorcode[e.errno]; break
    written = 0
    try:
        for i in range(8):
            n = os.write(f, bytes([k, i]) + part[2:]); written += n
            assert n == len(part), n
    except OSError as e: failed = errno.errorcode[e.errno]
    done.append([k, written])
    os.close(f)
    if failed: break
def check():
    for k, n in done:
        with open(os.path.join(mnt, 'f%02d' % k), 'rb') as f: b = f.read()
        want = b''.join(bytes([k, i]) + part[2:] for i in range(8))[:n]
        assert b[:n] == want, (k, n, len(b))
check()
os.unlink(os.path.join(mnt, 'f00')); os.unlink(os.path.join(mnt, 'f01')); del done[:2]
with open(os.path.join(mnt, 'late'), 'wb') as f: f.write(part)
assert open(os.path.join(mnt, 'late'), 'rb').read() == part
check()
print(json.dumps([failed, sum(n for _, n in done)]))`),
    ) as [string, number];
    expect(answer[0]).toBe('ENOSPC');
    expect(answer[1]).toBeGreaterThan(8 * 2 ** 20);
    await mount.succeed('mount', ['-o', 'remount,size=200m', mount.output]);
    expect((await mount.flush()).kept).toEqual([]);
    expect((await mount.umount()).code).toBe(0);
  });
});

describe.skipIf(problem)(`the commands on a mount${why}`, () => {
  it('status, inspect and doctor say what is so; -o ro refuses every change', async () => {
    await using mount = await PlateMount.make({ args: ['-o', 'ro'] });
    const inspected = await mount.json<Record<string, unknown>>(['inspect', mount.plate]);
    expect(JSON.stringify(inspected)).toContain('imagexpress');
    const mounted = await mount.mount();
    expect(mounted).toMatchObject({ mountpoint: mount.mountpoint, source: mount.plate, planes: 32 });
    const all = await mount.json<{ mounts: { mountpoint: string; state: string }[] }>(['status']);
    expect(all.mounts).toMatchObject([{ mountpoint: mount.mountpoint, state: 'running' }]);
    expect((await mount.platefs('status')).stdout).toContain('planes    32');
    const answers = JSON.parse(
      await mount.python(`
import errno
out = {}
def attempt(name, call):
    try: call(); out[name] = 'done'
    except OSError as e: out[name] = errno.errorcode[e.errno]
p = os.path.join(mnt, 'images', os.listdir(os.path.join(mnt, 'images'))[0])
attempt('create', lambda: open(os.path.join(mnt, 'new'), 'w'))
attempt('mkdir', lambda: os.mkdir(os.path.join(mnt, 'd')))
attempt('write', lambda: open(p, 'r+b'))
attempt('truncate', lambda: os.truncate(p, 0))
attempt('unlink', lambda: os.unlink(p))
attempt('rename', lambda: os.rename(p, p + 'x'))
attempt('chmod', lambda: os.chmod(p, 0o600))
attempt('utime', lambda: os.utime(p))
attempt('setxattr', lambda: os.setxattr(p, 'user.a', b'b'))
attempt('symlink', lambda: os.symlink('a', os.path.join(mnt, 'l')))
open(p, 'rb').read()
print(json.dumps(out))`),
    ) as Record<string, string>;
    expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((name) => [name, 'EROFS'])));
    const doctor = await mount.json<{ findings: { check: string; verdict: string }[] }>(['doctor']);
    expect(doctor.findings.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
    expect((await mount.umount()).code).toBe(0);
    expect(existsSync(join(mount.output, 'results.ome.zarr'))).toBe(false);
  });

  it('in the foreground, SIGTERM writes everything out and ends', async () => {
    await using mount = await PlateMount.make();
    const running = spawn(PLATEFS, [...mount.mountWords(), '--foreground'], {
      env: { ...process.env, ...mount.env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    running.stdout.on('data', (chunk) => (said += chunk));
    const ended = new Promise((done) => running.once('close', done));
    await eventually('it is mounted', () => said.includes('Ctrl-C unmounts'));
    await mount.shell('seq 1 100000 > numbers; mkdir d; cp images/A01_s001_w1_z001_t001.tif d');
    running.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(said).toContain('32 planes');
    expect(mount.isMounted).toBe(false);
    expect(readFileSync(join(mount.output, 'numbers'), 'utf8')).toMatch(/^1\n2\n[\s\S]*\n100000\n$/);
    expect(existsSync(join(mount.output, 'results.ome.zarr/.zattrs'))).toBe(true);
  });

  it('SIGTERM while a program writes: what it wrote by then is there at the next mount', async () => {
    await using mount = await PlateMount.start();
    const held = join(mount.folder, 'held');
    const writer = mount.run('sh', [
      '-c',
      `exec 3> ${mount.path('f')}; seq 1 5000 >&3; echo $$ > ${held}.new; mv ${held}.new ${held}; exec sleep 600`,
    ]);
    await eventually('the file is being written', () => existsSync(held));
    await mount.shell('echo closed > g');
    const { supervisorPid } = JSON.parse(readFileSync(registryFile(mount), 'utf8')) as {
      supervisorPid: number;
    };
    process.kill(supervisorPid, 'SIGTERM');
    await eventually('it has ended', () => mount.processes().length === 0);
    process.kill(Number(readFileSync(held, 'utf8')), 'SIGKILL');
    await writer;
    expect(mount.isMounted).toBe(false);
    await mount.mount();
    await mount.shell('seq 1 5000 | cmp - f; grep -qx closed g');
    expect((await mount.umount()).code).toBe(0);
    expect(existsSync(mount.memoryFolder)).toBe(false);
    expect(readFileSync(join(mount.output, 'f'), 'utf8')).toMatch(/\n5000\n$/);
  });

  it('umount waits for nobody who still has files open, unless told to go lazily', async () => {
    await using mount = await PlateMount.start();
    await mount.shell('echo text > f');
    const held = join(mount.folder, 'held');
    const holder = mount.run('sh', [
      '-c',
      `exec 3< ${mount.path('f')}; echo $$ > ${held}.new; mv ${held}.new ${held}; exec sleep 600`,
    ]);
    await eventually('the file is held', () => existsSync(held));
    const { tag, advice } = await refusal(mount, ['umount', mount.mountpoint]);
    expect(tag).toBe('bad-mountpoint');
    expect(advice).toContain('--lazy');
    await mount.shell('cat f');
    const lazy = await mount.platefs('umount', '--lazy', mount.mountpoint);
    process.kill(Number(readFileSync(held, 'utf8')), 'SIGKILL');
    await holder;
    expect(lazy.code, lazy.stdout + lazy.stderr).toBe(0);
    expect(mount.isMounted).toBe(false);
  });

  it('umount finds a mount that was made with other folders, and takes it for no leftover', async () => {
    await using mount = await PlateMount.start();
    await mount.shell('echo text > f');
    const elsewhere = { env: { XDG_RUNTIME_DIR: join(mount.folder, 'elsewhere') } };
    mkdirSync(elsewhere.env.XDG_RUNTIME_DIR, { mode: 0o700 });
    const words = ['umount', mount.mountpoint, '--json', '--timeout', '25'];
    const { code, stdout, stderr } = await mount.run(PLATEFS, words, elsewhere);
    expect(code, stdout + stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ mountpoint: mount.mountpoint, files: 1, kept: [] });
    expect(mount.isMounted).toBe(false);
    expect(readFileSync(join(mount.output, 'f'), 'utf8')).toBe('text\n');
    expect((await mount.json<{ mounts: unknown[] }>(['status'])).mounts).toEqual([]);
  });

  it('a mount whose processes were all killed is noticed and mended, nothing is lost', async () => {
    await using mount = await PlateMount.start();
    await mount.shell('seq 1 1000 > numbers');
    await mount.shootAll();
    expect((await mount.platefs('status', mount.mountpoint)).code).toBe(1);
    const mended = await mount.platefs('umount', mount.mountpoint);
    expect(mended.code, mended.stderr).toBe(0);
    expect(mount.isMounted).toBe(false);
    await mount.mount();
    await mount.shell('seq 1 1000 | cmp - numbers');
    await mount.shootAll();
    // Mounting again mends by itself.
    await mount.mount();
    await mount.shell('seq 1 1000 | cmp - numbers');
  });
});
