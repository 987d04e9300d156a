import type { OverlayRecord } from '../overlay/records.ts';

/**
 * Pure: what a branch begins with, of a revision of another one. Its files lie where they landed there, and are read
 * from there: each landing says whose it is.
 * @param origin the number of the branch that the revision is of.
 */
export function branchRecords(records: readonly OverlayRecord[], origin: number): OverlayRecord[] {
  return records.map((record) =>
    record.op === 'landed' && record.record['owner'] === undefined
      ? { ...record, record: { ...record.record, owner: origin } }
      : record,
  );
}
