import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { writeFully } from '../core/io.ts';
import { storage } from '../core/storage.ts';
import { systemCode } from '../core/system-code.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import { place, writeJson } from './atomic-json.ts';
import { LandedReader } from './landed-reader.ts';
import type { Landing, PlainLanding } from './landing.ts';
import { choosePlainPath, plainRecordPath } from './plain-placement.ts';
import { createStaged } from './staged-file.ts';

const COPY_BYTES = 4 << 20;
/** What link(2) says on file systems without hard links, and at their limit. */
const NO_LINK_CODES: ReadonlySet<string> = new Set(['EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK']);

/**
 * Gives a plain file a second name, where its new path in the mount puts it. Durable after the next sync.
 * @param mayReplace - Whether a file that lies in the output folder may go.
 * @param staged - A free name, for the link until it has its place.
 * @returns undefined where the output's file system has no links.
 */
export function linkPlain(
  outputDir: string,
  landing: PlainLanding,
  { newMountPath, mayReplace, owner, staged }: LinkWish,
): Landing | undefined {
  const path = choosePlainPath(outputDir, newMountPath, mayReplace);
  const moved = { ...landing, path, mountPath: newMountPath };
  if (path === landing.path) return moved;
  try {
    storage.link(join(outputDir, landing.path), staged);
    const { id, inode } = landing;
    const record = { id, inode, ...(owner === undefined ? {} : { owner }), path };
    writeJson(`${staged}.json`, { ...record, diskInode: lstatSync(staged).ino });
    place(`${staged}.json`, join(outputDir, plainRecordPath(path)));
    place(staged, join(outputDir, path));
    return moved;
  } catch (error) {
    if (NO_LINK_CODES.has(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

interface LinkWish {
  readonly newMountPath: string;
  readonly mayReplace: (path: string) => boolean;
  readonly owner: string | undefined;
  readonly staged: string;
}

/** Writes the bytes of a landed file into a new one. @throws as {@link LandedReader.readSync}; the system's error. */
export function copyLanded(outputDir: string, landing: Landing, path: string): void {
  const reader = new LandedReader(outputDir, new ByteCache(0));
  const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, landing.sizeBytes)));
  const descriptor = createStaged(path);
  try {
    for (let at = 0; at < landing.sizeBytes; at += buffer.length) {
      const count = reader.readSync(landing, at, buffer.length, buffer);
      writeFully(descriptor, buffer.subarray(0, count), at);
    }
  } finally {
    storage.close(descriptor);
  }
}
