import { BadTiffError, UnreadableSourceError } from '../../core/errors.ts';
import { readFully } from '../../core/io.ts';

/**
 * Fills `target[0, lengthBytes)` from the file.
 * @throws BadTiffError when the file ends before that, UnreadableSourceError when the system refuses.
 */
export function readExactly(
  fd: number,
  path: string,
  target: Uint8Array,
  lengthBytes: number,
  positionBytes: number,
): void {
  let got: number;
  try {
    got = readFully(fd, target.subarray(0, lengthBytes), positionBytes);
  } catch (cause) {
    throw new UnreadableSourceError(path, 'reading failed', { cause });
  }
  if (got < lengthBytes) {
    throw new BadTiffError(
      path,
      `ends at byte ${positionBytes + got}, but ${lengthBytes} bytes at ${positionBytes} are needed`,
    );
  }
}

/**
 * The structure of a TIFF through one sliding window of the file: a walk over neighbouring directories costs
 * one read per window. Every access is checked against the file's size, so a lying offset or count is a
 * BadTiffError and never a read beyond the file or an allocation larger than it.
 */
export class TiffBytes {
  readonly fd: number;
  readonly path: string;
  /** Size of the file when it was opened. */
  readonly sizeBytes: number;
  littleEndian = true;
  readonly #window: Buffer;
  #start = 0;
  #end = 0;

  /** `window` is scratch memory of at least 16 bytes; it may be shared between files used one after the other. */
  constructor(fd: number, path: string, sizeBytes: number, window: Buffer) {
    this.fd = fd;
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#window = window;
  }

  bad(detail: string): BadTiffError {
    return new BadTiffError(this.path, detail);
  }

  /** Where in the window the bytes lie, reading them in when they don't. `length` is at most 16. */
  #at(offset: number, length: number): number {
    if (offset >= this.#start && offset + length <= this.#end) return offset - this.#start;
    // Written so that NaN and infinities fail too.
    if (!(offset >= 0 && offset + length <= this.sizeBytes)) {
      throw this.bad(`points to byte ${offset}, but the file has ${this.sizeBytes}`);
    }
    this.#end = this.#start;
    const lengthBytes = Math.min(this.#window.length, this.sizeBytes - offset);
    readExactly(this.fd, this.path, this.#window, lengthBytes, offset);
    this.#start = offset;
    this.#end = offset + lengthBytes;
    return 0;
  }

  u8(offset: number): number {
    const at = this.#at(offset, 1);
    return this.#window.readUInt8(at);
  }

  u16(offset: number): number {
    const at = this.#at(offset, 2);
    return this.littleEndian ? this.#window.readUInt16LE(at) : this.#window.readUInt16BE(at);
  }

  u32(offset: number): number {
    const at = this.#at(offset, 4);
    return this.littleEndian ? this.#window.readUInt32LE(at) : this.#window.readUInt32BE(at);
  }

  /** Exact up to 2^53; larger values stay larger than any file and fail the next bounds check. */
  u64(offset: number): number {
    const at = this.#at(offset, 8);
    const w = this.#window;
    return this.littleEndian
      ? w.readUInt32LE(at) + w.readUInt32LE(at + 4) * 2 ** 32
      : w.readUInt32BE(at + 4) + w.readUInt32BE(at) * 2 ** 32;
  }

  /** A fresh copy of a byte range. */
  slice(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.sizeBytes)) {
      throw this.bad(
        `points to bytes ${offset} to ${offset + length}, but the file has ${this.sizeBytes} bytes`,
      );
    }
    if (length <= this.#window.length) {
      const at = length === 0 ? 0 : this.#atLong(offset, length);
      return Uint8Array.prototype.slice.call(this.#window, at, at + length);
    }
    const bytes = new Uint8Array(length);
    readExactly(this.fd, this.path, bytes, length, offset);
    return bytes;
  }

  #atLong(offset: number, length: number): number {
    if (offset >= this.#start && offset + length <= this.#end) return offset - this.#start;
    return this.#at(offset, length);
  }
}
