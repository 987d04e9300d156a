import { Buffer } from 'node:buffer';
import type { AttributeChange, RequestContext } from '../vfs/file-system.ts';
import { readCappedInteger, readSafeInteger, readTime } from './integers.ts';
import { decodeName, endOfName } from './names.ts';
import { FATTR, MAX_WRITE_BYTES, SIZE, UNIQUE_RESEND_HIGH } from './protocol.ts';

/** A page before which the payload of a WRITE ends its headers. */
const PAGE_BYTES = 4096;

/**
 * The request in hand: one buffer, read into by the session, and what every opcode shares. A WRITE's payload
 * stays where the kernel put it, at an offset that is a multiple of 16 within the buffer's memory.
 *
 * `context` is one object that every request fills anew: a handler that defers copies what it needs.
 */
export class RequestBuffer {
  /** Give this to read(2). Large enough for any request (the kernel wants max_write + 4 KiB and more). */
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly context: RequestContext = {
    uniqueLow: 0,
    uniqueHigh: 0,
    resent: false,
    uid: 0,
    gid: 0,
    pid: 0,
  };
  /** End of the request in {@link bytes}. */
  end = 0;
  opcode = 0;
  node = 0;

  constructor(maxWriteBytes: number = MAX_WRITE_BYTES) {
    const memory = new ArrayBuffer(maxWriteBytes + 2 * PAGE_BYTES);
    // Every page must be there before the kernel copies a request into it: where it has to fault one in for a
    // process that was just killed, the copy fails, and the client gets EIO (fuse_dev_do_read) and no resend.
    new Uint8Array(memory).fill(0);
    // So that the payload of a WRITE, which follows both headers, begins at a page of the memory block.
    const start = PAGE_BYTES - SIZE.IN_HEADER - SIZE.WRITE_IN;
    this.bytes = Buffer.from(memory, start, maxWriteBytes + PAGE_BYTES);
    this.view = new DataView(memory, start, maxWriteBytes + PAGE_BYTES);
  }

  /**
   * Takes in the header of the `lengthBytes` bytes just read.
   *
   * @returns false when they are not one whole request.
   */
  accept(lengthBytes: number): boolean {
    const { view, context } = this;
    if (lengthBytes < SIZE.IN_HEADER || view.getUint32(0, true) !== lengthBytes) return false;
    this.end = lengthBytes;
    this.opcode = view.getUint32(4, true);
    context.uniqueLow = view.getUint32(8, true);
    context.uniqueHigh = view.getUint32(12, true);
    context.resent = context.uniqueHigh >= UNIQUE_RESEND_HIGH;
    context.uid = view.getUint32(24, true);
    context.gid = view.getUint32(28, true);
    context.pid = view.getUint32(32, true);
    context.dropsSetId = false;
    // total_extlen (7.38) counts extensions in 8-byte words; we negotiate none, so none are there.
    return true;
  }

  /** @throws FsRefusal 'invalid-argument' for a node of 2^53 or more. */
  readNode(): void {
    this.node = readSafeInteger(this.view, 16);
  }

  u32(at: number): number {
    return this.view.getUint32(SIZE.IN_HEADER + at, true);
  }

  integer(at: number): number {
    return readSafeInteger(this.view, SIZE.IN_HEADER + at);
  }

  /** An offset or a length: what is above 2^53 - 1, negative numbers among that, is 2^53 - 1. */
  cappedInteger(at: number): number {
    return readCappedInteger(this.view, SIZE.IN_HEADER + at);
  }

  handle(at: number): bigint {
    return this.view.getBigUint64(SIZE.IN_HEADER + at, true);
  }

  /** The NUL-terminated string `at` bytes behind the header. @throws NameEncodingError */
  name(at: number): string {
    const start = SIZE.IN_HEADER + at;
    return decodeName(this.bytes, start, endOfName(this.bytes, start, this.end));
  }

  /** The string behind the one at `at`. @throws NameEncodingError */
  nameAfter(at: number): string {
    const start = endOfName(this.bytes, SIZE.IN_HEADER + at, this.end) + 1;
    return decodeName(this.bytes, start, endOfName(this.bytes, start, this.end));
  }

  /** Where the string behind the one at `at` begins, counted from the header's end. */
  offsetAfterName(at: number): number {
    return endOfName(this.bytes, SIZE.IN_HEADER + at, this.end) + 1 - SIZE.IN_HEADER;
  }

  /** `sizeBytes` bytes from `at` on, cut at the request's end. Valid until the next request is read. */
  payload(at: number, sizeBytes: number): Uint8Array {
    const start = SIZE.IN_HEADER + at;
    return this.bytes.subarray(start, Math.min(start + sizeBytes, this.end));
  }
}

/** struct fuse_setattr_in behind the header. */
export function decodeAttributeChange(request: RequestBuffer): AttributeChange {
  const valid = request.u32(0);
  const base = SIZE.IN_HEADER;
  const change: AttributeChange = { throughHandle: (valid & FATTR.FH) !== 0 };
  if (valid & FATTR.MODE) change.mode = request.u32(68);
  if (valid & FATTR.UID) change.uid = request.u32(76);
  if (valid & FATTR.GID) change.gid = request.u32(80);
  if (valid & FATTR.SIZE) change.sizeBytes = request.cappedInteger(16);
  request.context.dropsSetId = (valid & FATTR.KILL_SUIDGID) !== 0;
  if (valid & FATTR.ATIME_NOW) change.atimeNs = 'now';
  else if (valid & FATTR.ATIME) change.atimeNs = readTime(request.view, base + 32, base + 56);
  if (valid & FATTR.MTIME_NOW) change.mtimeNs = 'now';
  else if (valid & FATTR.MTIME) change.mtimeNs = readTime(request.view, base + 40, base + 60);
  if (valid & FATTR.CTIME) change.ctimeNs = readTime(request.view, base + 48, base + 64);
  return change;
}
