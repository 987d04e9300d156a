import { existsSync, readFileSync, statSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { CancelledError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { UNIT_BYTES, unitSum } from '../core/unit-sums.ts';
import { SealedReader } from '../materializer/sealed-file.ts';
import type { DataPiece } from '../overlay/data-store.ts';
import type { ByteRange } from '../overlay/durable-log.ts';
import { isFile, type OverlayInode } from '../overlay/inode.ts';
import type { Namespace } from '../overlay/namespace.ts';
import { hasLostPower, type OverlayFolders, sumsPath } from '../overlay/open-overlay.ts';
import { SumTable } from '../overlay/sum-table.ts';
import type { CheckProgress } from './check-output.ts';
import type { Finding } from './findings.ts';
import { savedFile } from './written-state.ts';

/** A file that has not landed, of which some bytes are not what was written. */
export interface DamagedFile {
  readonly inode: OverlayInode;
  readonly path: string;
  readonly sizeBytes: number;
  readonly pieces: readonly DataPiece[];
  /** Whole units of its checksums, cut off at the file's end. */
  readonly ranges: readonly ByteRange[];
}

/** Stretches that touch each other as one. */
export function joined(ranges: readonly ByteRange[]): ByteRange[] {
  const found: ByteRange[] = [];
  for (const range of ranges) {
    const last = found.at(-1);
    if (last?.to === range.from) found[found.length - 1] = { from: last.from, to: range.to };
    else found.push(range);
  }
  return found;
}

const NAMED_RANGES = 8;

/** `bytes 0 to 65536, 131072 to 140000 of 140000` */
export function rangesText(ranges: readonly ByteRange[], sizeBytes: number): string {
  const named = ranges.slice(0, NAMED_RANGES).map(({ from, to }) => `${from} to ${to}`);
  const more = ranges.length > named.length ? ` and ${ranges.length - named.length} more stretches` : '';
  return `bytes ${named.join(', ')}${more} of ${sizeBytes}`;
}

/** The checksums of what is in memory, as the last daemon noted them. */
export function sumsOf(folders: OverlayFolders): SumTable {
  const path = sumsPath(folders);
  return SumTable.of(existsSync(path) ? readFileSync(path) : Buffer.alloc(0));
}

/** The units of a file that are not what its checksums say, but for those whose write was never answered. */
export function damagedRanges(
  file: Pick<DamagedFile, 'inode' | 'path' | 'sizeBytes' | 'pieces'>,
  sums: SumTable,
): ByteRange[] {
  const { inode, path, sizeBytes, pieces } = file;
  const { doubtful } = sums;
  const isDoubtful = (unit: number): boolean =>
    doubtful?.number === inode.number &&
    unit >= doubtful.firstUnit &&
    unit < doubtful.firstUnit + doubtful.before.length;
  using reader = new SealedReader({ inode: inode.number, mountPath: path, sizeBytes, mtimeMs: 0, pieces });
  const room = Buffer.allocUnsafe(UNIT_BYTES);
  const found: ByteRange[] = [];
  for (let from = 0; from < sizeBytes; from += UNIT_BYTES) {
    const unit = from / UNIT_BYTES;
    const to = Math.min(sizeBytes, from + UNIT_BYTES);
    const bytes = room.subarray(0, to - from);
    reader.read(from, bytes);
    if (unitSum(bytes) !== (sums.at(inode.number, unit) ?? 0) && !isDoubtful(unit)) found.push({ from, to });
  }
  return joined(found);
}

/** What says that nobody wrote to a file meanwhile. */
const stamp = (pieces: readonly DataPiece[]): string =>
  pieces
    .map(({ path }) => statSync(path, { bigint: true }))
    .map(({ ino, size, mtimeNs, ctimeNs }) => [ino, size, mtimeNs, ctimeNs].join('/'))
    .join(' ');

/**
 * Holds every file that has not landed against its checksums. Changes nothing.
 * @param isServed a daemon works with it: files that it writes or lands meanwhile are its own business.
 * @throws CancelledError
 */
export async function checkWrittenBytes(
  folders: OverlayFolders,
  names: Namespace,
  {
    isServed,
    signal,
    onProgress,
  }: {
    readonly isServed: boolean;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: CheckProgress) => void;
  },
): Promise<DamagedFile[]> {
  // What is left of memory then is not what is taken: the next mount begins with what was synced.
  if (hasLostPower(folders)) return [];
  const sums = sumsOf(folders);
  const files = [...names.inodes.values()].filter(
    (inode) =>
      isFile(inode) && inode.place && !inode.landed && sums.has(inode.number) && (inode.sealed || !isServed),
  );
  const found: DamagedFile[] = [];
  for (const [filesDone, inode] of files.entries()) {
    onProgress({ filesDone, filesTotal: files.length });
    await turn();
    if (signal.aborted) throw new CancelledError('stopped before everything was checked');
    const damaged = checkedFile(folders, names, inode, sums, isServed);
    if (damaged) found.push(damaged);
  }
  return found;
}

function checkedFile(
  folders: OverlayFolders,
  names: Namespace,
  inode: OverlayInode,
  sums: SumTable,
  isServed: boolean,
): DamagedFile | undefined {
  const path = names.pathOf(inode.number) ?? inode.place?.name ?? '';
  try {
    const { content, sizeBytes } = savedFile(folders, inode);
    if (content.kind !== 'pieces') return undefined;
    const { pieces } = content;
    const file = { inode, path, sizeBytes, pieces };
    const before = stamp(pieces);
    const ranges = damagedRanges(file, sums);
    if (ranges.length === 0) return undefined;
    // Bytes and checksums that are written one after the other differ for a moment.
    if (isServed) {
      const again = damagedRanges(file, sumsOf(folders));
      if (stamp(pieces) !== before || JSON.stringify(again) !== JSON.stringify(ranges)) return undefined;
    }
    return { ...file, ranges };
  } catch (error) {
    // It landed, or was removed, while it was read.
    if (isServed && systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export const bytesFinding = ({ path, ranges, sizeBytes }: DamagedFile): Finding => ({
  kind: 'bytes-damaged',
  path,
  detail: `${rangesText(ranges, sizeBytes)} are not what was written; reading them fails`,
});
