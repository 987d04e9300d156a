/**
 * FUSE's numbers. Source of every constant and layout in this room: Linux include/uapi/linux/fuse.h
 * (dual-licensed GPL-2.0 WITH Linux-syscall-note / BSD-2-Clause), protocol 7.31 (Linux 5.4) to 7.45
 * (Linux 6.18). Integers are in the machine's byte order; every machine Node runs Linux on is little-endian.
 */
export const FUSE_MAJOR = 7;
/** The oldest protocol this room speaks: Linux 5.4, the first with every flag the file system relies on. */
export const OLDEST_MINOR = 31;
/** The newest protocol this room knows; a newer kernel speaks this one with us. */
export const NEWEST_MINOR = 45;

/** enum fuse_opcode. */
export const OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

/** enum fuse_notify_code; sent in the error field of an out header whose unique is 0. */
export const NOTIFY = {
  INVAL_INODE: 2,
  INVAL_ENTRY: 3,
  STORE: 4,
  DELETE: 6,
  RESEND: 7,
} as const;

/** INIT flags, the lower 32 bits. */
export const INIT = {
  ASYNC_READ: 1 << 0,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  EXPLICIT_INVAL_DATA: 1 << 25,
  /** Without it the kernel asks for `security.capability` before every write. */
  HANDLE_KILLPRIV_V2: 1 << 28,
  /** `flags2` counts (7.36). */
  INIT_EXT: 1 << 30,
} as const;

/** INIT flags, bits 32 to 63, as they stand in `flags2`. */
export const INIT2 = {
  /** 7.40, Linux 6.9. */
  PASSTHROUGH: 1 << 5,
  /** 7.40, Linux 6.9: lost requests can be asked for again; bit 63 of their unique is set. */
  HAS_RESEND: 1 << 7,
} as const;

/** FOPEN_*: what OPEN, CREATE and OPENDIR answer. */
export const FOPEN = {
  /** Bypass the page cache for this open. */
  DIRECT_IO: 1 << 0,
  /** Keep what the page cache has of this file. */
  KEEP_CACHE: 1 << 1,
  NONSEEKABLE: 1 << 2,
  /** The kernel may keep this directory's listing. */
  CACHE_DIR: 1 << 3,
  STREAM: 1 << 4,
  /** No FLUSH on close(2). */
  NOFLUSH: 1 << 5,
  PARALLEL_DIRECT_WRITES: 1 << 6,
  /** Reads and writes go to the backing file without the daemon. One mode per node at a time. */
  PASSTHROUGH: 1 << 7,
} as const;

/** FATTR_*: what a SETATTR changes. */
export const FATTR = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  CTIME: 1 << 10,
  KILL_SUIDGID: 1 << 11,
} as const;

/** Bit of a WRITE's `write_flags`: FUSE_WRITE_KILL_SUIDGID. */
export const WRITE_KILL_SUIDGID = 1 << 2;
/** Bit of an OPEN's `open_flags`: FUSE_OPEN_KILL_SUIDGID. */
export const OPEN_KILL_SUIDGID = 1 << 0;

export const FSYNC_FDATASYNC = 1 << 0;

/** Bit 31 of a unique's upper half: FUSE_UNIQUE_RESEND, 1 << 63. */
export const UNIQUE_RESEND_HIGH = 0x8000_0000;

/** Bytes of the structures on the wire. */
export const SIZE = {
  IN_HEADER: 40,
  OUT_HEADER: 16,
  WRITE_IN: 40,
  INIT_OUT: 64,
  ATTR: 88,
  ENTRY_OUT: 128,
  ATTR_OUT: 104,
  OPEN_OUT: 16,
  WRITE_OUT: 8,
  STATFS_OUT: 80,
  XATTR_OUT: 8,
  LSEEK_OUT: 8,
  DIRENT: 24,
  DIRENTPLUS: 152,
  FORGET_ONE: 16,
} as const;

/** Largest WRITE the session agrees to. */
export const MAX_WRITE_BYTES = 1 << 20;
/** {@link MAX_WRITE_BYTES} in 4 KiB pages. */
export const MAX_PAGES = 256;
/**
 * Largest READ, by the mount option max_read: with its header it fits a pipe of 1 MiB, the most a plain user may
 * have, wherever in their pages up to seven pieces begin and end.
 */
export const MAX_READ_BYTES = 240 * 4096;
