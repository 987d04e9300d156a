import { closeSync, openSync } from 'node:fs';
import { DamagedBytesError, UnreadableSourceError } from '../core/errors.ts';
import { readFully } from '../core/io.ts';
import { damagedUnit, type SumsOfUnits, UNIT_BYTES } from '../core/unit-sums.ts';
import type { FileOrigin } from '../model/file-origin.ts';

/**
 * A file that nobody writes to any more. Its bytes `[offsetBytes, offsetBytes + sizeBytes)` lie at the same offset
 * of each piece's path; what no piece covers is zeros. Pieces don't overlap.
 */
export interface SealedFile {
  /** The mount's inode number: who owns what was landed. */
  readonly inode: number;
  /** Of the mount, where others may land in the same folder: inode numbers are each mount's own. */
  readonly owner?: string;
  /** Path in the mount, without a leading slash: `images/A01_s001_w1_z001_t001.tif`. */
  readonly mountPath: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly pieces: readonly SealedPiece[];
  /** Checksums of all of it, where it has any: what is read is compared with them. */
  readonly sums?: SumsOfUnits;
  /** Where it comes from, as far as that is known. */
  readonly origin?: FileOrigin;
  /** Where pages of it were staged while it was written: stretches that were changed since they were last asked for. */
  readonly rewritten?: readonly { readonly from: number; readonly to: number }[];
}

export interface SealedPiece {
  readonly path: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** Random access to the bytes of a sealed file, synchronous. */
export class SealedReader implements Disposable {
  readonly file: SealedFile;
  private readonly pieces: readonly SealedPiece[];
  private readonly descriptors = new Map<string, number>();
  private whole: Buffer | undefined;

  constructor(file: SealedFile) {
    this.file = file;
    this.pieces = file.pieces
      .filter((piece) => piece.sizeBytes > 0)
      .toSorted((a, b) => a.offsetBytes - b.offsetBytes);
  }

  /**
   * Fills `target` with the bytes from `offsetBytes` on; holes are zeros.
   * @throws RangeError past the end, UnreadableSourceError when a piece is shorter than it was said to be,
   *   DamagedBytesError when bytes are not what was written.
   */
  read(offsetBytes: number, target: Uint8Array): void {
    const end = offsetBytes + target.length;
    if (this.whole && offsetBytes >= 0 && end <= this.whole.length) {
      target.set(this.whole.subarray(offsetBytes, end));
      return;
    }
    if (offsetBytes < 0 || end > this.file.sizeBytes) {
      throw new RangeError(`bytes ${offsetBytes}…${end} of ${this.file.mountPath}`);
    }
    this.fill(offsetBytes, target);
    const { sums, mountPath, sizeBytes } = this.file;
    const unit = sums && damagedUnit(sums, target, offsetBytes, sizeBytes, (at, into) => this.fill(at, into));
    if (unit !== undefined)
      throw new DamagedBytesError(mountPath, unit * UNIT_BYTES, Math.min(sizeBytes, (unit + 1) * UNIT_BYTES));
  }

  private fill(offsetBytes: number, target: Uint8Array): void {
    const end = offsetBytes + target.length;
    let at = offsetBytes;
    for (const piece of this.pieces) {
      const from = Math.max(at, piece.offsetBytes);
      const to = Math.min(end, piece.offsetBytes + piece.sizeBytes);
      if (to <= from) continue;
      target.fill(0, at - offsetBytes, from - offsetBytes);
      this.readPiece(piece.path, from, target.subarray(from - offsetBytes, to - offsetBytes));
      at = to;
    }
    target.fill(0, at - offsetBytes);
  }

  /** Reads the whole file into `memory`, which has its size: from now on {@link read} and {@link view} take it there. */
  load(memory: Buffer): void {
    this.read(0, memory);
    this.whole = memory;
  }

  /** Bytes of a loaded file without copying; undefined when the file was not loaded. */
  view(offsetBytes: number, sizeBytes: number): Buffer | undefined {
    return this.whole?.subarray(offsetBytes, offsetBytes + sizeBytes);
  }

  [Symbol.dispose](): void {
    this.whole = undefined;
    for (const descriptor of this.descriptors.values()) closeSync(descriptor);
    this.descriptors.clear();
  }

  private readPiece(path: string, offsetBytes: number, target: Uint8Array): void {
    let descriptor = this.descriptors.get(path);
    if (descriptor === undefined) {
      descriptor = openSync(path, 'r');
      this.descriptors.set(path, descriptor);
    }
    if (readFully(descriptor, target, offsetBytes) < target.length) {
      throw new UnreadableSourceError(
        path,
        `ends before byte ${offsetBytes + target.length} of ${this.file.mountPath}`,
      );
    }
  }
}
