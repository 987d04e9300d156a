import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execPath } from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountFuse } from '../../src/fuse/mount.ts';
import { mountAt } from '../../src/fuse/mount-table.ts';
import { unmountFuse } from '../../src/fuse/unmount.ts';
import { client, eventually, mountProblem, plainUserProblem, succeed, TestMount } from './harness.ts';

const isRoot = process.geteuid?.() === 0;
const MOUNT_MODULE = resolve(import.meta.dirname, '../../src/fuse/mount.ts');

describe.skipIf(mountProblem() !== undefined)('mountpoint', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'platefs-point-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const request = (mountpoint: string) => ({ mountpoint, sourceLabel: 'test', allowOther: false });

  it('refuses what will not do, and says what to do', () => {
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'full'));
    writeFileSync(join(folder, 'full', 'precious'), '');
    expect(() => mountFuse(request(join(folder, 'missing')))).toThrow(
      expect.objectContaining({ tag: 'bad-mountpoint', advice: expect.stringContaining('mkdir -p') }),
    );
    expect(() => mountFuse(request(join(folder, 'file')))).toThrow(/is not a folder/);
    expect(() => mountFuse(request(join(folder, 'file', 'x')))).toThrow(/does not exist/);
    expect(() => mountFuse(request(join(folder, 'full')))).toThrow(/is not empty/);
  });

  it('refuses a second mount and passes links', async () => {
    const mount = await TestMount.start();
    try {
      symlinkSync(mount.mountpoint, join(folder, 'link'));
      expect(() => mountFuse(request(join(folder, 'link')))).toThrow(
        expect.objectContaining({
          tag: 'bad-mountpoint',
          message: expect.stringContaining('is already a mount (fuse.platefs, platefs#test'),
          advice: expect.stringContaining('platefs umount'),
        }),
      );
    } finally {
      await mount.stop();
    }
  });

  it('mends a mount whose daemon and supervisor died', async () => {
    const dead = await TestMount.start({ mountpoint: folder });
    const daemon = await dead.daemonPid();
    dead.supervisor.kill('SIGKILL');
    process.kill(daemon, 'SIGKILL');
    try {
      await eventually('the mount is dead', async () =>
        /not connected/.test((await client('ls', [folder])).stderr),
      );
      const next = await TestMount.start({ mountpoint: folder });
      expect(next.find('mounted')).toMatchObject({ mended: 1 });
      await succeed('touch', [join(folder, 'works')]);
      expect(await next.stop()).toBe(0);
    } finally {
      await dead.stop();
    }
  });

  it.skipIf(!isRoot)('mounts by the program mount where no system call can be made', async () => {
    const script = `
      const { mountFuse } = await import(${JSON.stringify(MOUNT_MODULE)});
      const mounted = mountFuse({ mountpoint: process.argv[1], sourceLabel: 'by, program', allowOther: true, route: 'mount(8)' });
      console.log(JSON.stringify(mounted));`;
    const out = await client(execPath, ['--input-type=module', '-e', script, folder]);
    expect(out).toMatchObject({ code: 0 });
    expect(JSON.parse(out.stdout)).toMatchObject({ route: 'mount(8)', privileged: true, mountpoint: folder });
    expect(mountAt(folder)).toMatchObject({ source: 'platefs#by, program', type: 'fuse.platefs' });
    expect(unmountFuse(folder)).toBe('unmounted');
    expect(unmountFuse(folder)).toBe('not-mounted');
  });

  it.skipIf(plainUserProblem() !== undefined || !isRoot)('tells a plain user why', async () => {
    const script = `
      const { mountFuse } = await import(${JSON.stringify(MOUNT_MODULE)});
      try { mountFuse({ mountpoint: process.argv[1], sourceLabel: 'x', allowOther: process.argv[2] === 'yes' }); }
      catch (error) { console.log(JSON.stringify({ tag: error.tag, message: error.message, advice: error.advice })); }`;
    const run = async (allowOther: string, path: string, environment: string[] = []): Promise<unknown> => {
      const out = await client(
        'env',
        [...environment, execPath, '--input-type=module', '-e', script, path, allowOther],
        {
          asPlainUser: true,
        },
      );
      return JSON.parse(out.stdout);
    };
    await succeed('chmod', ['755', folder]);
    expect(await run('no', folder)).toMatchObject({
      tag: 'bad-mountpoint',
      message: expect.stringContaining('not yours'),
    });
    await succeed('chmod', ['777', folder]);
    expect(await run('no', folder, ['PATH=/nonexistent'])).toMatchObject({
      tag: 'fuse-unavailable',
      advice: expect.stringContaining('apt install fuse3'),
    });
    const conf = await client('grep', ['-qx', 'user_allow_other', '/etc/fuse.conf']);
    if (conf.code !== 0)
      expect(await run('yes', folder)).toMatchObject({
        tag: 'fuse-unavailable',
        advice: expect.stringContaining('user_allow_other'),
      });
  });
});
