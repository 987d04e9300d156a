import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { BadTiffError, UnreadableSourceError } from '../../core/errors.ts';
import type { Dtype } from '../../core/nd-array.ts';

/** Bytes read at once: header, and the first directory where a writer puts it first. */
const WINDOW_BYTES = 16_384;
const MAX_ENTRIES = 4096;
/** Bytes of a value by the type of its field: TIFF 6.0 section 2, and BigTIFF's 16 to 18. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
/** TIFF 6.0 section 8 and the tags of later supplements; 51123 is Micro-Manager's. */
const TAG = {
  newSubfileType: 254,
  width: 256,
  height: 257,
  bitsPerSample: 258,
  description: 270,
  stripOffsets: 273,
  samplesPerPixel: 277,
  tileOffsets: 324,
  sampleFormat: 339,
  microManager: 51123,
} as const;

/** Bytes of a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What one directory of a TIFF says of its image. */
export interface TiffDirectory {
  /** Where the directory lies, and the next of the chain; 0 for none. */
  readonly offset: number;
  readonly next: number;
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  /** Undefined for samples that no element type holds. */
  readonly dtype: Dtype | undefined;
  /** Marked as a smaller copy of another image. */
  readonly isReduced: boolean;
  /** Where the pixels begin; 0 where the directory doesn't say. */
  readonly firstSegment: number;
  /** The ImageDescription that comes first, where there is one, and Micro-Manager's metadata. */
  readonly description?: ByteRange;
  readonly microManager?: ByteRange;
}

/** As the TIFF source reads samples: 1 to 8 bits become bytes, 9 to 16 bits 16-bit numbers. */
function dtypeOf(format: number, bits: number): Dtype | undefined {
  if (format === 1) {
    if (bits === 64) return 'uint64';
    if (bits < 1 || bits > 32) return undefined;
    return bits <= 8 ? 'uint8' : bits <= 16 ? 'uint16' : 'uint32';
  }
  const whole: Readonly<Record<number, Dtype>> = { 8: 'int8', 16: 'int16', 32: 'int32', 64: 'int64' };
  const float: Readonly<Record<number, Dtype>> = { 16: 'float16', 32: 'float32', 64: 'float64' };
  return format === 2 ? whole[bits] : format === 3 ? float[bits] : undefined;
}

/**
 * A TIFF whose directories are looked at, never its pixels: classic and BigTIFF, either byte order. Every offset
 * is checked against the file's size.
 */
export class TiffLook implements AsyncDisposable {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  littleEndian = true;
  isBig = false;
  firstDirectory = 0;
  readonly #file: FileHandle;
  #window: Buffer = Buffer.alloc(0);
  #start = 0;

  private constructor(path: string, file: FileHandle, sizeBytes: number, mtimeMs: number) {
    this.path = path;
    this.#file = file;
    this.sizeBytes = sizeBytes;
    this.mtimeMs = mtimeMs;
  }

  /** @throws UnreadableSourceError when the file can't be opened, BadTiffError when it is no TIFF. */
  static async open(path: string): Promise<TiffLook> {
    let file: FileHandle | undefined;
    try {
      // Without O_NONBLOCK a pipe of that name would be waited for.
      file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const { size, mtimeNs } = await file.stat({ bigint: true });
      if (size === 0n) throw new BadTiffError(path, 'the file is empty');
      const look = new TiffLook(path, file, Number(size), Number(mtimeNs) / 1e6);
      await look.#readHeader();
      return look;
    } catch (cause) {
      await file?.close();
      throw readingError(path, cause);
    }
  }

