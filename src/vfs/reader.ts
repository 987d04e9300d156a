import { closeSync, copyFileSync, openSync, rmSync } from 'node:fs';
import type { PourableBytes } from '../core/byte-pipe.ts';
import { DamagedBytesError, SourceChangedError, UnreadableSourceError } from '../core/errors.ts';
import { readFully, writeFully } from '../core/io.ts';
import { systemCode } from '../core/system-code.ts';
import { damagedUnit, UNIT_BYTES } from '../core/unit-sums.ts';
import type { DataPiece } from '../overlay/data-store.ts';
import type { LandingRecord } from '../overlay/inode.ts';
import type { ReaderJob, StageJob } from './jobs.ts';

const COPY_BYTES = 1 << 20;

/** Where the bytes come from that are put together; the daemon provides them. */
export interface RenderedFiles {
  /** Fills `target` from a rendered tree file. @returns bytes filled, fewer only at its end. */
  readRendered(node: number, offsetBytes: number, target: Uint8Array): number;
  /** A range of a rendered tree file that needs no rendering, else undefined. */
  pourRendered(node: number, offsetBytes: number, sizeBytes: number): PourableBytes | undefined;
  /** Fills `target` from a landed file. */
  readLanded(record: LandingRecord, offsetBytes: number, target: Uint8Array): number;
}

/** Jobs on the bytes of a file. */
export type ByteJob = Exclude<ReaderJob, { readonly kind: 'find-render' | 'sync' }>;

/** What a reader answers: bytes for a READ, nothing for a finished copy. */
export type ReaderResult = Uint8Array | undefined;

/**
 * Does what the front must not wait for: reads from disks, decoding, copying, syncing. Synchronous, for a thread
 * of its own. Every method either does all it was asked or throws an error that names the file.
 */
export class Reader {
  readonly #files: RenderedFiles;
  readonly #buffer = Buffer.allocUnsafeSlow(COPY_BYTES);

  constructor(files: RenderedFiles) {
    this.#files = files;
  }

  /** The returned view is good until the next call. */
  run(job: ByteJob): ReaderResult {
    return this.#named(() => this.#do(job));
  }

  /** What a READ asks for, where its bytes can go from their files to the client without passing through here. */
  pourable(job: Extract<ReaderJob, { kind: 'read-rendered' }>): PourableBytes | undefined {
    return this.#named(() => this.#files.pourRendered(job.node, job.offsetBytes, job.sizeBytes));
  }

  #named<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      // Whoever reads has the file open: "no such file" would be said of another one.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT' && 'path' in error))
        throw error;
      throw new UnreadableSourceError(String(error.path), 'is gone', {
        cause: error,
        advice: 'put it back, or unmount',
      });
    }
  }

  #do(job: ByteJob): ReaderResult {
    switch (job.kind) {
      case 'read-file':
        return this.#readFile(job);
      case 'read-rendered': {
        const target = this.#target(job.sizeBytes);
        return target.subarray(0, this.#files.readRendered(job.node, job.offsetBytes, target));
      }
      case 'read-pieces': {
        const target = this.#target(
          Math.max(0, Math.min(job.sizeBytes, job.fileSizeBytes - job.offsetBytes)),
        );
        readPieces(job.pieces, job.offsetBytes, target);
        checkPieces(job, target);
        return target;
      }
      case 'read-landed': {
        const target = this.#target(
          Math.max(0, Math.min(job.sizeBytes, job.fileSizeBytes - job.offsetBytes)),
        );
        const got = this.#files.readLanded(job.record, job.offsetBytes, target);
        if (got !== target.length)
          throw new SourceChangedError(String(job.record['mountPath']), 'its landed bytes are shorter');
        return target;
      }
      case 'stage':
        this.#stage(job);
        return undefined;
    }
  }

  #target(sizeBytes: number): Uint8Array {
    return sizeBytes <= this.#buffer.length
      ? this.#buffer.subarray(0, sizeBytes)
      : Buffer.allocUnsafeSlow(sizeBytes);
  }

  #readFile(job: Extract<ReaderJob, { kind: 'read-file' }>): Uint8Array {
    const { path, renderOf, offsetBytes } = job;
    const target = this.#target(job.sizeBytes);
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      if (renderOf === undefined || systemCode(error) !== 'ENOENT') throw error;
      return target.subarray(0, this.#files.readRendered(renderOf, offsetBytes, target));
    }
    try {
      return target.subarray(0, readFully(fd, target, offsetBytes));
    } finally {
      closeSync(fd);
    }
  }

  #stage(job: StageJob): void {
    const { from, stagedPath, sizeBytes } = job;
    rmSync(stagedPath, { force: true });
    try {
      if (from.kind === 'verbatim') {
        copyFileSync(from.path, stagedPath);
        return;
      }
      const fd = openSync(stagedPath, 'w', 0o600);
      try {
        for (let at = 0; at < sizeBytes; at += COPY_BYTES) {
          const part = this.#target(Math.min(COPY_BYTES, sizeBytes - at));
          const got =
            from.kind === 'rendered'
              ? this.#files.readRendered(from.node, at, part)
              : this.#files.readLanded(from.record, at, part);
          if (got !== part.length)
            throw new SourceChangedError(stagedPath, `only ${at + got} of ${sizeBytes} bytes are there`);
          writeFully(fd, part, at);
        }
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      rmSync(stagedPath, { force: true });
      throw error;
    }
  }
}

/** @throws DamagedBytesError when bytes are not what was written. */
function checkPieces(job: Extract<ReaderJob, { kind: 'read-pieces' }>, target: Uint8Array): void {
  if (!job.sums) return;
  const unit = damagedUnit(job.sums, target, job.offsetBytes, job.fileSizeBytes, (at, into) =>
    readPieces(job.pieces, at, into),
  );
  if (unit !== undefined)
    throw new DamagedBytesError(`inode ${job.inode}`, unit * UNIT_BYTES, (unit + 1) * UNIT_BYTES);
}

/** Fills `target` from a file in pieces; what no piece holds is zeros. */
export function readPieces(pieces: readonly DataPiece[], offsetBytes: number, target: Uint8Array): void {
  target.fill(0);
  const end = offsetBytes + target.length;
  for (const piece of pieces) {
    const from = Math.max(offsetBytes, piece.offsetBytes);
    const to = Math.min(end, piece.offsetBytes + piece.sizeBytes);
    if (from >= to) continue;
    const fd = openSync(piece.path, 'r');
    try {
      // A file that moves to disk is cut off in memory.
      if (readFully(fd, target.subarray(from - offsetBytes, to - offsetBytes), from) < to - from)
        throw new SourceChangedError(piece.path, `it ends before byte ${to}`);
    } finally {
      closeSync(fd);
    }
  }
}
