import { existsSync, readFileSync } from 'node:fs';
import { damagedJournal, FRAME_BYTES, type JournalRecord, nextRecordAt, recordLength } from './journal.ts';

/** What lies in a journal, damage or not. */
export interface JournalExamination {
  /** Every whole record, in order. */
  readonly records: readonly JournalRecord[];
  /** Stretches before whole records that are no record. */
  readonly damaged: readonly { readonly atByte: number; readonly sizeBytes: number }[];
  /** Bytes at the end that are no whole record: what was being written when the machine went down. */
  readonly tornBytes: number;
}

/** Reads a journal that nobody serves, going on after damage. Changes nothing; one that is not there has no records. */
export function examineJournal(path: string): JournalExamination {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const records: JournalRecord[] = [];
  const damaged: { atByte: number; sizeBytes: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = recordLength(bytes, at);
    if (length > 0) {
      records.push(JSON.parse(bytes.toString('utf8', at + FRAME_BYTES, at + length)) as JournalRecord);
      at += length;
      continue;
    }
    const next = nextRecordAt(bytes, at + 1);
    if (next === undefined) return { records, damaged, tornBytes: bytes.length - at };
    damaged.push({ atByte: at, sizeBytes: next - at });
    at = next;
  }
  return { records, damaged, tornBytes: 0 };
}

/**
 * Looks at every record's checksum, for whoever would refuse a damaged journal later and at a worse moment.
 * @throws StateCorruptError as {@link Journal.open}.
 */
export function demandWholeJournal(path: string): void {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  let at = 0;
  for (let length = recordLength(bytes, at); length > 0; length = recordLength(bytes, at)) at += length;
  if (at < bytes.length && nextRecordAt(bytes, at + 1) !== undefined) throw damagedJournal(path, at);
}
