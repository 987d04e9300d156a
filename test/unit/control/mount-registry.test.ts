import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MountEntry, MountRegistry } from '../../../src/control/mount-registry.ts';
import { processStartTicks } from '../../../src/control/process-identity.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-registry-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function entry(mountpoint: string, supervisorPid = process.pid): MountEntry {
  return {
    mountpoint,
    source: '/data/plate1',
    pid: supervisorPid,
    supervisorPid,
    socket: '/x.sock',
    output: '/o',
    state: '/s',
    startedAt: '2026-01-01T00:00:00Z',
  };
}

describe('list of mounts', () => {
  it('holds what was added, by mountpoint, until it is removed', () => {
    const registry = new MountRegistry(join(folder, 'deep', 'platefs'));
    registry.add(entry('/mnt/b ü\n'));
    registry.add(entry('/mnt/a'));
    expect(registry.list().map(({ mountpoint }) => mountpoint)).toEqual(['/mnt/a', '/mnt/b ü\n']);
    expect(registry.find('/mnt/a')).toMatchObject({ ...entry('/mnt/a'), isAlive: true });
    registry.remove('/mnt/a');
    registry.remove('/mnt/never');
    expect(registry.find('/mnt/a')).toBeUndefined();
    expect(registry.list()).toHaveLength(1);
    expect(registry.socketPath('/mnt/a').length).toBeLessThan(108);
  });

  it('knows whether the supervisor lives, also when its number is taken again', async () => {
    const registry = new MountRegistry(folder);
    const child = spawn('sleep', ['60']);
    registry.add(entry('/mnt/a', child.pid));
    expect(registry.find('/mnt/a')?.isAlive).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(registry.find('/mnt/a')?.isAlive).toBe(false);

    registry.add(entry('/mnt/b'));
    const file = readdirSync(folder)
      .map((name) => join(folder, name))
      .find((path) => readFileSync(path, 'utf8').includes('/mnt/b'));
    const stored = JSON.parse(readFileSync(file ?? '', 'utf8'));
    writeFileSync(file ?? '', JSON.stringify({ ...stored, supervisorStartTicks: 1, startTicks: 1 }));
    expect(registry.find('/mnt/b')?.isAlive).toBe(false);
  });

  it('leaves damaged entries out', () => {
    const registry = new MountRegistry(folder);
    registry.add(entry('/mnt/a'));
    for (const [index, text] of ['', '{', 'null', '[]', '{"mountpoint":5}'].entries())
      writeFileSync(join(folder, `${index}.json`), text);
    expect(registry.list().map(({ mountpoint }) => mountpoint)).toEqual(['/mnt/a']);
  });

  it('refuses a folder that others could have prepared', () => {
    const open = join(folder, 'open');
    new MountRegistry(open);
    chmodSync(open, 0o755);
    expect(() => new MountRegistry(open)).toThrow('is not a private folder of yours');
    symlinkSync(folder, join(folder, 'link'));
    expect(() => new MountRegistry(join(folder, 'link'))).toThrow('is not a private folder of yours');
  });
});

describe('process identity', () => {
  it('is stable for a living process and absent for none', () => {
    expect(processStartTicks(process.pid)).toBeGreaterThan(0);
    expect(processStartTicks(process.pid)).toBe(processStartTicks(process.pid));
    expect(processStartTicks(2 ** 30)).toBeUndefined();
  });
});
