import { existsSync, readFileSync } from 'node:fs';
import { damagedJournal } from './journal.ts';
import { damageAt, isMark, type JournalRecord, replayAll, wholeRecords } from './journal-frames.ts';

/** What lies in a journal, damage or not. */
export interface JournalExamination {
  /** Every whole record, in order. */
  readonly records: readonly JournalRecord[];
  /** Stretches that are no record, and no torn tail. */
  readonly damaged: readonly { readonly atByte: number; readonly sizeBytes: number }[];
  /** Bytes at the end that the next mount cuts off: what was being written when the process or the machine died. */
  readonly tornBytes: number;
}

const bytesOf = (path: string): Buffer => (existsSync(path) ? readFileSync(path) : Buffer.alloc(0));

/**
 * Reads a journal that nobody opens, going on after damage. Changes nothing; one that is not there has no records.
 * @param lostPower as for {@link Journal.open}.
 */
export function examineJournal(path: string, lostPower: boolean): JournalExamination {
  const bytes = bytesOf(path);
  const records: JournalRecord[] = [];
  let at = replayAll(bytes, (record) => records.push(record));
  if (damageAt(bytes, at, lostPower) === undefined)
    return { records, damaged: [], tornBytes: bytes.length - at };
  const damaged: { atByte: number; sizeBytes: number }[] = [];
  for (const whole of wholeRecords(bytes, at)) {
    if (whole.at > at) damaged.push({ atByte: at, sizeBytes: whole.at - at });
    if (!isMark(whole.record)) records.push(whole.record);
    at = whole.at + whole.sizeBytes;
  }
  if (at < bytes.length) damaged.push({ atByte: at, sizeBytes: bytes.length - at });
  return { records, damaged, tornBytes: 0 };
}

/**
 * Looks at every record, for whoever would refuse a damaged journal later and at a worse moment.
 * @throws StateCorruptError as {@link Journal.open}.
 */
export function demandWholeJournal(path: string, lostPower: boolean): void {
  const bytes = bytesOf(path);
  const at = replayAll(bytes, () => {});
  const damage = damageAt(bytes, at, lostPower);
  if (damage !== undefined) throw damagedJournal(path, at, damage);
}
