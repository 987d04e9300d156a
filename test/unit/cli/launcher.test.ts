import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
/** Debian's user and group `nobody`. */
const NOBODY = 65534;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs launcher '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function launch(
  program: string,
  args: readonly string[],
  options: Parameters<typeof spawnSync>[2] = {},
): Outcome {
  const { status, stdout, stderr } = spawnSync(program, args, {
    env: { PATH: '/usr/bin:/bin', HOME: folder },
    ...options,
    encoding: 'utf8',
  });
  return { status, stdout: String(stdout), stderr: String(stderr) };
}

/** A checkout whose path holds blanks, sharing the packages. */
function checkout(name: string, parts = ['bin', 'src', 'package.json']): string {
  const root = join(folder, name);
  mkdirSync(root);
  for (const part of parts) cpSync(join(ROOT, part), join(root, part), { recursive: true });
  return root;
}

const VERSION = expect.stringMatching(/^\d+\.\d+\.\d+\n$/);

describe('bin/platefs', () => {
  it('runs from any folder, and through links to links', () => {
    symlinkSync(join(ROOT, 'bin/platefs'), join(folder, 'first link'));
    symlinkSync('first link', join(folder, 'platefs'));
    const direct = launch(join(ROOT, 'bin/platefs'), ['--version'], { cwd: '/' });
    expect(direct).toEqual({ status: 0, stdout: VERSION, stderr: '' });
    expect(launch(join(folder, 'platefs'), ['--version'], { cwd: '/' })).toEqual(direct);
    expect(launch('./platefs', ['--version'], { cwd: folder })).toEqual(direct);
    expect(
      launch('platefs', ['--version'], { cwd: '/', env: { PATH: `${folder}:/usr/bin:/bin`, HOME: folder } }),
    ).toEqual(direct);
    expect(launch('/bin/sh', ['platefs', '--version'], { cwd: join(ROOT, 'bin') })).toEqual(direct);
  });

  it('runs in a checkout whose path holds blanks, and keeps blanks in arguments', () => {
    const root = checkout('my checkout');
    symlinkSync(realpathSync(join(ROOT, 'node_modules')), join(root, 'node_modules'));
    expect(launch(join(root, 'bin/platefs'), ['--version'], { cwd: root })).toMatchObject({
      status: 0,
      stderr: '',
    });
    const missing = launch(join(root, 'bin/platefs'), ['inspect', '/no such  plate'], { cwd: '/' });
    expect(missing.stderr).toBe(
      'platefs: /no such  plate: there is no such file or folder (check the spelling of the path)\n',
    );
    expect(missing.status).toBe(1);
  });

  it('says what to do when packages or Node are missing', () => {
    const root = checkout('bare');
    const bin = join(root, 'fake bin');
    mkdirSync(bin);
    const oldNode = join(bin, 'node');
    writeFileSync(oldNode, '#!/bin/sh\necho v20.19.2\n', { mode: 0o755 });
    const old = launch(join(root, 'bin/platefs'), [], { env: { PATH: `${bin}:/usr/bin:/bin` } });
    expect(old.status).toBe(1);
    expect(old.stderr).toBe(
      `platefs: Node 24 or later is needed and v20.19.2 was found; run 'npm ci' in ${realpathSync(root)}\n`,
    );
    writeFileSync(oldNode, '#!/bin/sh\necho v24.1.0\n', { mode: 0o755 });
    expect(launch(join(root, 'bin/platefs'), [], { env: { PATH: `${bin}:/usr/bin:/bin` } }).stderr).toBe(
      `platefs: its packages are not installed; run 'npm ci' in ${realpathSync(root)}\n`,
    );
    writeFileSync(oldNode, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    expect(launch(join(root, 'bin/platefs'), [], { env: { PATH: `${bin}:/usr/bin:/bin` } }).stderr).toContain(
      'none was found',
    );
  });

  it('runs as a plain user without a home in a checkout of root', ({ skip }) => {
    if (process.getuid?.() !== 0) skip('needs root to become another user');
    try {
      execFileSync('setpriv', [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        'test',
        '-x',
        join(ROOT, 'bin/platefs'),
      ]);
    } catch {
      skip('another user cannot reach this checkout');
    }
    const outcome = launch(join(ROOT, 'bin/platefs'), ['--version'], {
      uid: NOBODY,
      gid: NOBODY,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
    });
    expect(outcome).toEqual({ status: 0, stdout: VERSION, stderr: '' });
  });

  it('is executable', () => {
    expect(() => accessSync(join(ROOT, 'bin/platefs'), constants.X_OK)).not.toThrow();
  });
});
