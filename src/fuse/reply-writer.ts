import { Buffer } from 'node:buffer';
import { writeSync, writevSync } from 'node:fs';
import { constants } from 'node:os';
import { systemCode } from '../core/system-code.ts';
import { SIZE } from './protocol.ts';

const E = constants.errno;
/** The kernel refuses a reply whose error is 512 or above (its internal codes), and the client would hang. */
const ERRNO_LIMIT = 512;
/** Room behind the header for the largest fixed-size body: entry and open of a CREATE. */
const BODY_BYTES = SIZE.ENTRY_OUT + SIZE.OPEN_OUT;

/** `errno` when a reply may carry it, else EIO. */
export function boundedErrno(errno: number): number {
  return Number.isInteger(errno) && errno > 0 && errno < ERRNO_LIMIT ? errno : E.EIO;
}

/**
 * What a failed write of a reply means. ENOENT: the client gave up or was killed (or another daemon answered
 * before us). ENODEV: the mount is gone. EINVAL: the kernel did not like the body and has given the client
 * EIO. None of them leaves a client waiting.
 */
function isSettled(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === 'ENOENT' || error.code === 'ENODEV' || error.code === 'EINVAL';
}

function writeWhole(fd: number, pieces: readonly Uint8Array[]): void {
  for (;;) {
    try {
      const [only] = pieces;
      if (pieces.length === 1 && only !== undefined) writeSync(fd, only);
      else writevSync(fd, pieces);
      return;
    } catch (error) {
      if (isSettled(error)) return;
      if (systemCode(error) !== 'EINTR') throw error;
    }
  }
}

/** struct fuse_out_header; `lengthBytes` counts the header too. */
export function replyHeader(
  lengthBytes: number,
  error: number,
  uniqueLow: number,
  uniqueHigh: number,
): Uint8Array {
  const header = Buffer.allocUnsafe(SIZE.OUT_HEADER);
  header.writeUInt32LE(lengthBytes, 0);
  header.writeInt32LE(error, 4);
  header.writeUInt32LE(uniqueLow, 8);
  header.writeUInt32LE(uniqueHigh, 12);
  return header;
}

/**
 * Answers a deferred request, from any thread that has the device's descriptor.
 *
 * @param outcome - The positive errno to fail with, or the pieces of the reply's body (an empty list: success
 *   with no body). An answer to a request that was interrupted, or to a mount that is gone, is no error.
 * @throws the system error when the device can't be written to at all.
 */
export function replyTo(
  fd: number,
  uniqueLow: number,
  uniqueHigh: number,
  outcome: number | readonly Uint8Array[],
): void {
  let length = SIZE.OUT_HEADER;
  if (typeof outcome !== 'number') for (const piece of outcome) length += piece.byteLength;
  const error = typeof outcome === 'number' ? -boundedErrno(outcome) : 0;
  const header = replyHeader(length, error, uniqueLow, uniqueHigh);
  writeWhole(fd, typeof outcome === 'number' ? [header] : [header, ...outcome]);
}

/** The front's way to answer: one buffer for header and small bodies, no allocation per reply. */
export class ReplyWriter {
  /** Bodies are encoded here, from {@link bodyAt} on. */
  readonly view: DataView;
  readonly bodyAt = SIZE.OUT_HEADER;
  private readonly bytes: Buffer;
  private readonly header: Buffer;
  private readonly pair: [Uint8Array, Uint8Array];
  private readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
    const memory = new ArrayBuffer(SIZE.OUT_HEADER + BODY_BYTES);
    this.bytes = Buffer.from(memory);
    this.header = Buffer.from(memory, 0, SIZE.OUT_HEADER);
    this.view = new DataView(memory);
    this.pair = [this.header, this.header];
  }

  private setHeader(lengthBytes: number, error: number, uniqueLow: number, uniqueHigh: number): void {
    this.view.setUint32(0, lengthBytes, true);
    this.view.setInt32(4, error, true);
    this.view.setUint32(8, uniqueLow, true);
    this.view.setUint32(12, uniqueHigh, true);
  }

  private flush(lengthBytes: number): void {
    for (;;) {
      try {
        writeSync(this.fd, this.bytes, 0, lengthBytes, null);
        return;
      } catch (error) {
        if (isSettled(error)) return;
        if (systemCode(error) !== 'EINTR') throw error;
      }
    }
  }

  /** Sends the `bodyBytes` bytes encoded behind the header. */
  body(uniqueLow: number, uniqueHigh: number, bodyBytes: number): void {
    const length = SIZE.OUT_HEADER + bodyBytes;
    this.setHeader(length, 0, uniqueLow, uniqueHigh);
    this.flush(length);
  }

  error(uniqueLow: number, uniqueHigh: number, errno: number): void {
    this.setHeader(SIZE.OUT_HEADER, -boundedErrno(errno), uniqueLow, uniqueHigh);
    this.flush(SIZE.OUT_HEADER);
  }

  /** Sends bytes that lie elsewhere, without copying them. */
  data(uniqueLow: number, uniqueHigh: number, data: Uint8Array): void {
    if (data.byteLength === 0) {
      this.body(uniqueLow, uniqueHigh, 0);
      return;
    }
    this.setHeader(SIZE.OUT_HEADER + data.byteLength, 0, uniqueLow, uniqueHigh);
    this.pair[1] = data;
    writeWhole(this.fd, this.pair);
    this.pair[1] = this.header;
  }
}
