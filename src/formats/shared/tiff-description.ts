import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { BadTiffError, UnreadableSourceError } from '../../core/errors.ts';

/** First bytes of a file read at once: header, and the first IFD where a writer puts it first. */
const HEAD_BYTES = 16_384;
/** Longest description that is read; MetaMorph's are about 7 kB. */
const MAX_DESCRIPTION_BYTES = 1 << 20;
const MAX_ENTRIES = 4096;
/** TIFF 6.0, section 8: ImageDescription. */
const TAG_DESCRIPTION = 270;

/** What a look at a TIFF's first IFD gives; `description` is '' where the file has none. */
export interface TiffGlance {
  readonly description: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** A window of the file that moves as needed. */
class HeaderReader {
  readonly #file: FileHandle;
  readonly #path: string;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);
  littleEndian = true;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Makes `length` bytes at `offset` readable. @throws BadTiffError when the file ends before. */
  async load(offset: number, length: number): Promise<Buffer> {
    const inside = offset >= this.#start && offset + length <= this.#start + this.#bytes.length;
    if (!inside) {
      const window = Buffer.alloc(Math.max(length, HEAD_BYTES));
      const { bytesRead } = await this.#file.read(window, 0, window.length, offset);
      if (bytesRead < length)
        throw new BadTiffError(this.#path, `truncated: ${length} bytes at ${offset} are not there`, {
          advice: 'copy the file again from the instrument',
        });
      this.#bytes = window.subarray(0, bytesRead);
      this.#start = offset;
    }
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + length);
  }

  async number(offset: number, bytes: 2 | 4 | 8): Promise<number> {
    const view = await this.load(offset, bytes);
    if (bytes === 8) {
      const value = this.littleEndian ? view.readBigUInt64LE(0) : view.readBigUInt64BE(0);
      if (value > BigInt(Number.MAX_SAFE_INTEGER))
        throw new BadTiffError(this.#path, `impossible offset ${value}`);
      return Number(value);
    }
    return this.littleEndian ? view.readUIntLE(0, bytes) : view.readUIntBE(0, bytes);
  }
}

async function readDescription(file: FileHandle, path: string): Promise<string> {
  const reader = new HeaderReader(file, path);
  const mark = (await reader.load(0, 8)).toString('latin1', 0, 2);
  if (mark !== 'II' && mark !== 'MM') throw new BadTiffError(path, 'it does not begin with II or MM');
  reader.littleEndian = mark === 'II';
  const version = await reader.number(2, 2);
  if (version !== 42 && version !== 43) throw new BadTiffError(path, `version ${version} is not 42 or 43`);
  const big = version === 43;
  const wide = big ? 8 : 4;
  const ifd = await reader.number(big ? 8 : 4, wide);
  const entries = await reader.number(ifd, big ? 8 : 2);
  if (entries < 1 || entries > MAX_ENTRIES)
    throw new BadTiffError(path, `its first directory says ${entries} entries`);
  const entryBytes = big ? 20 : 12;
  const firstEntry = ifd + (big ? 8 : 2);
  await reader.load(firstEntry, entries * entryBytes);
  for (let i = 0; i < entries; i += 1) {
    const entry = firstEntry + i * entryBytes;
    if ((await reader.number(entry, 2)) !== TAG_DESCRIPTION) continue;
    const length = await reader.number(entry + 4, wide);
    if (length > MAX_DESCRIPTION_BYTES) return '';
    const inline = length <= wide;
    const at = inline ? entry + 4 + wide : await reader.number(entry + 4 + wide, wide);
    const bytes = await reader.load(at, length);
    const end = bytes.indexOf(0);
    const text = bytes.subarray(0, end < 0 ? length : end);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(text);
    } catch {
      // Not UTF-8: older writers use the machine's code page.
      return new TextDecoder('windows-1252').decode(text);
    }
  }
  return '';
}

/**
 * Reads the ImageDescription of a TIFF's first image and nothing else: two or three reads of 16 KiB.
 * @throws UnreadableSourceError when the file can't be opened, BadTiffError when it is no TIFF or truncated.
 */
export async function glanceAtTiff(path: string): Promise<TiffGlance> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK a pipe of that name would be waited for.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { size, mtimeNs } = await file.stat({ bigint: true });
    if (size === 0n) throw new BadTiffError(path, 'the file is empty');
    const description = await readDescription(file, path);
    return { description, sizeBytes: Number(size), mtimeMs: Number(mtimeNs) / 1e6 };
  } catch (cause) {
    if (cause instanceof BadTiffError) throw cause;
    throw new UnreadableSourceError(path, "can't be read", {
      cause,
      advice: 'check its permissions and disk',
    });
  } finally {
    await file?.close();
  }
}
