import {
  FUSE_MAJOR,
  INIT,
  INIT2,
  MAX_PAGES,
  MAX_WRITE_BYTES,
  NEWEST_MINOR,
  OLDEST_MINOR,
  SIZE,
} from './protocol.ts';

/**
 * What kernel and daemon agreed on. Plain JSON: the supervisor keeps it for a daemon that takes the
 * connection over, because the kernel says INIT once.
 */
export interface Negotiated {
  /** The protocol spoken: 7.`minor`. */
  minor: number;
  /** The INIT flags taken, bits 0 to 31 and 32 to 63, as unsigned numbers. */
  flags: number;
  flags2: number;
  maxWriteBytes: number;
  maxReadAheadBytes: number;
  /** FUSE_HAS_RESEND: a new daemon can ask for the requests the old one lost. */
  resend: boolean;
  /** FUSE_PASSTHROUGH: OPEN may hand out backing files (the ioctl still needs CAP_SYS_ADMIN). */
  passthrough: boolean;
}

/** struct fuse_init_in. */
export interface InitRequest {
  major: number;
  minor: number;
  maxReadAheadBytes: number;
  flags: number;
  flags2: number;
}

/**
 * Without READDIRPLUS_AUTO, by which the kernel asks for attributes with a directory's first entries only: find
 * and ls read a directory to its end before they look at any entry, and then every entry of a large one costs
 * a LOOKUP of its own (50,000 entries: 3.0 s, against 0.7 s).
 *
 * HANDLE_KILLPRIV_V2 makes clearing set-id bits upon a write ours; the kernel says when, and spares a GETXATTR per
 * write(2).
 */
const WANTED =
  INIT.ASYNC_READ |
  INIT.ATOMIC_O_TRUNC |
  INIT.BIG_WRITES |
  INIT.DO_READDIRPLUS |
  INIT.ASYNC_DIO |
  INIT.PARALLEL_DIROPS |
  INIT.MAX_PAGES |
  INIT.CACHE_SYMLINKS |
  INIT.EXPLICIT_INVAL_DATA |
  INIT.HANDLE_KILLPRIV_V2 |
  INIT.INIT_EXT;
const WANTED2 = INIT2.PASSTHROUGH | INIT2.HAS_RESEND;

/** Requests the kernel may have in flight for read-ahead and asynchronous direct I/O; its default is 12. */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;
/** One level: the backing file lies on an ordinary file system, and an overlayfs may lie on the mount. */
const MAX_STACK_DEPTH = 1;

/** Reads struct fuse_init_in at `at`; `flags2` is 0 unless the kernel announces INIT_EXT. */
export function decodeInit(view: DataView, at: number, sizeBytes: number): InitRequest {
  const flags = sizeBytes >= 16 ? view.getUint32(at + 12, true) : 0;
  const extended = (flags & INIT.INIT_EXT) !== 0 && sizeBytes >= 20;
  return {
    major: view.getUint32(at, true),
    minor: view.getUint32(at + 4, true),
    maxReadAheadBytes: sizeBytes >= 12 ? view.getUint32(at + 8, true) : 0,
    flags,
    flags2: extended ? view.getUint32(at + 16, true) : 0,
  };
}

/** The kernel's offer cut to what this room knows, or undefined when the protocol is older than 7.31. */
export function negotiate(request: InitRequest): Negotiated | undefined {
  if (request.major !== FUSE_MAJOR || request.minor < OLDEST_MINOR) return undefined;
  const flags2 = (request.flags2 & WANTED2) >>> 0;
  return {
    minor: Math.min(request.minor, NEWEST_MINOR),
    flags: (request.flags & WANTED) >>> 0,
    flags2,
    maxWriteBytes: MAX_WRITE_BYTES,
    maxReadAheadBytes: request.maxReadAheadBytes,
    resend: (flags2 & INIT2.HAS_RESEND) !== 0,
    passthrough: (flags2 & INIT2.PASSTHROUGH) !== 0,
  };
}

/** Writes struct fuse_init_out, 64 bytes. */
export function encodeInitReply(view: DataView, at: number, negotiated: Negotiated): number {
  for (let offset = 0; offset < SIZE.INIT_OUT; offset += 4) view.setUint32(at + offset, 0, true);
  view.setUint32(at, FUSE_MAJOR, true);
  view.setUint32(at + 4, negotiated.minor, true);
  view.setUint32(at + 8, negotiated.maxReadAheadBytes, true);
  view.setUint32(at + 12, negotiated.flags, true);
  view.setUint16(at + 16, MAX_BACKGROUND, true);
  view.setUint16(at + 18, CONGESTION_THRESHOLD, true);
  view.setUint32(at + 20, negotiated.maxWriteBytes, true);
  // time_gran: the file system keeps nanoseconds.
  view.setUint32(at + 24, 1, true);
  view.setUint16(at + 28, MAX_PAGES, true);
  view.setUint32(at + 32, negotiated.flags2, true);
  view.setUint32(at + 36, negotiated.passthrough ? MAX_STACK_DEPTH : 0, true);
  return SIZE.INIT_OUT;
}
