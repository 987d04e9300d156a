/** File-type bits of st_mode; <linux/stat.h>. */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;

/** The overlay's node numbers: from here on, below {@link BEYOND_OVERLAY_INODES}. All others are the tree's. */
export const FIRST_OVERLAY_INODE = 2 ** 45;
const BEYOND_OVERLAY_INODES = 2 ** 46;

/** Whether a node number is the overlay's own, not the tree's. */
export const isOverlayNode = (node: number): boolean =>
  node >= FIRST_OVERLAY_INODE && node < BEYOND_OVERLAY_INODES;

/** A place in the mount: a directory's node number and a name in it. */
export interface Place {
  readonly parent: number;
  readonly name: string;
}

/**
 * A landed file's place on disk; what it says is the materializer's business, but for `id`: records with the same
 * id are of the same bytes in the same place.
 */
export type LandingRecord = Readonly<Record<string, unknown>>;

/** Bytes that are safe in the output folder. */
export interface LandedBytes {
  readonly record: LandingRecord;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
}

/** A landing that no file needs any more, to be removed from the output folder. */
export interface Abandoned {
  /** Names it until it is removed. */
  readonly id: number;
  readonly record: LandingRecord;
  /** The later landing of the same file; none when the file is gone. */
  readonly successor?: LandingRecord;
}

/**
 * Something that was written: a file, directory, symlink or special file. A file is *open* while a program may
 * write it, *sealed* from its last close on, *landed* once its bytes are safe in the output folder and its
 * memory is free. Writing to it makes it open again, with the next version.
 */
export interface OverlayInode {
  readonly number: number;
  /** st_mode: type and permission bits. */
  mode: number;
  uid: number;
  gid: number;
  rdev: number;
  /**
   * Where it hangs: the first of its names, under which it lands. Undefined while it has none: once it was unlinked,
   * or before it was named (it lives while somebody has it open).
   */
  place: Place | undefined;
  /** The further names of a file that has several. */
  otherNames: Place[] | undefined;
  /** A symlink's target. */
  target: string | undefined;
  /** Path that the tree gives the file this began as a copy of. */
  readonly origin: string | undefined;
  xattrs: Map<string, Uint8Array> | undefined;
  /** Bytes from this offset on lie in the spill file on disk; Infinity while all are in memory. */
  splitAt: number;
  /** Raised with every write session; a landing or a hook result counts only for the version it saw. */
  version: number;
  /** No program has it open for writing, and the last version was noted as whole. */
  sealed: boolean;
  landed: LandedBytes | undefined;
  /** Where the file lay before it was taken back to be written; it stays there until the next version lands. */
  previous: LandedBytes | undefined;
  /** Rules that have run for `version`, or were given up. */
  hooksDone: Set<string> | undefined;
  /** When it was last read, as far as anybody said so; reading does not move it. */
  atimeNs: bigint;
  /** When a directory's list, a symlink or a special file was changed; of a file that lies with its bytes. */
  mtimeNs: bigint;
  /** When anything but its bytes was changed. */
  changedNs: bigint;
}

export const isDirectory = (inode: { mode: number }): boolean => (inode.mode & S_IFMT) === S_IFDIR;
export const isFile = (inode: { mode: number }): boolean => (inode.mode & S_IFMT) === S_IFREG;
