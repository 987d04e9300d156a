import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../../src/cli/command-line.ts';
import { allCommands, COMMAND_NAMES } from '../../../src/cli/commands.ts';
import { ControlServer } from '../../../src/control/control-server.ts';
import type { StatusDocument } from '../../../src/control/documents.ts';
import { MountRegistry } from '../../../src/control/mount-registry.ts';
import { peerUserId } from '../../../src/fuse/syscalls.ts';
import { asPlainUser } from '../../fixtures/plain-user.ts';

let folder = '';
const saved = { ...process.env };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-cli-'));
  for (const [name, sub] of [
    ['XDG_RUNTIME_DIR', 'run'],
    ['XDG_STATE_HOME', 'state'],
    ['XDG_CACHE_HOME', 'cache'],
  ] as const)
    process.env[name] = join(folder, sub);
});
afterEach(() => {
  process.env = { ...saved };
  // A supervisor that was started ahead and is not wanted may still be on its way out.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

async function run(...argv: string[]) {
  let stdout = '';
  let stderr = '';
  const status = await runCommandLine(argv, {
    version: '1.2.3',
    signal: new AbortController().signal,
    out: { write: (text) => (stdout += text) },
    err: { write: (text) => (stderr += text) },
  });
  return { status, stdout, stderr: stderr.replaceAll(folder, '$F') };
}

const make = (...parts: string[]): string => {
  const path = join(folder, ...parts);
  mkdirSync(path, { recursive: true });
  return path;
};

describe('usage', () => {
  it('of every command begins with the name it is found by', async () => {
    expect((await allCommands()).map(({ usage }) => usage.split(' ')[0])).toEqual(COMMAND_NAMES);
  });

  it.each([
    [[], 'command line: name a command; see  platefs --help'],
    [['mont'], "mont: unknown command; did you mean 'mount'?"],
    [['frobnicate'], `frobnicate: unknown command; known: ${COMMAND_NAMES.join(', ')}`],
    [['umount'], 'command line: something is missing; write  platefs umount <mountpoint>'],
    [['umount', 'a', 'b'], 'b: is one word too many; see  platefs umount --help'],
    [['status', '--josn'], '--josn: unknown option; see  platefs status --help'],
    [['mount', 'p', 'm', '-x'], '-x: unknown option; see  platefs mount --help'],
    [['umount', 'a', '--timeout', '0'], '--timeout: must be a number of seconds above 0'],
    [
      ['mount', 'p', 'm', '-o', 'ro,alow_other'],
      "-o alow_other: unknown option; did you mean 'allow_other'?",
    ],
    [['mount', 'p', 'm', '--budget', 'lots'], "--budget: 'lots' is no size; write it like 512MiB or 2GiB"],
  ])('%j is a usage error', async (argv, message) => {
    expect(await run(...argv)).toEqual({ status: 2, stdout: '', stderr: `platefs: ${message}\n` });
  });

  it('helps and tells its version', async () => {
    expect(await run('--version')).toEqual({ status: 0, stdout: '1.2.3\n', stderr: '' });
    const help = await run('--help');
    expect(help.status).toBe(0);
    for (const name of [
      'mount',
      'umount',
      'status',
      'inspect',
      'flush',
      'pin',
      'warm',
      'drop',
      'export-mapping',
      'doctor',
    ])
      expect(help.stdout).toContain(`platefs ${name}`);
    expect((await run('mount', '--help')).stdout).toContain('--foreground');
  });

  it('prints errors as one JSON document', async () => {
    const { status, stdout, stderr } = await run('--json', 'mont');
    expect(status).toBe(2);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      error: { tag: 'bad-parameter', message: "mont: unknown command; did you mean 'mount'?" },
    });
    expect(JSON.parse((await run('umount', '/nowhere', '--json')).stdout)).toEqual({
      error: {
        tag: 'not-running',
        message: 'nothing is mounted at /nowhere',
        advice: "see 'platefs status'",
      },
    });
  });
});

