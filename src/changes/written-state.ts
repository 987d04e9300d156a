import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { peekJournal } from '../journal/journal.ts';
import type { DataPiece } from '../overlay/data-store.ts';
import { isFile, type LandingRecord, type OverlayInode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import { Namespace } from '../overlay/namespace.ts';
import { dataFolder, durableFolder, journalPath, type OverlayFolders } from '../overlay/open-overlay.ts';
import type { OverlayRecord } from '../overlay/records.ts';

/** Where the bytes of a written file are. */
export type WrittenContent =
  | { readonly kind: 'pieces'; readonly pieces: readonly DataPiece[] }
  | { readonly kind: 'landed'; readonly record: LandingRecord }
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
  const pieces = landed ? undefined : savedPieces(folders, inode);
  const safe = landed ?? (pieces ? undefined : previous);
  if (safe) {
    const { record, sizeBytes, mtimeNs } = safe;
    const timeNs = String(mtimeNs);
    const content = { kind: 'landed', record } as const;
    return { inode: number, version, sizeBytes, mtimeNs: timeNs, atimeNs: timeNs, isWriting: false, content };
  }
  const content: WrittenContent = pieces ? { kind: 'pieces', pieces: pieces.pieces } : { kind: 'lost' };
  const { sizeBytes = 0, mtimeNs = 0n, atimeNs = 0n } = pieces ?? {};
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

/** The parts of a file that lie in the folders; undefined when they are gone. */
function savedPieces(
  folders: OverlayFolders,
  { number, splitAt }: OverlayInode,
): { pieces: DataPiece[]; sizeBytes: number; mtimeNs: bigint; atimeNs: bigint } | undefined {
  const name = number.toString(16);
  const memory = join(dataFolder(folders), name);
  const spill = join(folders.state, 'spill', name);
  const isSplit = splitAt !== Number.POSITIVE_INFINITY;
  const paths = [memory, ...(isSplit ? [spill] : [])].filter((path) => existsSync(path));
  // What lies past the split is no file without what lay before it.
  const isWhole = existsSync(memory) || (isSplit && splitAt === 0 && existsSync(spill));
  const durable = join(durableFolder(folders), name);
  const found = isWhole ? paths : existsSync(durable) ? [durable] : [];
  if (found.length === 0) return undefined;
  const stats = found.map((path) => ({ path, ...statSync(path, { bigint: true }) }));
  const latest = (times: bigint[]): bigint => times.reduce((a, b) => (a > b ? a : b));
  const sizeBytes = Number(latest(stats.map(({ size }) => size)));
  const pieces = stats.map(({ path, size }): DataPiece => {
    const offsetBytes = path === spill ? splitAt : 0;
    const endBytes = path === memory ? Math.min(Number(size), splitAt) : Number(size);
    return { path, offsetBytes, sizeBytes: endBytes - offsetBytes };
  });
  return {
    pieces: pieces.filter((piece) => piece.sizeBytes > 0),
    sizeBytes,
    mtimeNs: latest(stats.map((stat) => stat.mtimeNs)),
    atimeNs: latest(stats.map((stat) => stat.atimeNs)),
  };
}
