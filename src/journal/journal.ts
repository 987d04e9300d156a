import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { NoSpaceError, StateCorruptError } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import { isOutOfSpace } from '../core/io.ts';

/** Marks the start of a record, so that a damaged middle can be told from a torn tail. */
const MAGIC = 0x31_4a_46_50; // 'PFJ1' in file order
/** magic, payload length, CRC-32 of the payload; u32 little-endian each. */
export const FRAME_BYTES = 12;
/** A longer record than this was never written, so such a length is damage. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Room held ahead of the end: some thousands of changes once the disk is full. */
const RESERVE_BYTES = 1024 * 1024;

/** Sees to it that a file of this size fits on the disk, its length as it is; never throws for want of room. */
type ReserveRoom = (fd: number, sizeBytes: number) => void;

/** Records are plain JSON objects; what they mean is the writer's business. */
export type JournalRecord = object;

function frame(record: JournalRecord): Buffer {
  const payload = Buffer.from(JSON.stringify(record));
  const framed = Buffer.allocUnsafe(FRAME_BYTES + payload.length);
  framed.writeUInt32LE(MAGIC, 0);
  framed.writeUInt32LE(payload.length, 4);
  framed.writeUInt32LE(crc32(payload), 8);
  payload.copy(framed, FRAME_BYTES);
  return framed;
}

/** Length of the valid record at `at`, frame included, or 0. */
export function recordLength(bytes: Buffer, at: number): number {
  if (at + FRAME_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return 0;
  const payloadBytes = bytes.readUInt32LE(at + 4);
  if (payloadBytes > MAX_RECORD_BYTES || at + FRAME_BYTES + payloadBytes > bytes.length) return 0;
  const payload = bytes.subarray(at + FRAME_BYTES, at + FRAME_BYTES + payloadBytes);
  return crc32(payload) === bytes.readUInt32LE(at + 8) ? FRAME_BYTES + payloadBytes : 0;
}

/** Replays records from the start. @returns where the first one that is not valid begins. */
function replayAll(bytes: Buffer, replay: (record: JournalRecord) => void): number {
  let at = 0;
  for (let length = recordLength(bytes, at); length > 0; length = recordLength(bytes, at)) {
    replay(JSON.parse(bytes.toString('utf8', at + FRAME_BYTES, at + length)) as JournalRecord);
    at += length;
  }
  return at;
}

/** Replays a journal that is left as it is; one that is not there has no records. */
export function peekJournal(path: string, replay: (record: JournalRecord) => void): void {
  if (existsSync(path)) replayAll(readFileSync(path), replay);
}

/** Where the next whole record begins, from a byte on; undefined where none follows. */
export function nextRecordAt(bytes: Buffer, from: number): number | undefined {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(MAGIC, 0);
  for (let at = bytes.indexOf(magic, from); at !== -1; at = bytes.indexOf(magic, at + 1)) {
    if (recordLength(bytes, at) > 0) return at;
  }
  return undefined;
}

/** What is said of a journal with good records after damaged ones. */
export function damagedJournal(path: string, atByte: number): StateCorruptError {
  return new StateCorruptError(path, `damaged at byte ${atByte}, with good records after it`, {
    advice: 'platefs fsck PLATE --repair  keeps it aside and goes on without what is damaged',
  });
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
}

/**
 * An append-only file of checked records. `append` returns when the record is in the kernel: it survives the
 * death of this process; `sync` makes it survive power loss. One writer.
 */
export class Journal {
  readonly path: string;
  #fd: number;
  #sizeBytes: number;
  #reservedBytes = 0;
  #reserve: ReserveRoom | undefined;

  private constructor(path: string, fd: number, sizeBytes: number) {
    this.path = path;
    this.#fd = fd;
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Opens or makes the journal and replays it. A torn tail (the record being written when the machine died) is
   * cut off; its length is returned.
   * @throws StateCorruptError when valid records follow damaged ones: that is no torn tail.
   */
  static open(
    path: string,
    replay: (record: JournalRecord) => void,
  ): { journal: Journal; tornBytes: number } {
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const at = replayAll(bytes, replay);
    const tornBytes = bytes.length - at;
    if (tornBytes > 0 && nextRecordAt(bytes, at + 1) !== undefined) {
      throw damagedJournal(path, at);
    }
    const fd = openSync(path, 'a+', 0o600);
    if (tornBytes > 0) ftruncateSync(fd, at);
    return { journal: new Journal(path, fd, at), tornBytes };
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** From now on room is taken ahead of need. */
  reserveBy(reserve: ReserveRoom): void {
    this.#reserve = reserve;
    this.#takeRoom();
  }

  #takeRoom(): void {
    if (!this.#reserve || this.#sizeBytes + RESERVE_BYTES / 2 < this.#reservedBytes) return;
    this.#reservedBytes = this.#sizeBytes + RESERVE_BYTES;
    this.#reserve(this.#fd, this.#reservedBytes);
  }

  /** @throws NoSpaceError when the disk is full; the journal is then as it was before. */
  append(record: JournalRecord): void {
    const bytes = frame(record);
    passFaultPoint('journal.before-append');
    this.#takeRoom();
    try {
      writeAll(this.#fd, bytes);
    } catch (error) {
      ftruncateSync(this.#fd, this.#sizeBytes);
      if (isOutOfSpace(error)) {
        throw new NoSpaceError(`no room to note a change in ${this.path}`, {
          cause: error,
          advice: 'free space on that disk; nothing that was acknowledged is lost',
        });
      }
      throw error;
    }
    this.#sizeBytes += bytes.length;
    passFaultPoint('journal.after-append');
  }

  /** Makes every appended record survive power loss. */
  sync(): void {
    fdatasyncSync(this.#fd);
  }

  /** Replaces the content by `records`, atomically. */
  rewrite(records: Iterable<JournalRecord>): void {
    const temporary = `${this.path}.new`;
    const fd = openSync(temporary, 'w', 0o600);
    let sizeBytes = 0;
    try {
      for (const record of records) {
        const bytes = frame(record);
        writeAll(fd, bytes);
        sizeBytes += bytes.length;
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, this.path);
    const folder = openSync(dirname(this.path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
    closeSync(this.#fd);
    this.#fd = openSync(this.path, 'a+', 0o600);
    this.#sizeBytes = sizeBytes;
    this.#reservedBytes = 0;
    this.#takeRoom();
  }

  close(): void {
    closeSync(this.#fd);
  }
}
