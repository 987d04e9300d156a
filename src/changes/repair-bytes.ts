import { closeSync, existsSync, fsyncSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FileCalls } from '../core/file-calls.ts';
import { readFully, writeFully } from '../core/io.ts';
import { UNIT_BYTES, unitSum } from '../core/unit-sums.ts';
import type { Landing } from '../materializer/landing.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import type { DataPiece } from '../overlay/data-store.ts';
import { layOut, logName, logsIn, readDurableLog } from '../overlay/durable-log.ts';
import { durableFolder, type OverlayFolders } from '../overlay/open-overlay.ts';
import type { BranchPlace } from './branch-store.ts';
import { bytesFinding, type DamagedFile, damagedRanges, sumsOf } from './check-bytes.ts';
import type { Finding } from './findings.ts';
import { LandedFiles } from './landed-files.ts';

/** Somewhere else where bytes of a file may lie as they were. */
interface Source {
  readonly name: string;
  /** @returns whether there are bytes; they may be older. */
  read(offsetBytes: number, target: Uint8Array): boolean;
}

/**
 * Mends files that have not landed: each damaged stretch is filled from what was synced of the file, or from where it
 * had landed before, where the bytes there are, by their checksum, those that were written. Others stay as they are.
 * The state must be locked.
 * @returns what was found, each with what was done.
 */
export function repairWrittenBytes(
  folders: OverlayFolders,
  place: BranchPlace,
  damaged: readonly DamagedFile[],
  calls: Pick<FileCalls, 'setTimes'>,
): Finding[] {
  const sums = sumsOf(folders);
  return damaged.map((file): Finding => {
    const finding = bytesFinding(file);
    const used = new Set<string>();
    const staged = join(folders.state, 'repairing');
    try {
      for (const source of sourcesOf(folders, place, file, staged))
        for (const { from, to } of file.ranges)
          for (let at = from; at < to; at += UNIT_BYTES) {
            const bytes = Buffer.alloc(Math.min(UNIT_BYTES, to - at));
            if (!source.read(at, bytes)) continue;
            if (unitSum(bytes) !== sums.at(file.inode.number, at / UNIT_BYTES)) continue;
            for (const piece of file.pieces) putBack(piece, at, bytes, calls);
            used.add(source.name);
          }
    } finally {
      rmSync(staged, { force: true });
    }
    const left = damagedRanges(file, sums);
    if (used.size === 0) return finding;
    const done = `bytes put back from ${[...used].join(' and ')}`;
    return left.length === 0 ? { ...finding, done } : bytesFinding({ ...file, ranges: left });
  });
}

function* sourcesOf(
  folders: OverlayFolders,
  place: BranchPlace,
  { inode }: DamagedFile,
  staged: string,
): Generator<Source> {
  const folder = durableFolder(folders);
  const logs = existsSync(folder) ? (logsIn(folder).get(inode.number) ?? []) : [];
  for (const generation of logs.toReversed()) {
    const log = openSync(join(folder, logName(inode.number, generation)), 'r');
    const target = openSync(staged, 'w+', 0o600);
    try {
      const logged = readDurableLog(log);
      if (!logged) continue;
      layOut(logged, log, target);
      yield {
        name: 'what was synced',
        read: (offsetBytes, bytes) => readFully(target, bytes, offsetBytes) === bytes.length,
      };
    } finally {
      closeSync(log);
      closeSync(target);
    }
  }
  const landing = inode.previous?.record as unknown as Landing | undefined;
  if (!landing) return;
  const landed = new LandedFiles(place, new ByteCache(0));
  yield {
    name: 'where it had landed',
    read: (offsetBytes, bytes) => {
      try {
        return landed.readSync(landing, offsetBytes, bytes.length, bytes) === bytes.length;
      } catch {
        // Said of that landing itself, where the output folder is checked.
        return false;
      }
    },
  };
}

/** Writes the part of some bytes that lies in a piece; the file keeps its times. */
function putBack(
  { path, offsetBytes, sizeBytes }: DataPiece,
  atBytes: number,
  bytes: Uint8Array,
  calls: Pick<FileCalls, 'setTimes'>,
): void {
  const from = Math.max(atBytes, offsetBytes);
  const to = Math.min(atBytes + bytes.length, offsetBytes + sizeBytes);
  if (to <= from) return;
  const { atimeNs, mtimeNs } = statSync(path, { bigint: true });
  const fd = openSync(path, 'r+');
  try {
    writeFully(fd, bytes.subarray(from - atBytes, to - atBytes), from);
    calls.setTimes(fd, atimeNs, mtimeNs);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
