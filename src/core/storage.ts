import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { syncFileSystem } from './sync-file-system.ts';
import { writeOut } from './write-out.ts';

/**
 * The calls by which state and results are changed and made safe: all that the journal, written bytes, synced copies and
 * landings do to a disk. A test puts another one in its place, to fail at any call or to lose what was not synced.
 */
export interface Storage {
  /** open(2); `flags` as in node:fs. */
  open(path: string, flags: string | number, mode?: number): number;
  close(fd: number): void;
  /** pwrite(2), at the end where `offsetBytes` is null. @returns bytes written, fewer where the disk says so. */
  write(fd: number, data: Uint8Array, offsetBytes: number | null): number;
  truncate(fd: number, sizeBytes: number): void;
  /** fdatasync(2): the bytes and the length. */
  syncData(fd: number): void;
  /** Has the disk take the bytes, which may still be lost with the power, and waits for it. */
  writeOut(fd: number): void;
  /** fsync(2): names, of a folder. */
  sync(fd: number): void;
  /**
   * syncfs(2): everything of the file system that a file lies on, names included.
   * @returns whether that would have told of a write that failed since `fd` was opened; else each file has to be asked.
   */
  syncFileSystem(fd: number): boolean;
  /** mkdir(2): the folder above is there, and nothing has this name. */
  makeFolder(path: string): void;
  link(from: string, to: string): void;
  rename(from: string, to: string): void;
  /** Removes a file that may be gone already. */
  remove(path: string): void;
  /** Removes a folder with everything in it, which may be gone already. */
  removeTree(path: string): void;
}

const disk: Storage = {
  open: (path, flags, mode) => openSync(path, flags, mode),
  close: (fd) => closeSync(fd),
  write: (fd, data, offsetBytes) => writeSync(fd, data, 0, data.length, offsetBytes),
  truncate: (fd, sizeBytes) => ftruncateSync(fd, sizeBytes),
  syncData: (fd) => fdatasyncSync(fd),
  writeOut,
  sync: (fd) => fsyncSync(fd),
  syncFileSystem,
  makeFolder: (path) => void mkdirSync(path),
  link: (from, to) => linkSync(from, to),
  rename: (from, to) => renameSync(from, to),
  remove: (path) => rmSync(path, { force: true }),
  removeTree: (path) => rmSync(path, { recursive: true, force: true }),
};

/**
 * Environment variable of the daemon, for tests: `call:CODE:part:n:file`. The nth call of that name on a path that
 * contains `part` fails with CODE (`SHORT`: writes half) while the file exists; the file is removed first.
 */
const VARIABLE = 'PLATEFS_DISK_FAULT';

/** The storage in use. */
export let storage: Storage = failingBy(process.env[VARIABLE]);

/** Puts a storage in the place of the disk in this thread, for tests; undefined brings the disk back. */
export function useStorage(other: Storage | undefined): void {
  storage = other ?? disk;
}

function failingBy(wish: string | undefined): Storage {
  if (wish === undefined || wish === '') return disk;
  const [call = '', code = 'EIO', part = '', count = '1', file = ''] = wish.split(':');
  let left = Number(count);
  return failingStorage(disk, (name, path) => {
    if (name !== call || !existsSync(file) || !path().includes(part) || --left > 0) return undefined;
    left = Number(count);
    rmSync(file);
    return code;
  });
}

/** The calls that can be made to fail. */
export type FailingCall = Exclude<keyof Storage, 'close'>;

/**
 * A storage whose calls fail where `strike` says so.
 * @param strike told of each call and the path it is on; the code it fails with (`SHORT`: a write takes half), or undefined.
 */
export function failingStorage(
  inner: Storage,
  strike: (call: FailingCall, path: () => string) => string | undefined,
): Storage {
  const pathOf = (fd: number) => () => readlinkSync(`/proc/self/fd/${fd}`);
  const check = (call: FailingCall, path: () => string): void => {
    const code = strike(call, path);
    if (code !== undefined) throw systemError(call, code);
  };
  return {
    ...inner,
    open: (path, flags, mode) => {
      check('open', () => path);
      return inner.open(path, flags, mode);
    },
    write: (fd, data, offsetBytes) => {
      const code = strike('write', pathOf(fd));
      if (code === undefined) return inner.write(fd, data, offsetBytes);
      if (code !== 'SHORT') throw systemError('write', code);
      return inner.write(fd, data.subarray(0, Math.ceil(data.length / 2)), offsetBytes);
    },
    truncate: (fd, sizeBytes) => {
      check('truncate', pathOf(fd));
      inner.truncate(fd, sizeBytes);
    },
    syncData: (fd) => {
      check('syncData', pathOf(fd));
      inner.syncData(fd);
    },
    writeOut: (fd) => {
      check('writeOut', pathOf(fd));
      inner.writeOut(fd);
    },
    sync: (fd) => {
      check('sync', pathOf(fd));
      inner.sync(fd);
    },
    syncFileSystem: (fd) => {
      check('syncFileSystem', pathOf(fd));
      return inner.syncFileSystem(fd);
    },
    makeFolder: (path) => {
      check('makeFolder', () => path);
      inner.makeFolder(path);
    },
    link: (from, to) => {
      check('link', () => to);
      inner.link(from, to);
    },
    rename: (from, to) => {
      check('rename', () => from);
      inner.rename(from, to);
    },
    remove: (path) => {
      check('remove', () => path);
      inner.remove(path);
    },
    removeTree: (path) => {
      check('removeTree', () => path);
      inner.removeTree(path);
    },
  };
}

/** An error as node:fs throws them. */
export function systemError(call: string, code: string): Error {
  const errno = constants.errno[code as keyof typeof constants.errno] ?? constants.errno.EIO;
  return Object.assign(new Error(`${code}: ${call}`), { code, errno: -errno, syscall: call });
}

/** Makes what a file holds survive power loss. @throws the system's error: then it is not to be believed safe. */
export function syncFile(path: string): void {
  const fd = storage.open(path, 'r');
  try {
    storage.syncData(fd);
  } finally {
    storage.close(fd);
  }
}

/** Makes the names in the folder of a path survive power loss. */
export function syncFolderOf(path: string): void {
  const fd = storage.open(dirname(path), 'r');
  try {
    storage.sync(fd);
  } finally {
    storage.close(fd);
  }
}
