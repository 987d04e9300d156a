import { Buffer } from 'node:buffer';
import type { DirectorySink, Entry } from '../vfs/file-system.ts';
import { writeSafeInteger } from './integers.ts';
import { encodeName } from './names.ts';
import { SIZE } from './protocol.ts';
import { encodeEntry } from './reply.ts';

const S_IFMT_SHIFT = 12;

/**
 * The body of a READDIR or READDIRPLUS reply while it fills: struct fuse_dirent or fuse_direntplus, each
 * padded to 8 bytes. The session uses one again and again; who answers a deferred listing makes its own.
 */
export class DirectoryBuffer implements DirectorySink {
  plus = false;
  private readonly bytes: Buffer;
  private readonly view: DataView;
  private limit = 0;
  private end = 0;

  constructor(capacityBytes: number) {
    const memory = new ArrayBuffer(capacityBytes);
    this.bytes = Buffer.from(memory);
    this.view = new DataView(memory);
  }

  /** Empties it for a reply of at most `sizeBytes` (and the capacity). */
  begin(plus: boolean, sizeBytes: number): void {
    this.plus = plus;
    this.limit = Math.min(sizeBytes, this.bytes.length);
    this.end = 0;
  }

  add(name: string, node: number, type: number, next: number, entry?: Entry): boolean {
    const { view, bytes } = this;
    const start = this.end;
    const header = this.plus ? SIZE.DIRENTPLUS : SIZE.DIRENT;
    const nameAt = start + header;
    const nameBytes = encodeName(name, bytes, nameAt, this.limit);
    if (nameBytes < 0) return false;
    const end = (nameAt + nameBytes + 7) & ~7;
    if (end > this.limit) return false;
    if (this.plus) encodeEntry(view, start, entry);
    const at = nameAt - SIZE.DIRENT;
    writeSafeInteger(view, at, node);
    writeSafeInteger(view, at + 8, next);
    view.setUint32(at + 16, nameBytes, true);
    view.setUint32(at + 20, type >>> S_IFMT_SHIFT, true);
    for (let pad = nameAt + nameBytes; pad < end; pad++) bytes[pad] = 0;
    this.end = end;
    return true;
  }

  /** What has been added since {@link begin}; valid until the next. */
  body(): Uint8Array {
    return this.bytes.subarray(0, this.end);
  }
}
