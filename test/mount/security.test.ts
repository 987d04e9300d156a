import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client, mountProblem, PLAIN_USER, plainUserProblem } from './harness.ts';
import { PlateMount, PYTHON } from './plate-mount.ts';

const isRoot = process.geteuid?.() === 0;
const problem = mountProblem() ?? (isRoot ? undefined : 'only root can become other users');
const plainProblem = plainUserProblem() ?? (isRoot ? undefined : 'only root can become another user');
const note = (why: string | undefined): string => (why === undefined ? '' : ` (skipped: ${why})`);

const asNobody = (program: string, ...args: string[]) => client(program, args, { asPlainUser: true });
const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** Says something to a control socket and prints what comes back. */
const TALK = `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60)
try:
    s.connect(sys.argv[1]); s.sendall(b'{"id":1,"method":"status"}\\n'); print(len(s.recv(100)))
except OSError as e: print(e.strerror)`;

describe.skipIf(problem)(`a mount by root${note(problem)}`, () => {
  let mount: PlateMount;
  let socket: string;
  beforeAll(async () => {
    mount = await PlateMount.start({
      prepare: (root) => {
        symlinkSync('/etc/shadow', join(root, 'secret.tif'));
        symlinkSync('/etc', join(root, 'everything'));
      },
    });
    await mount.shell('echo private > written; mkdir folder');
    const { registry = '' } = { registry: join(mount.folder, 'r', 'platefs') };
    const [name = ''] = (await mount.succeed('ls', [registry]))
      .split('\n')
      .filter((one) => one.endsWith('.sock'));
    socket = join(registry, name);
  });
  afterAll(async () => {
    await mount?.remove();
  });

  it('is for root alone unless allow_other was asked for', async () => {
    for (const path of [mount.mountpoint, mount.path('written'), mount.path('images')])
      expect((await asNobody('stat', path)).stderr).toContain('Permission denied');
  });

  it('runs no set-id programs and opens no devices', async () => {
    const line = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((one) => one.includes(` ${mount.mountpoint} `));
    const options = line?.split(' ')[5]?.split(',');
    expect(options).toEqual(expect.arrayContaining(['nosuid', 'nodev']));
    await mount.shell('mknod null c 1 3; ! cat null 2>/dev/null; rm null');
  });

  it('keeps what was written, and what it knows, from everybody else', async () => {
    expect(modeOf(mount.state)).toBe(0o700);
    expect(modeOf(mount.memoryFolder)).toBe(0o700);
    expect(modeOf(join(mount.folder, 'r', 'platefs'))).toBe(0o700);
    expect(modeOf(socket)).toBe(0o600);
    const found = await mount.succeed('find', [
      mount.state,
      mount.memoryFolder,
      '-type',
      'f',
      '-perm',
      '/077',
    ]);
    // What is said to the user: no names and no bytes of files.
    expect(found.split('\n').filter((path) => path !== '' && !path.endsWith('.log'))).toEqual([]);
    for (const path of [mount.state, mount.memoryFolder])
      expect((await asNobody('ls', path)).stderr).toContain('Permission denied');
  });

  it('answers nobody but its owner, even where its socket is open to all', async () => {
    expect((await client(PYTHON, ['-c', TALK, socket])).stdout).toBe('100\n');
    expect((await asNobody(PYTHON, '-c', TALK, socket)).stdout).toBe('Permission denied\n');
    const folders = [socket, join(mount.folder, 'r', 'platefs'), join(mount.folder, 'r')];
    const modes = folders.map((path) => modeOf(path));
    try {
      for (const path of folders) chmodSync(path, 0o777);
      expect((await asNobody(PYTHON, '-c', TALK, socket)).stdout).toMatch(
        /^(0|Connection reset by peer|Broken pipe)\n$/,
      );
      expect((await client(PYTHON, ['-c', TALK, socket])).stdout).toBe('100\n');
    } finally {
      for (const [i, path] of folders.entries()) chmodSync(path, modes[i] ?? 0o700);
    }
  });

  it('shows nothing that links of the plate lead to outside of it', async () => {
    const shown = await mount.shell(
      'find . -follow 2>/dev/null | grep -E "secret|everything|shadow|passwd" || true',
    );
    expect(shown).toBe('');
  });

  it('gives what is made to who makes it, or to the group of a folder that says so', async () => {
    await using shared = await PlateMount.start({ args: ['-o', 'allow_other'] });
    await shared.shell('mkdir all team; chmod 1777 all; chgrp 5 team; chmod 2777 team');
    const script =
      'cd "$0"; echo x > all/f; mkdir all/d; echo x > team/f; mkdir team/d; stat -c "%u %g" all/f all/d team/f team/d; rm -rf all/*; echo z > images/new';
    const result = await asNobody('sh', '-c', script, shared.mountpoint);
    const { uid, gid } = PLAIN_USER;
    expect(result.stdout).toBe(`${uid} ${gid}\n${uid} ${gid}\n${uid} 5\n${uid} 5\n`);
    expect(result.stderr).toContain('Permission denied');
  });
});

describe.skipIf(problem)(`who was there first${note(problem)}`, () => {
  it('in /dev/shm gets nothing: a memory folder that another user made is refused', async () => {
    await using mount = await PlateMount.make();
    mkdirSync(mount.memoryFolder);
    try {
      chownSync(mount.memoryFolder, PLAIN_USER.uid, PLAIN_USER.gid);
      const refused = await mount.platefs(...mount.mountWords());
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('is not a private folder of yours');
    } finally {
      rmSync(mount.memoryFolder, { recursive: true, force: true });
    }
  });

  it('in the state folder is told: one of another user is refused, an open one is closed', async () => {
    await using mount = await PlateMount.make();
    mkdirSync(mount.state, { mode: 0o755 });
    chownSync(mount.state, PLAIN_USER.uid, PLAIN_USER.gid);
    const refused = await mount.platefs(...mount.mountWords());
    expect(refused.stderr).toContain('name another folder with --state');
    chownSync(mount.state, 0, 0);
    await mount.mount();
    expect(modeOf(mount.state)).toBe(0o700);
  });
});

describe.skipIf(plainProblem)(`a mount by a plain user${note(plainProblem)}`, () => {
  it('reads nothing that the user may not read', async () => {
    let locked = '';
    await using mount = await PlateMount.start({
      asPlainUser: true,
      prepare: (root, truth) => {
        locked = truth.planes[0]?.name ?? '';
        chmodSync(join(root, truth.planes[0]?.source ?? ''), 0o600);
        writeFileSync(join(root, 'notes.txt'), 'for root', { mode: 0o600 });
      },
    });
    const read = async (path: string) => await mount.run('cat', [mount.path(...path.split('/'))]);
    expect((await read(`images/${locked}`)).code).not.toBe(0);
    expect((await read('source/notes.txt')).stderr).toContain('Permission denied');
    expect((await mount.shell('ls images | wc -l')).trim()).not.toBe('0');
  });
});
