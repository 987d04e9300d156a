import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { peekJournal } from '../journal/journal.ts';
import type { DataPiece } from '../overlay/data-store.ts';
import { logName, logsIn, readDurableLog } from '../overlay/durable-log.ts';
import { isFile, type LandingRecord, type OverlayInode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import { Namespace } from '../overlay/namespace.ts';
import {
  dataFolder,
  durableFolder,
  journalPath,
  type OverlayFolders,
  spillFolder,
} from '../overlay/open-overlay.ts';
import { powerState } from '../overlay/power-mark.ts';
import type { OverlayRecord } from '../overlay/records.ts';

/** Where the bytes of a written file are. */
export type WrittenContent =
  | { readonly kind: 'pieces'; readonly pieces: readonly DataPiece[] }
  | { readonly kind: 'landed'; readonly record: LandingRecord }
  /** On disk as it was last synced: the next mount brings it back. */
  | { readonly kind: 'asleep' }
  /** Nowhere any more: they were in memory when the machine went down. */
  | { readonly kind: 'lost' };

/** A written file, as it is now. Plain data. */
export interface WrittenFile {
  readonly inode: number;
  /** Another one means other bytes. */
  readonly version: number;
  readonly sizeBytes: number;
  /** Nanoseconds since 1970, as decimal text. */
  readonly mtimeNs: string;
  readonly atimeNs: string;
  /** A program has it open to write. */
  readonly isWriting: boolean;
  readonly content: WrittenContent;
}

/** Everything that was written to a mount: what a daemon tells, or what it left. Plain data. */
export interface WrittenState {
  /** They lead from nothing to the present names. */
  readonly records: readonly OverlayRecord[];
  readonly files: readonly WrittenFile[];
}

/** The names of a written state over the tree it was written to. */
export function namesOf({ records }: WrittenState, lower: LowerTree): Namespace {
  const names = new Namespace(lower);
  for (const record of records) names.apply(record);
  return names;
}

/**
 * What an unmounted plate's state folder says. Changes nothing, not even a torn tail of the journal.
 * @param lower the tree of the last mount.
 */
export function savedState(folders: OverlayFolders, lower: LowerTree): WrittenState {
  const records: OverlayRecord[] = [];
  peekJournal(journalPath(folders), (record) => records.push(record as OverlayRecord));
  const names = namesOf({ records, files: [] }, lower);
  const files = [...names.inodes.values()]
    .filter((inode) => isFile(inode) && inode.place !== undefined)
    .map((inode) => savedFile(folders, inode));
  return { records, files };
}

/** As {@link WrittenFile}, of a file that no daemon serves. */
export function savedFile(folders: OverlayFolders, inode: OverlayInode): WrittenFile {
  const { number, version, landed, previous } = inode;
  const found = landed ? undefined : savedBytes(folders, inode);
  const safe = landed ?? (found ? undefined : previous);
  const { sizeBytes, mtimeNs, atimeNs, content } = safe
    ? { ...safe, atimeNs: safe.mtimeNs, content: { kind: 'landed', record: safe.record } as const }
    : (found ?? { sizeBytes: 0, mtimeNs: 0n, atimeNs: 0n, content: { kind: 'lost' } as const });
  return {
    inode: number,
    version,
    sizeBytes,
    mtimeNs: String(mtimeNs),
    atimeNs: String(atimeNs),
    isWriting: false,
    content,
  };
}

interface SavedBytes {
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly atimeNs: bigint;
  readonly content: WrittenContent;
}

/** What the next mount will find of a file that has not landed; undefined when it is gone. As `openOverlay` has it. */
function savedBytes(folders: OverlayFolders, inode: OverlayInode): SavedBytes | undefined {
  const power = powerState(folders.memory, dataFolder(folders), folders.state);
  const pieces = power === 'gone' ? undefined : savedPieces(folders, inode);
  if (power === 'kept' && pieces) return pieces;
  return syncedBytes(folders, inode.number) ?? pieces;
}

function syncedBytes(folders: OverlayFolders, number: number): SavedBytes | undefined {
  const folder = durableFolder(folders);
  if (!existsSync(folder)) return undefined;
  for (const generation of (logsIn(folder).get(number) ?? []).toReversed()) {
    const fd = openSync(join(folder, logName(number, generation)), 'r');
    try {
      const logged = readDurableLog(fd);
      if (!logged) continue;
      const { sizeBytes, mtimeNs, atimeNs } = logged.state;
      return { sizeBytes, mtimeNs, atimeNs, content: { kind: 'asleep' } };
    } finally {
      closeSync(fd);
    }
  }
  return undefined;
}

/** The parts of a file that lie in the folders; undefined when they are gone. */
function savedPieces(folders: OverlayFolders, { number, splitAt }: OverlayInode): SavedBytes | undefined {
  const name = number.toString(16);
  const memory = join(dataFolder(folders), name);
  const spill = join(spillFolder(folders), name);
  const isSplit = splitAt !== Number.POSITIVE_INFINITY;
  // What lies past the split is no file without what lay before it.
  if (!existsSync(memory) && !(splitAt === 0 && existsSync(spill))) return undefined;
  const found = [memory, ...(isSplit ? [spill] : [])].filter((path) => existsSync(path));
  const stats = found.map((path) => ({ path, ...statSync(path, { bigint: true }) }));
  const latest = (times: bigint[]): bigint => times.reduce((a, b) => (a > b ? a : b));
  const pieces = stats.map(({ path, size }): DataPiece => {
    const offsetBytes = path === spill ? splitAt : 0;
    const endBytes = path === memory ? Math.min(Number(size), splitAt) : Number(size);
    return { path, offsetBytes, sizeBytes: endBytes - offsetBytes };
  });
  return {
    sizeBytes: Number(latest(stats.map(({ size }) => size))),
    mtimeNs: latest(stats.map((stat) => stat.mtimeNs)),
    atimeNs: latest(stats.map((stat) => stat.atimeNs)),
    content: { kind: 'pieces', pieces: pieces.filter((piece) => piece.sizeBytes > 0) },
  };
}