describe('mount refuses', () => {
  it.each([
    [
      'a plate that is not there',
      'none',
      'm',
      '$F/none: there is no such file or folder (check the spelling of the path)',
    ],
    [
      'a file of no known kind',
      'file',
      'm',
      '$F/file is not a plate: it is a file of no kind that is known by its name (name the folder that holds the plate, an HDF5 file, a zipped Zarr store or a TIFF)',
    ],
    ['an empty folder', 'empty', 'm', '$F/empty is empty (name the folder that holds the images)'],
    ['a missing mountpoint', 'p', 'none', 'mountpoint $F/none does not exist (make it:  mkdir -p $F/none)'],
    ['a file as mountpoint', 'p', 'file', 'mountpoint $F/file is not a folder (name an empty folder)'],
    [
      'a mountpoint with files',
      'p',
      'full',
      'mountpoint $F/full is not empty (x) (name an empty folder, so that nothing of yours is hidden)',
    ],
    [
      'a mountpoint inside the plate',
      'p',
      'p/sub',
      'mountpoint $F/p/sub and $F/p lie inside each other (name a mountpoint elsewhere)',
    ],
  ])('%s', async (_, plate, mountpoint, message) => {
    make('p', 'sub');
    make('m');
    make('empty');
    make('full');
    writeFileSync(join(folder, 'full', 'x'), '');
    writeFileSync(join(folder, 'file'), '');
    writeFileSync(join(folder, 'p', 'notes.txt'), 'x');
    const outcome = await run('mount', join(folder, plate), join(folder, mountpoint));
    expect(outcome).toEqual({ status: 1, stdout: '', stderr: `platefs: ${message}\n` });
  });

  it('a mountpoint in use', async () => {
    make('p');
    const outcome = await run('mount', join(folder, 'p'), '/proc');
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toBe(
      'platefs: mountpoint /proc is in use by a mount of proc (proc) (name another folder)\n',
    );
  });

  it('no mountpoint at all', async () => {
    const outcome = await run('mount', make('p'));
    expect(outcome.stderr).toBe('platefs: MOUNTPOINT: is missing; write  platefs mount PLATE MOUNTPOINT\n');
    expect(outcome.status).toBe(2);
  });

  it('results or state inside the plate or the mountpoint', async () => {
    const [plate, mountpoint] = [make('p'), make('m')];
    const inPlate = await run('mount', plate, mountpoint, '--output', join(plate, 'out'));
    expect(inPlate.stderr).toBe(
      'platefs: --output: $F/p/out lies inside $F/p, which is never written to; name a folder elsewhere\n',
    );
    const inMount = await run('mount', plate, mountpoint, '-o', `state=${mountpoint}/s`);
    expect(inMount.stderr).toBe(
      'platefs: --state: $F/m/s lies inside the mountpoint; name a folder elsewhere\n',
    );
    symlinkSync(plate, join(folder, 'link'));
    const byLink = await run('mount', join(folder, 'link'), mountpoint, '--output', `${plate}/out`);
    expect(byLink.status).toBe(2);
  });

  it('a folder that may not be read', async () => {
    const plate = make('p');
    const mountpoint = make('m');
    chmodSync(plate, 0);
    chmodSync(folder, 0o777);
    const outcome = await asPlainUser(() => run('mount', plate, mountpoint));
    chmodSync(plate, 0o700);
    expect(outcome.stderr).toContain('you may not read it');
  });

  it('a definition with faults, naming file and line', async () => {
    const file = join(folder, 'x.yaml');
    writeFileSync(file, 'source: ./p\nbugdet: 2G\n');
    expect(await run('mount', file)).toEqual({
      status: 2,
      stdout: '',
      stderr: "platefs: $F/x.yaml:2: unknown key 'bugdet'; did you mean 'budget'?\n",
    });
  });
});

function statusOf(mountpoint: string): StatusDocument {
  return {
    pid: process.pid,
    mountpoint,
    source: '/data/plate1',
    plate: { name: 'plate1', format: 'ImageXpress' },
    planes: 1536,
    warnings: 2,
    memory: {
      budgetBytes: 1024 ** 3,
      lowMarkBytes: 512 * 1024 ** 2,
      highMarkBytes: 800 * 1024 ** 2,
      usedBytes: 4 * 1024 ** 2,
      closedFilesBytes: 2 * 1024 ** 2,
      openFilesBytes: 1024 ** 2,
      decodedBytes: 1024 ** 2,
      decodedBoundBytes: 128 * 1024 ** 2,
      workingBytes: 0,
      pinnedBytes: 0,
      hotBytes: 0,
      isTight: true,
      reasons: ['only 100 MiB of memory are available'],
      lastReclaim: {
        at: '2026-01-01T00:00:01Z',
        reasons: ['only 100 MiB of memory are available'],
        steps: [
          { rung: 1, kind: 'shrink-decoded', freedBytes: 64 * 1024 ** 2 },
          { rung: 2, kind: 'land-sealed', freedBytes: 5 * 1024 ** 2 },
        ],
      },
    },
    pins: { files: 0, sizeBytes: 0, paths: [] },
    hot: null,
    coldCache: null,
    waiting: { files: 4, sizeBytes: 5 * 1024 ** 2 },
    hooks: { running: 1, waiting: 2, failed: 3 },
    registry: '/run/user/1000/platefs',
    output: '/data/out',
    state: '/s',
    resumedCount: 1,
    startedAt: '2026-01-01T00:00:00Z',
  };
}

