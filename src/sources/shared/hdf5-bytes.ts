import { BadHdf5Error, UnreadableSourceError } from '../../core/errors.ts';
import { readFully } from '../../core/io.ts';

/** Largest structure of the file's own bookkeeping that is read at once: an object header's block, an index's page. */
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;

/** An address or length of all ones: there is none (HDF5 File Format Specification 3.0, I). */
export const UNDEFINED_ADDRESS = Number.POSITIVE_INFINITY;

/**
 * What the file says is outside what is read here: a version, a flag or a structure nobody expected. Never shown to
 * anybody: whoever asked lets the HDF5 library read instead, or refuses.
 */
export class NotUnderstood extends Error {}

/** The bytes of an HDF5 file, addresses counted from the superblock's base; every access is checked. */
export class Hdf5Bytes {
  readonly fd: number;
  readonly path: string;
  /** Size of the file when it was opened. */
  readonly sizeBytes: number;
  readonly baseBytes: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;

  /** `offsetBytes` and `lengthBytes` are the widths of addresses and lengths in this file. */
  constructor(
    file: { readonly fd: number; readonly path: string; readonly sizeBytes: number },
    widths: { readonly baseBytes: number; readonly offsetBytes: number; readonly lengthBytes: number },
  ) {
    this.fd = file.fd;
    this.path = file.path;
    this.sizeBytes = file.sizeBytes;
    this.baseBytes = widths.baseBytes;
    this.offsetBytes = widths.offsetBytes;
    this.lengthBytes = widths.lengthBytes;
  }

  /** Where an address lies in the file. @throws BadHdf5Error when the bytes it names are not all in the file. */
  positionOf(address: number, sizeBytes: number): number {
    const position = this.baseBytes + address;
    if (
      !(
        Number.isSafeInteger(position) &&
        address >= 0 &&
        sizeBytes >= 0 &&
        position + sizeBytes <= this.sizeBytes
      )
    )
      throw new BadHdf5Error(
        this.path,
        `points to ${sizeBytes} bytes at ${position}, but the file has ${this.sizeBytes}`,
        { advice: 'the file was cut short or damaged' },
      );
    return position;
  }

  /** Fills `target` from an address. @throws BadHdf5Error, UnreadableSourceError */
  readInto(target: Uint8Array, address: number): void {
    const position = this.positionOf(address, target.length);
    let got: number;
    try {
      got = readFully(this.fd, target, position);
    } catch (cause) {
      throw new UnreadableSourceError(this.path, 'reading failed', { cause });
    }
    if (got < target.length)
      throw new BadHdf5Error(this.path, `ends at byte ${position + got}, and was longer when it was opened`);
  }

  /** A structure of the file's bookkeeping. @throws NotUnderstood when it is unusually large or outside the file. */
  block(address: number, sizeBytes: number): Hdf5Cursor {
    if (sizeBytes > MAX_BLOCK_BYTES) throw new NotUnderstood(`a block of ${sizeBytes} bytes`);
    if (!(address >= 0 && this.baseBytes + address + sizeBytes <= this.sizeBytes))
      throw new NotUnderstood(`a block of ${sizeBytes} bytes at ${address}`);
    const bytes = Buffer.alloc(sizeBytes);
    this.readInto(bytes, address);
    return new Hdf5Cursor(bytes, this);
  }
}

/** Reads numbers of a structure one after the other, little-endian. A number beyond its end is NotUnderstood. */
export class Hdf5Cursor {
  readonly bytes: Buffer;
  at = 0;
  readonly #widths: { readonly offsetBytes: number; readonly lengthBytes: number };

  constructor(bytes: Buffer, widths: { readonly offsetBytes: number; readonly lengthBytes: number }) {
    this.bytes = bytes;
    this.#widths = widths;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  skip(count: number): void {
    this.#take(count);
  }

  #take(count: number): number {
    const at = this.at;
    if (!(count >= 0 && at + count <= this.bytes.length))
      throw new NotUnderstood('a structure that ends early');
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.#take(4));
  }

  /** A number of up to 8 bytes; beyond 2^53 it is rounded and larger than any file. */
  unsigned(widthBytes: number): number {
    const at = this.#take(widthBytes);
    let value = 0;
    for (let index = widthBytes - 1; index >= 0; index--) value = value * 256 + (this.bytes[at + index] ?? 0);
    return value;
  }

  /** An address, {@link UNDEFINED_ADDRESS} when there is none. */
  address(): number {
    const at = this.at;
    const value = this.unsigned(this.#widths.offsetBytes);
    return this.bytes.subarray(at, this.at).every((byte) => byte === 0xff) ? UNDEFINED_ADDRESS : value;
  }

  length(): number {
    return this.unsigned(this.#widths.lengthBytes);
  }

  text(count: number): string {
    const at = this.#take(count);
    return this.bytes.toString('latin1', at, at + count);
  }

  slice(count: number): Buffer {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }

  /** @throws NotUnderstood when the next bytes are others. */
  expect(signature: string): void {
    if (this.text(signature.length) !== signature) throw new NotUnderstood(`no ${signature}`);
  }
}