  async #readHeader(): Promise<void> {
    const mark = (await this.bytes(0, 8)).toString('latin1', 0, 2);
    if (mark !== 'II' && mark !== 'MM') throw this.bad('it does not begin with II or MM');
    this.littleEndian = mark === 'II';
    const version = await this.number(2, 2);
    if (version !== 42 && version !== 43) throw this.bad(`version ${version} is not 42 or 43`);
    this.isBig = version === 43;
    this.firstDirectory = await this.number(this.isBig ? 8 : 4, this.isBig ? 8 : 4);
  }

  bad(detail: string): BadTiffError {
    return new BadTiffError(this.path, detail, { advice: 'copy the file again from the instrument' });
  }

  /**
   * Bytes of the file; valid until the next call. A large range is read by itself, so ask for what is bounded.
   * @throws BadTiffError when the file ends before, UnreadableSourceError
   */
  async bytes(offset: number, length: number): Promise<Buffer> {
    if (offset < this.#start || offset + length > this.#start + this.#window.length) {
      if (offset + length > this.sizeBytes)
        throw this.bad(`truncated: ${length} bytes at ${offset} are not there`);
      const window = Buffer.allocUnsafe(Math.min(Math.max(length, WINDOW_BYTES), this.sizeBytes - offset));
      let filled = 0;
      while (filled < window.length) {
        const { bytesRead } = await this.#read(window, filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled < length) throw this.bad(`truncated: ${length} bytes at ${offset} are not there`);
      this.#window = window.subarray(0, filled);
      this.#start = offset;
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }

  async #read(window: Buffer, at: number, position: number): Promise<{ bytesRead: number }> {
    try {
      return await this.#file.read(window, at, window.length - at, position);
    } catch (cause) {
      throw readingError(this.path, cause);
    }
  }

  /** @throws BadTiffError */
  async number(offset: number, bytes: 2 | 4 | 8): Promise<number> {
    return this.#value(await this.bytes(offset, bytes), 0, bytes);
  }

  #value(view: Buffer, at: number, bytes: number): number {
    if (bytes !== 8) return this.littleEndian ? view.readUIntLE(at, bytes) : view.readUIntBE(at, bytes);
    const value = this.littleEndian ? view.readBigUInt64LE(at) : view.readBigUInt64BE(at);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.bad(`impossible offset ${value}`);
    return Number(value);
  }

  /** Reads the directory at an offset. @throws BadTiffError */
  async directory(offset: number): Promise<TiffDirectory> {
    const wide = this.isBig ? 8 : 4;
    const countBytes = this.isBig ? 8 : 2;
    const entries = await this.number(offset, countBytes);
    if (entries < 1 || entries > MAX_ENTRIES)
      throw this.bad(`the directory at ${offset} says ${entries} entries`);
    const entryBytes = 4 + 2 * wide;
    const table = Buffer.from(await this.bytes(offset + countBytes, entries * entryBytes + wide));
    const values = { width: 0, height: 0, samples: 1, bits: 1, format: 1, subfile: 0, segment: 0 };
    const texts: { description?: ByteRange; microManager?: ByteRange } = {};
    for (let entry = 0; entry < entries; entry += 1) {
      const at = entry * entryBytes;
      const tag = this.#value(table, at, 2);
      const typeBytes = TYPE_BYTES[this.#value(table, at + 2, 2)] ?? 0;
      const count = this.#value(table, at + 4, wide);
      const isInline = count * typeBytes <= wide;
      const valueAt = at + 4 + wide;
      // Of several values (a sample each, a strip each) the first is enough here.
      const first = async (): Promise<number> => {
        if (typeBytes !== 1 && typeBytes !== 2 && typeBytes !== 4 && typeBytes !== 8) return 0;
        if (count === 0) return 0;
        if (isInline) return this.#value(table, valueAt, typeBytes);
        return this.#value(await this.bytes(this.#value(table, valueAt, wide), typeBytes), 0, typeBytes);
      };
      const range = (): ByteRange => ({
        offset: isInline ? offset + countBytes + valueAt : this.#value(table, valueAt, wide),
        length: count,
      });
      if (tag === TAG.width) values.width = await first();
      else if (tag === TAG.height) values.height = await first();
      else if (tag === TAG.samplesPerPixel) values.samples = await first();
      else if (tag === TAG.bitsPerSample) values.bits = await first();
      else if (tag === TAG.sampleFormat) values.format = await first();
      else if (tag === TAG.newSubfileType) values.subfile = await first();
      else if (tag === TAG.stripOffsets || tag === TAG.tileOffsets) values.segment = await first();
      else if (tag === TAG.description) texts.description ??= range();
      else if (tag === TAG.microManager) texts.microManager ??= range();
    }
    const { width, height, samples, bits, format, subfile, segment } = values;
    return {
      offset,
      next: this.#value(table, entries * entryBytes, wide),
      width,
      height,
      samples,
      dtype: dtypeOf(format, bits),
      isReduced: (subfile & 1) === 1,
      firstSegment: segment,
      ...texts,
    };
  }

  /**
   * The directories of the chain in their order. A chain that runs in a circle ends with an error after it has
   * been round at most twice. @throws BadTiffError
   */
  async *directories(): AsyncGenerator<TiffDirectory> {
    // Brent's way to find a circle: what is compared with moves on at each power of two.
    let landmark = 0;
    let untilNext = 1;
    for (let offset = this.firstDirectory, steps = 0; offset !== 0; steps += 1) {
      if (offset === landmark) throw this.bad(`the chain of directories runs in a circle at byte ${offset}`);
      if (steps === untilNext) {
        landmark = offset;
        untilNext *= 2;
      }
      const directory = await this.directory(offset);
      yield directory;
      offset = directory.next;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** The error that the reading of a TIFF ends with. */
function readingError(path: string, cause: unknown): Error {
  if (cause instanceof BadTiffError || cause instanceof UnreadableSourceError) return cause;
  return new UnreadableSourceError(path, "can't be read", {
    cause,
    advice: 'check its permissions and disk',
  });
}

/** Text as TIFF writers leave it: up to its NUL, UTF-8, or the code page of older Windows programs. */
export function tiffText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(text);
  } catch {
    // Not UTF-8: older writers use the machine's code page.
    return new TextDecoder('windows-1252').decode(text);
  }
}
