import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { BadZarrError, UnreadableSourceError } from '../core/errors.ts';
import { fileIdentity } from '../core/file-identity.ts';
import { readFully } from '../core/io.ts';
import { lookedAtSource } from '../core/source-look.ts';
import { systemCode } from '../core/system-code.ts';

/** Bytes of a chunk as stored: a file, a part of one, memory, or an object far away. */
export interface StoredBytes {
  /** The file, for messages. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Tells this content from any other that is or was at the path; undefined for memory. */
  readonly identity: string | undefined;
  /** The local file in which the bytes lie as they are; undefined where there is none. */
  readonly file: { readonly path: string; readonly offsetBytes: number } | undefined;
  /** Fills `target` from `offset` on. @throws BadZarrError when there are not so many bytes. */
  readInto(target: Uint8Array, offset: number): void;
}

/** Stored bytes that are held open. */
export type OpenBytes = StoredBytes & Disposable;

/** Whether a real path is a folder or lies in it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

/** An open chunk file. */
export class ChunkFile implements StoredBytes, Disposable {
  readonly path: string;
  readonly sizeBytes: number;
  readonly identity: string;
  readonly file: { readonly path: string; readonly offsetBytes: number };
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) throw new BadZarrError(path, 'the chunk is not a file');
    this.sizeBytes = Number(stat.size);
    this.identity = lookedAtSource(path, stat);
    this.file = { path, offsetBytes: 0 };
  }

  /**
   * Opens the first of these files that exists; undefined when none does, which in Zarr means fill value. A link to a
   * file that is not there is none of those: its content is elsewhere (so git-annex leaves what it did not fetch).
   * @param insideOf real path of a folder that symbolic links must not leave; absent where they may.
   * @throws UnreadableSourceError for anything but its absence; BadZarrError when it is no file.
   */
  static open(paths: readonly string[], insideOf?: string): ChunkFile | undefined {
    for (const path of paths) {
      let fd: number;
      try {
        // Without waiting, so that a pipe of this name can't hold us up.
        fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      } catch (cause) {
        if (systemCode(cause) === 'ENOENT' && !isLink(path)) {
          lookedAtSource(path, undefined);
          continue;
        }
        throw new UnreadableSourceError(path, 'opening the chunk failed', { cause });
      }
      try {
        // Of what was opened, not of what the path is now: links can be changed at any time.
        if (insideOf !== undefined && !isWithin(readlinkSync(`/proc/self/fd/${fd}`), insideOf))
          throw new UnreadableSourceError(path, `is a link that leads out of ${insideOf}`, {
            advice: 'mount the folder that holds both, or copy what the link names',
          });
        return new ChunkFile(path, fd);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    }
    return undefined;
  }

  /** Whether the file has not been written to since it was opened. */
  readonly isUnchanged = (): boolean => fileIdentity(fstatSync(this.#fd, { bigint: true })) === this.identity;

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
  const { file, identity } = whole;
  return {
    path: whole.path,
    sizeBytes,
    identity: identity === undefined ? undefined : `${identity}:${offset}`,
    file: file && { path: file.path, offsetBytes: file.offsetBytes + offset },
    readInto: (target, at) => whole.readInto(target, offset + at),
  };
}

/** Bytes in memory that are read as if they were stored. */
export function memoryBytes(path: string, bytes: Uint8Array, identity?: string): OpenBytes {
  return {
    path,
    sizeBytes: bytes.length,
    identity,
    file: undefined,
    readInto(target, offset) {
      if (offset + target.length > bytes.length) throw new BadZarrError(path, 'is cut off');
      target.set(bytes.subarray(offset, offset + target.length));
    },
    [Symbol.dispose]() {},
  };
}
