import { closeSync, fsyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as syscalls from '../../../src/fuse/syscalls.ts';

describe.skipIf(process.platform !== 'linux')('system calls', () => {
  let folder: string;
  let path: string;
  let fd: number;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'platefs-syscalls-'));
    path = join(folder, 'file');
    writeFileSync(path, Buffer.alloc(1 << 20, 'plate'));
    fd = openSync(path, 'r+');
    fsyncSync(fd);
  });
  afterAll(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });

  it('read what is cached, into the middle of a buffer, or say that it is not', () => {
    const memory = new SharedArrayBuffer(8192);
    const into = new Uint8Array(memory, 100, 4096);
    const bytes = syscalls.readCached(fd, into, 5);
    if (bytes !== undefined)
      expect([...into.subarray(0, bytes)]).toEqual([...readFileSync(path).subarray(5, 5 + bytes)]);
    expect(new Uint8Array(memory)[99]).toBe(0);
    expect([0, undefined]).toContain(syscalls.readCached(fd, into, 1 << 21));
    expect(() => syscalls.readCached(999, into, 0)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  it('lock against another open of the same file', () => {
    const other = openSync(path, 'r');
    try {
      expect(syscalls.lockExclusively(fd)).toBe(true);
      expect(syscalls.lockExclusively(other)).toBe(false);
    } finally {
      closeSync(other);
    }
  });

  it('punch holes and find them', () => {
    syscalls.fallocate(fd, 3, 65_536, 65_536);
    expect(syscalls.seek(fd, 0, syscalls.SEEK_HOLE)).toBe(65_536);
    expect(syscalls.seek(fd, 65_536, syscalls.SEEK_DATA)).toBe(131_072);
    expect(() => syscalls.seek(fd, 1 << 22, syscalls.SEEK_DATA)).toThrow(
      expect.objectContaining({ code: 'ENXIO' }),
    );
  });

  it('copy within the kernel and rename without replacing', () => {
    const to = join(folder, 'to');
    const toFd = openSync(to, 'w');
    expect(syscalls.copyFileRange(fd, 0, toFd, 10, 4096)).toBe(4096);
    closeSync(toFd);
    expect(readFileSync(to).subarray(10, 15).toString()).toBe('plate');
    expect(() => syscalls.renameWithFlags(to, path, 1)).toThrow(
      expect.objectContaining({ code: 'EEXIST', errno: -17 }),
    );
  });

  it('receive no descriptor from a socket that closes', () => {
    const [ours, theirs] = syscalls.socketPair();
    closeSync(theirs);
    expect(syscalls.receiveDescriptor(ours)).toBeUndefined();
    closeSync(ours);
  });
});
