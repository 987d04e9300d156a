import { closeSync, fstatSync, openSync } from 'node:fs';
import { UnreadableSourceError } from '../../core/errors.ts';
import { TiffBytes } from './tiff-bytes.ts';
import { DirectoryChain, type FileVersion, RememberedChains } from './tiff-chain.ts';
import { TiffPage } from './tiff-page.ts';

const WALK_WINDOW_BYTES = 64 * 1024;
const remembered = new RememberedChains();

/** Where the first directory lies. `bytes.littleEndian` is set on the way. @throws BadTiffError */
export function readTiffHeader(bytes: TiffBytes): { big: boolean; firstIfdOffset: number } {
  if (bytes.sizeBytes === 0) throw bytes.bad('the file is empty');
  if (bytes.sizeBytes < 8) throw bytes.bad(`the file has only ${bytes.sizeBytes} bytes`);
  const order = bytes.u16(0);
  if (order !== 0x4949 && order !== 0x4d4d) throw bytes.bad('the file does not start with II or MM');
  bytes.littleEndian = order === 0x4949;
  const version = bytes.u16(2);
  if (version === 42) return { big: false, firstIfdOffset: bytes.u32(4) };
  if (version !== 43) throw bytes.bad(`the version is ${version}, not 42 or 43`);
  // BigTIFF: size of offsets, then zero (https://www.awaresystems.be/imaging/tiff/bigtiff.html).
  if (bytes.u16(4) !== 8 || bytes.u16(6) !== 0) throw bytes.bad('the BigTIFF header is damaged');
  return { big: true, firstIfdOffset: bytes.u64(8) };
}

/** Opens for reading. @throws UnreadableSourceError */
export function openForReading(path: string): { fd: number; sizeBytes: number; version: FileVersion } {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    throw new UnreadableSourceError(path, 'opening failed', { cause });
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) throw new UnreadableSourceError(path, 'is not a file');
    const sizeBytes = Number(stat.size);
    const mtimeMs = Number(stat.mtimeNs) / 1e6;
    return { fd, sizeBytes, version: { path, device: stat.dev, inode: stat.ino, sizeBytes, mtimeMs } };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * An open TIFF whose directories are read when asked for. The chain is walked through one window, so
 * directories that lie together cost one read for many; where they lie is remembered for the next time that
 * this thread opens the file.
 */
export class TiffFile implements Disposable {
  readonly path: string;
  readonly fd: number;
  readonly sizeBytes: number;
  readonly #bytes: TiffBytes;
  readonly #big: boolean;
  readonly #version: FileVersion;
  readonly #openedAtMs = Date.now();
  readonly #chain: DirectoryChain;
  #complete = false;
  #open = true;

  /** @throws BadTiffError, UnreadableSourceError */
  constructor(path: string) {
    const { fd, sizeBytes, version } = openForReading(path);
    this.#version = version;
    this.path = path;
    this.fd = fd;
    this.sizeBytes = sizeBytes;
    this.#bytes = new TiffBytes(
      fd,
      path,
      sizeBytes,
      Buffer.allocUnsafeSlow(Math.max(16, Math.min(WALK_WINDOW_BYTES, sizeBytes))),
    );
    try {
      const { big, firstIfdOffset } = readTiffHeader(this.#bytes);
      if (firstIfdOffset === 0) throw this.#bytes.bad('the file holds no image');
      this.#big = big;
      this.#chain = remembered.recall(version) ?? new DirectoryChain(firstIfdOffset);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** BigTIFF. */
  get isBig(): boolean {
    return this.#big;
  }

  /** Finds the next directory of the chain. @returns false at its end. */
  #advance(): boolean {
    if (this.#complete) return false;
    const b = this.#bytes;
    const chain = this.#chain;
    const last = chain.last;
    const entries = this.#big ? b.u64(last) : b.u16(last);
    const end = last + (this.#big ? 8 + entries * 20 : 2 + entries * 12);
    const next = this.#big ? b.u64(end) : b.u32(end);
    if (next === 0) {
      this.#complete = true;
      return false;
    }
    if (chain.has(next)) throw b.bad(`the chain of directories runs in a circle at byte ${next}`);
    if (next >= b.sizeBytes) {
      throw b.bad(`directory ${chain.length} at byte ${next} lies beyond the end of the file`);
    }
    chain.push(next);
    return true;
  }

  /** Number of pages in the chain; walks all of it. @throws BadTiffError */
  pageCount(): number {
    while (this.#advance());
    return this.#chain.length;
  }

  /** The page at `index` of the chain. @throws BadTiffError when there is none. */
  page(index: number): TiffPage {
    while (this.#chain.length <= index && this.#advance());
    const offset = this.#chain.at(index);
    if (offset === undefined) {
      throw this.#bytes.bad(`page ${index} is wanted, but there are ${this.#chain.length}`);
    }
    return this.pageAt(offset);
  }

  /** The page whose directory lies at `ifdOffset`: for {@link TiffPage.subIfdOffsets}. */
  pageAt(ifdOffset: number): TiffPage {
    return new TiffPage(this.#bytes, ifdOffset, this.#big);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    remembered.keep(this.#version, this.#chain, this.#openedAtMs);
    closeSync(this.fd);
  }
}
