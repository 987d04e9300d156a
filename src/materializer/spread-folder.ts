import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

type FlagsCall = (descriptor: number, request: bigint, flags: Int32Array) => number;

/** `FS_IOC_GETFLAGS`, `FS_IOC_SETFLAGS` and `FS_TOPDIR_FL` of linux/fs.h, on 64-bit machines. */
const GET_FLAGS = 0x80086601n;
const SET_FLAGS = 0x40086602n;
const TOP_OF_HIERARCHIES = 0x00020000;

/**
 * Tells ext4 that the folders made in `path` have nothing to do with one another (chattr(1), attribute T), so that
 * each gets a part of the disk of its own. Without it all new files go where the old ones were, and there ext4 steps
 * over every inode that was deleted in the last minutes, one by one, for each new file. Elsewhere it does nothing.
 */
export function spreadFolders(path: string): void {
  if (process.platform !== 'linux') return;
  let call: FlagsCall;
  try {
    call = koffi.load(null).func('int ioctl(int fd, unsigned long request, _Inout_ int *flags)') as FlagsCall;
  } catch {
    // No such symbol in this C library: files are made where the system puts them.
    return;
  }
  const descriptor = openSync(path, 'r');
  try {
    const flags = new Int32Array(1);
    if (call(descriptor, GET_FLAGS, flags) !== 0) return;
    flags[0] = (flags[0] ?? 0) | TOP_OF_HIERARCHIES;
    // A file system that has no such attribute refuses, and loses nothing.
    call(descriptor, SET_FLAGS, flags);
  } finally {
    closeSync(descriptor);
  }
}