describe('a running mount', () => {
  /** A mount as the commands see it: an entry of the list and a socket that answers. */
  async function pretend(supervisorPid = process.pid) {
    const registry = new MountRegistry(join(folder, 'run', 'platefs'));
    const mountpoint = make('mnt');
    const socket = registry.socketPath(mountpoint);
    const times = { source: '/data/plate1', startedAt: '2026-01-01T00:00:00Z' };
    registry.add({
      mountpoint,
      pid: supervisorPid,
      supervisorPid,
      socket,
      output: '/data/out',
      state: '/s',
      ...times,
    });
    const server = await ControlServer.listen({
      peerUserId,
      socketPath: socket,
      methods: {
        status: async () => statusOf(mountpoint),
        flush: async (_, { progress }) => {
          progress({ filesDone: 3, filesTotal: 40, leftBytes: 120 * 1024 ** 2 });
          return { files: 40, sizeBytes: 2 ** 30, kept: [] };
        },
        drain: async () => {
          registry.remove(mountpoint);
          return { files: 2, sizeBytes: 10, kept: [{ path: 'a.tif', reason: 'disk full' }] };
        },
      },
    });
    return { mountpoint, server };
  }

  it('tells its state, for people and for programs', async () => {
    const { mountpoint, server } = await pretend();
    await using _ = server;
    const human = await run('status', mountpoint);
    expect(human.status).toBe(0);
    for (const part of [
      'planes    1536, 2 remarks',
      'memory    4 MiB of 1 GiB: closed files 2 MiB, open files 1 MiB, decoded pixels 1 MiB',
      'TIGHT: only 100 MiB of memory are available',
      'last freed 2026-01-01T00:00:01Z: decoded pixels 64 MiB, landed 5 MiB',
      'waiting   4 files (5 MiB) to land in /data/out',
      'hooks     1 running, 2 waiting, 3 FAILED',
      'resumed 1 times',
    ])
      expect(human.stdout).toContain(part);
    const json = JSON.parse((await run('status', '--json')).stdout);
    expect(json.mounts).toEqual([
      { mountpoint, source: '/data/plate1', state: 'running', status: statusOf(mountpoint) },
    ]);
    expect((await run('flush', `${mountpoint}/`)).stdout).toBe('40 files (1 GiB) landed in /data/out\n');
  });

  it('is written out and gone after umount; what could not land is listed', async () => {
    const { mountpoint, server } = await pretend();
    await using _ = server;
    const outcome = await run('umount', mountpoint);
    expect(outcome.status).toBe(3);
    expect(outcome.stdout).toContain('2 written files are in /data/out');
    expect(outcome.stdout).toContain('1 files are kept in /s for the next mount:\n  a.tif: disk full');
    expect((await run('umount', mountpoint)).stderr).toContain('nothing is mounted at $F/mnt');
  });

  it('that died is shown as such, and tidied up by umount', async () => {
    const { mountpoint, server } = await pretend(2 ** 22 + 1);
    await server.close();
    expect((await run('status')).stdout).toContain('its PlateFS is gone');
    const flush = await run('flush', mountpoint);
    expect(flush.status).toBe(1);
    expect(flush.stderr).toContain(
      `the PlateFS that served $F/mnt is gone (tidy up with  platefs umount $F/mnt`,
    );
    expect(await run('umount', mountpoint)).toMatchObject({ status: 0 });
    expect(JSON.parse((await run('status', '--json')).stdout).mounts).toEqual([]);
  });

  it('that keeps silent is shown as such', async () => {
    const { mountpoint, server } = await pretend();
    await server.close();
    const outcome = await run('status', mountpoint);
    expect(outcome.status).toBe(1);
    expect(outcome.stdout).toContain('no PlateFS answers');
  });

  it('is not taken for what another program mounted', async () => {
    expect((await run('umount', '/proc')).stderr).toBe(
      'platefs: mountpoint /proc is a mount of proc (proc), not of PlateFS (use umount)\n',
    );
  });
});
