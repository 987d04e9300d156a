import { crc32 } from 'node:zlib';

/** Marks the start of a record, so that a damaged middle can be told from a torn tail. */
const MAGIC = 0x31_4a_46_50; // 'PFJ1' in file order
/** magic, payload length, CRC-32 of the payload; u32 little-endian each. */
const FRAME_BYTES = 12;
/** A longer record than this was never written, so such a length is damage. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Records are plain JSON objects; what they mean is the writer's business. */
export type JournalRecord = object;

/** The journal's own record: bytes before this offset had been made safe when it was appended. */
interface SyncedMark {
  readonly journalSyncedBytes: number;
}

/** A record as it lies in the file. */
export function frame(record: JournalRecord): Buffer {
  const payload = Buffer.from(JSON.stringify(record));
  const framed = Buffer.allocUnsafe(FRAME_BYTES + payload.length);
  framed.writeUInt32LE(MAGIC, 0);
  framed.writeUInt32LE(payload.length, 4);
  framed.writeUInt32LE(crc32(payload), 8);
  payload.copy(framed, FRAME_BYTES);
  return framed;
}

export function syncedMark(sizeBytes: number): Buffer {
  const mark: SyncedMark = { journalSyncedBytes: sizeBytes };
  return frame(mark);
}

/** Length of the valid record at `at`, frame included, or 0. */
function recordLength(bytes: Buffer, at: number): number {
  if (at + FRAME_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return 0;
  const payloadBytes = bytes.readUInt32LE(at + 4);
  if (payloadBytes > MAX_RECORD_BYTES || at + FRAME_BYTES + payloadBytes > bytes.length) return 0;
  const payload = bytes.subarray(at + FRAME_BYTES, at + FRAME_BYTES + payloadBytes);
  return crc32(payload) === bytes.readUInt32LE(at + 8) ? FRAME_BYTES + payloadBytes : 0;
}

const recordAt = (bytes: Buffer, at: number, length: number): JournalRecord =>
  JSON.parse(bytes.toString('utf8', at + FRAME_BYTES, at + length)) as JournalRecord;

export const isMark = (record: JournalRecord): record is SyncedMark => 'journalSyncedBytes' in record;

/** Replays records from the start. @returns where the first one that is not valid begins. */
export function replayAll(bytes: Buffer, replay: (record: JournalRecord) => void): number {
  let at = 0;
  for (let length = recordLength(bytes, at); length > 0; length = recordLength(bytes, at)) {
    const record = recordAt(bytes, at, length);
    if (!isMark(record)) replay(record);
    at += length;
  }
  return at;
}

/**
 * Whether what begins at `at` can be a record that was being appended when its writer was killed: it begins as
 * records do, and the file ends before it does.
 */
function isBegunRecord(bytes: Buffer, at: number): boolean {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(MAGIC, 0);
  const head = bytes.subarray(at, at + magic.length);
  if (!head.equals(magic.subarray(0, head.length))) return false;
  if (at + FRAME_BYTES > bytes.length) return true;
  const payloadBytes = bytes.readUInt32LE(at + 4);
  return payloadBytes <= MAX_RECORD_BYTES && at + FRAME_BYTES + payloadBytes > bytes.length;
}

/**
 * Pure: why bytes from `at` on are damage and no torn tail, or undefined. A process that is killed leaves the
 * beginning of one record. A machine that loses power leaves anything of what was not synced: there it is damage
 * only where a later record says that those bytes had been safe.
 */
export function damageAt(bytes: Buffer, at: number, lostPower: boolean): string | undefined {
  if (at === bytes.length) return undefined;
  for (const { record } of wholeRecords(bytes, at + 1)) {
    if (!lostPower) return 'with good records after it';
    if (isMark(record) && record.journalSyncedBytes > at) return 'which had been safe on disk';
  }
  if (lostPower || isBegunRecord(bytes, at)) return undefined;
  return 'in the last record';
}

/** Every whole record from a byte on, in order; `at` is where it lies, `sizeBytes` how long it is there. */
export function* wholeRecords(
  bytes: Buffer,
  from: number,
): Generator<{ readonly at: number; readonly sizeBytes: number; readonly record: JournalRecord }> {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(MAGIC, 0);
  for (let at = bytes.indexOf(magic, from); at !== -1; ) {
    const sizeBytes = recordLength(bytes, at);
    if (sizeBytes > 0) {
      const record = recordAt(bytes, at, sizeBytes);
      yield { at, sizeBytes, record };
    }
    at = bytes.indexOf(magic, at + Math.max(1, sizeBytes));
  }
}
