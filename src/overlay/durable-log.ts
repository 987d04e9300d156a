import { fstatSync, readdirSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { readFully, writeFully } from '../core/io.ts';
import { storage } from '../core/storage.ts';

/**
 * A file's log of syncs: what changed since the sync before, then what the file was as a whole. Frames of 48 bytes,
 * little-endian: magic, kind (u32); offset and length, or size and split (f64); mtime and atime in ns (u64); CRC-32
 * of the bytes that follow, CRC-32 of the frame so far (u32). Bytes follow an extent only.
 */
const FRAME_BYTES = 48;
const MAGIC = 0x31_44_46_50; // 'PFD1' in file order
const EXTENT = 1;
/** A stretch of zeros. */
const ZEROS = 2;
const COMMIT = 3;
/** What lies before has been safe on disk: behind it nothing before it can be a torn tail. */
const SAFE = 4;
const EXTENT_BYTES = 1 << 20;
/** Instead of a place in the log: zeros, or the end of the file. */
const ALL_ZEROS = -1;
const CUT_OFF = -2;
const zeros = Buffer.alloc(EXTENT_BYTES);
/** Of this thread: every frame is written before the next is made. */
const frameBuffer = Buffer.allocUnsafeSlow(FRAME_BYTES + EXTENT_BYTES);

/** A stretch of bytes, `from` included, `to` not. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** What a file was when it was synced. Bytes from `splitAt` on lie in its spill file. */
export interface SyncedState {
  readonly sizeBytes: number;
  readonly splitAt: number;
  readonly mtimeNs: bigint;
  readonly atimeNs: bigint;
}

interface Frame {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly mtimeNs: bigint;
  readonly atimeNs: bigint;
  readonly payloadCrc: number;
}

function encode(into: Buffer, frame: Frame): void {
  into.writeUInt32LE(MAGIC, 0);
  into.writeUInt32LE(frame.kind, 4);
  into.writeDoubleLE(frame.a, 8);
  into.writeDoubleLE(frame.b, 16);
  into.writeBigInt64LE(frame.mtimeNs, 24);
  into.writeBigInt64LE(frame.atimeNs, 32);
  into.writeUInt32LE(frame.payloadCrc, 40);
  into.writeUInt32LE(crc32(into.subarray(0, 44)), 44);
}

function decode(bytes: Buffer): Frame | undefined {
  if (bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(44) !== crc32(bytes.subarray(0, 44)))
    return undefined;
  return {
    kind: bytes.readUInt32LE(4),
    a: bytes.readDoubleLE(8),
    b: bytes.readDoubleLE(16),
    mtimeNs: bytes.readBigInt64LE(24),
    atimeNs: bytes.readBigInt64LE(32),
    payloadCrc: bytes.readUInt32LE(40),
  };
}

const plain = { mtimeNs: 0n, atimeNs: 0n, payloadCrc: 0 };

/** Appends syncs to an open log, from `sizeBytes` on. */
export class DurableLogWriter {
  readonly #fd: number;
  #sizeBytes: number;
  constructor(fd: number, sizeBytes: number) {
    this.#fd = fd;
    this.#sizeBytes = sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  #write(bytes: Buffer): void {
    writeFully(this.#fd, bytes, this.#sizeBytes);
    this.#sizeBytes += bytes.length;
  }

  /** @param read fills a view with the file's bytes from an offset on. @returns their CRC-32, where that is known. */
  extents(range: ByteRange, read: (offsetBytes: number, target: Uint8Array) => number | undefined): void {
    for (let at = range.from; at < range.to; at += EXTENT_BYTES) {
      const sizeBytes = Math.min(EXTENT_BYTES, range.to - at);
      const payload = frameBuffer.subarray(FRAME_BYTES, FRAME_BYTES + sizeBytes);
      const knownCrc = read(at, payload);
      const isZero = payload.equals(zeros.subarray(0, sizeBytes));
      const payloadCrc = isZero ? 0 : (knownCrc ?? crc32(payload));
      encode(frameBuffer, { ...plain, kind: isZero ? ZEROS : EXTENT, a: at, b: sizeBytes, payloadCrc });
      this.#write(frameBuffer.subarray(0, FRAME_BYTES + (isZero ? 0 : sizeBytes)));
    }
  }

  commit({ sizeBytes, splitAt, mtimeNs, atimeNs }: SyncedState): void {
    encode(frameBuffer, { kind: COMMIT, a: sizeBytes, b: splitAt, mtimeNs, atimeNs, payloadCrc: 0 });
    this.#write(frameBuffer.subarray(0, FRAME_BYTES));
  }

  /** Notes that everything so far was synced. The note itself may be lost. */
  safe(): void {
    encode(frameBuffer, { ...plain, kind: SAFE, a: this.#sizeBytes, b: 0 });
    this.#write(frameBuffer.subarray(0, FRAME_BYTES));
  }
}

/** What a log says, without the sync that was under way when the machine went down. */
export interface LoggedFile {
  readonly state: SyncedState;
  /** In the order in which they are to be laid over each other. `at`: where the bytes lie in the log, or what they are. */
  readonly extents: readonly (ByteRange & { readonly at: number })[];
  /** Stretches that had been safe and are damaged. */
  readonly damaged: readonly ByteRange[];
}

/**
 * Reads a log. @returns undefined where no sync was finished. Where a frame that had been safe is damaged, what lies
 * behind it can't be told: then all of the file is damaged.
 */
export function readDurableLog(fd: number): LoggedFile | undefined {
  const { size } = fstatSync(fd);
  const head = Buffer.alloc(FRAME_BYTES);
  const payload = Buffer.allocUnsafe(EXTENT_BYTES);
  const extents: (ByteRange & { at: number })[] = [];
  const damaged: ByteRange[] = [];
  let state: SyncedState | undefined;
  let known = { extents: 0, damaged: 0 };
  let at = 0;
  let pendingDamage = false;
  let unsafe: { state: SyncedState | undefined; extents: number; damaged: number } | undefined;
  while (at + FRAME_BYTES <= size) {
    readFully(fd, head, at);
    const frame = decode(head);
    if (!frame) break;
    at += FRAME_BYTES;
    if (frame.kind === EXTENT) {
      const got = payload.subarray(0, Math.min(frame.b, EXTENT_BYTES));
      const isGood = readFully(fd, got, at) === frame.b && crc32(got) === frame.payloadCrc;
      const range = { from: frame.a, to: frame.a + frame.b };
      if (!isGood) {
        damaged.push(range);
        pendingDamage = true;
      }
      extents.push({ ...range, at });
      at += frame.b;
    } else if (frame.kind === ZEROS) extents.push({ from: frame.a, to: frame.a + frame.b, at: ALL_ZEROS });
    else if (frame.kind === COMMIT) {
      // Until it is known to have been safe, a sync with damaged bytes is one that was never finished.
      if (pendingDamage) unsafe ??= { state, ...known };
      const { a: sizeBytes, b: splitAt, mtimeNs, atimeNs } = frame;
      state = { sizeBytes, splitAt, mtimeNs, atimeNs };
      // What lay behind the end is gone, should the file have grown again later.
      extents.push({ from: sizeBytes, to: Number.POSITIVE_INFINITY, at: CUT_OFF });
      known = { extents: extents.length, damaged: damaged.length };
    } else if (frame.kind === SAFE) {
      pendingDamage = false;
      unsafe = undefined;
    }
  }
  if (at < size && holdsSafeFrameAfter(fd, at, size)) {
    const sizeBytes = state?.sizeBytes ?? 0;
    const whole = { from: 0, to: Math.max(1, sizeBytes) };
    const empty = { sizeBytes, splitAt: Number.POSITIVE_INFINITY, mtimeNs: 0n, atimeNs: 0n };
    return { state: state ?? empty, extents: extents.slice(0, known.extents), damaged: [whole] };
  }
  const end = unsafe ?? { state, ...known };
  if (!end.state) return undefined;
  return {
    state: end.state,
    extents: extents.slice(0, end.extents),
    damaged: damaged.slice(0, end.damaged),
  };
}

/** Whether a frame behind `from` says that what begins there had been safe. */
function holdsSafeFrameAfter(fd: number, from: number, size: number): boolean {
  const magic = Buffer.alloc(8);
  magic.writeUInt32LE(MAGIC, 0);
  magic.writeUInt32LE(SAFE, 4);
  const window = Buffer.allocUnsafe(EXTENT_BYTES);
  for (let start = from; start < size; start += EXTENT_BYTES - FRAME_BYTES) {
    const bytes = window.subarray(0, readFully(fd, window, start));
    for (let at = bytes.indexOf(magic); at !== -1 && at + FRAME_BYTES <= bytes.length; ) {
      if ((decode(bytes.subarray(at, at + FRAME_BYTES))?.a ?? 0) > from) return true;
      at = bytes.indexOf(magic, at + 1);
    }
  }
  return false;
}

/** Lays a log's bytes where they belong in another file, and gives that its length. The caller syncs. */
export function layOut(logged: LoggedFile, logFd: number, targetFd: number): void {
  const buffer = Buffer.allocUnsafe(EXTENT_BYTES);
  const { sizeBytes, splitAt } = logged.state;
  const endBytes = Math.min(sizeBytes, splitAt);
  let laidBytes = 0;
  for (const extent of logged.extents) {
    const { from, at } = extent;
    const to = Math.min(at === CUT_OFF ? laidBytes : extent.to, endBytes);
    if (at < 0) {
      for (let zero = from; zero < to; zero += EXTENT_BYTES)
        writeFully(targetFd, zeros.subarray(0, Math.min(EXTENT_BYTES, to - zero)), zero);
    } else if (from < to) {
      const bytes = buffer.subarray(0, to - from);
      readFully(logFd, bytes, at);
      writeFully(targetFd, bytes, from);
    }
    laidBytes = Math.max(laidBytes, to);
  }
  storage.truncate(targetFd, sizeBytes);
}

const LOG_NAME = /^([0-9a-f]+)\.([0-9a-f]+)$/;

/** The name of a file's nth log. */
export const logName = (number: number, generation: number): string =>
  `${number.toString(16)}.${generation.toString(16)}`;

/** Logs in a folder: the generations of each file's, oldest first. */
export function logsIn(folder: string): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const name of readdirSync(folder)) {
    const [, file = '', generation = ''] = LOG_NAME.exec(name) ?? [];
    if (file === '') continue;
    const number = Number.parseInt(file, 16);
    found.set(
      number,
      [...(found.get(number) ?? []), Number.parseInt(generation, 16)].sort((a, b) => a - b),
    );
  }
  return found;
}
