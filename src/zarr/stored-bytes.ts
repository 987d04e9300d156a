import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { BadZarrError, UnreadableSourceError } from '../core/errors.ts';
import { readFully } from '../core/io.ts';
import { systemCode } from '../core/system-code.ts';

/** Bytes of a chunk as stored: a file, a part of one, or memory. */
export interface StoredBytes {
  /** The file, for messages. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Tells this content from any other that is or was at the path; undefined for memory. */
  readonly identity: string | undefined;
  /** Where the bytes begin in the file; undefined for memory. */
  readonly fileOffset: number | undefined;
  /** Fills `target` from `offset` on. @throws BadZarrError when there are not so many bytes. */
  readInto(target: Uint8Array, offset: number): void;
}

/** An open chunk file. */
export class ChunkFile implements StoredBytes, Disposable {
  readonly path: string;
  readonly sizeBytes: number;
  readonly identity: string;
  readonly fileOffset = 0;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) throw new BadZarrError(path, 'the chunk is not a file');
    this.sizeBytes = Number(stat.size);
    this.identity = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
  }

  /**
   * Opens the first of these files that exists; undefined when none does, which in Zarr means fill value.
   * @throws UnreadableSourceError for anything but its absence; BadZarrError when it is no file.
   */
  static open(paths: readonly string[]): ChunkFile | undefined {
    for (const path of paths) {
      let fd: number;
      try {
        // Without waiting, so that a pipe of this name can't hold us up.
        fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      } catch (cause) {
        if (systemCode(cause) === 'ENOENT') continue;
        throw new UnreadableSourceError(path, 'opening the chunk failed', { cause });
      }
      try {
        return new ChunkFile(path, fd);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    }
    return undefined;
  }

  readInto(target: Uint8Array, offset: number): void {
    let got: number;
    try {
      got = readFully(this.#fd, target, offset);
    } catch (cause) {
      throw new UnreadableSourceError(this.path, 'reading the chunk failed', { cause });
    }
    if (got !== target.length)
      throw new BadZarrError(this.path, `ends ${target.length - got} bytes before the chunk does`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** A part of stored bytes, which lies inside them. */
export function partOf(whole: StoredBytes, offset: number, sizeBytes: number): StoredBytes {
  return {
    path: whole.path,
    sizeBytes,
    identity: whole.identity === undefined ? undefined : `${whole.identity}:${offset}`,
    fileOffset: whole.fileOffset === undefined ? undefined : whole.fileOffset + offset,
    readInto: (target, at) => whole.readInto(target, offset + at),
  };
}

/** Decoded bytes that are read as if they were stored. */
export function memoryBytes(path: string, bytes: Uint8Array): StoredBytes {
  return {
    path,
    sizeBytes: bytes.length,
    identity: undefined,
    fileOffset: undefined,
    readInto(target, offset) {
      if (offset + target.length > bytes.length) throw new BadZarrError(path, 'is cut off');
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}
