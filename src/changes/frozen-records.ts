import { createHash } from 'node:crypto';
import { isFile } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import type { OverlayRecord } from '../overlay/records.ts';
import { namesOf, type WrittenState } from './written-state.ts';

/** A state of everything written that no later change touches: every file in it has landed. */
export interface FrozenState {
  readonly records: readonly OverlayRecord[];
  readonly landings: readonly string[];
  readonly files: number;
  readonly sizeBytes: number;
  readonly digest: string;
  /** Paths of files that are being written: in it as they had last landed, or not at all. */
  readonly leftOut: readonly string[];
}

/** What concerns files only while they are worked on. */
const PASSING: ReadonlySet<OverlayRecord['op']> = new Set([
  'next',
  'abandoned',
  'recalled',
  'split',
  'hook-ended',
]);

/**
 * Pure: what of a written state can be kept by name. A file that has not landed is in it as it had landed before; one
 * that never landed is not in it, and where it covers a file of the source, that shows.
 */
export function frozenState(state: WrittenState, lower: LowerTree): FrozenState {
  const names = namesOf(state, lower);
  const leftOut: string[] = [];
  const missing = new Set<number>();
  const landings: string[] = [];
  let files = 0;
  let sizeBytes = 0;
  for (const inode of names.inodes.values()) {
    if (!inode.place) missing.add(inode.number);
    if (!isFile(inode) || !inode.place) continue;
    if (!inode.landed) leftOut.push(names.pathOf(inode.number) ?? inode.place.name);
    const safe = inode.landed ?? inode.previous;
    if (!safe) {
      missing.add(inode.number);
      continue;
    }
    files++;
    sizeBytes += safe.sizeBytes;
    landings.push(String(safe.record['id']));
  }
  const records = state.records.filter(
    (record) => !PASSING.has(record.op) && !('inode' in record && missing.has(record.inode)),
  );
  return { records, landings, files, sizeBytes, digest: digestOf(records), leftOut };
}

/** Of names, rights, attributes and bytes; not of when they came, and not of where in the output folder bytes lie. */
function digestOf(records: readonly OverlayRecord[]): string {
  const lasting = records
    .filter(({ op }) => op !== 'touched')
    .map((record) => ({ ...record, at: 0, version: 0 }))
    .map((record) => (record.op === 'landed' ? { ...record, record: record.record['id'] } : record));
  const hash = createHash('sha256');
  for (const line of lasting.map((record) => JSON.stringify(record)).sort()) hash.update(`${line}\n`);
  return hash.digest('hex').slice(0, 32);
}
