import { constants } from 'node:os';
import { type ErrorTag, PlateFsError } from './errors.ts';

const E = constants.errno;
/** Linux numbers that `os.constants.errno` lacks; <asm-generic/errno.h>. */
const ESTALE_LINUX = 116;

/** The one table from situation to errno; a new tag without a row does not compile. */
const ERRNO: Record<ErrorTag, number> = {
  'not-a-plate': E.EINVAL,
  'empty-folder': E.EINVAL,
  'unreadable-source': E.EIO,
  'source-changed': ESTALE_LINUX,
  'bad-tiff': E.EIO,
  'unsupported-tiff': E.EIO,
  'bad-metadata': E.EIO,
  'bad-zarr': E.EIO,
  'unsupported-zarr': E.EIO,
  'bad-hdf5': E.EIO,
  'unsupported-hdf5': E.EIO,
  'source-busy': E.EBUSY,
  'source-not-ready': E.EBUSY,
  'bad-definition': E.EINVAL,
  'bad-parameter': E.EINVAL,
  'bad-mountpoint': E.EINVAL,
  'fuse-unavailable': E.ENODEV,
  'already-running': E.EBUSY,
  'not-running': E.ENOENT,
  'no-space': E.ENOSPC,
  'state-corrupt': E.EIO,
  'damaged-bytes': E.EIO,
  'hook-failed': E.EIO,
  'device-failed': E.EIO,
  cancelled: E.EINTR,
  'name-too-long': E.ENAMETOOLONG,
  'no-such-entry': E.ENOENT,
  'entry-exists': E.EEXIST,
  'not-a-directory': E.ENOTDIR,
  'is-a-directory': E.EISDIR,
  'directory-not-empty': E.ENOTEMPTY,
  'read-only': E.EROFS,
  'not-permitted': E.EPERM,
  'not-supported': E.EOPNOTSUPP,
  'not-needed': E.ENOSYS,
  'invalid-argument': E.EINVAL,
  'no-attribute': E.ENODATA,
  'cross-device': E.EXDEV,
  'file-too-large': E.EFBIG,
  'past-the-end': E.ENXIO,
  stale: ESTALE_LINUX,
  io: E.EIO,
};

/**
 * The positive errno a client gets for an error: our tags by the table, Node's system errors by their own
 * errno, anything else EIO.
 */
export function errnoOf(error: unknown): number {
  if (error instanceof PlateFsError) return ERRNO[error.tag];
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number')
    return Math.abs(error.errno);
  return E.EIO;
}

/** Whether a word from outside is one of our tags. */
export function isErrorTag(word: string): word is ErrorTag {
  return Object.hasOwn(ERRNO, word);
}

/** Every tag with its errno, for the documentation. */
export function errnoTable(): readonly (readonly [ErrorTag, number])[] {
  return Object.entries(ERRNO) as [ErrorTag, number][];
}
