import { existsSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BadZarrError } from '../core/errors.ts';
import { storage } from '../core/storage.ts';
import { type JsonObject, jsonBytes, nameExists, place, readJson, writeJson } from './atomic-json.ts';
import { OWNERS_PATH, STAGING_PATH } from './landing.ts';
import type { OutputLock, TakeLock } from './output-lock.ts';

/** A mount that lands in an output folder. */
export interface LandingOwner {
  /** Stays the same from mount to mount of the same state: letters and digits. */
  readonly id: string;
  readonly mountpoint: string;
  /** What is mounted: results of different sources are kept in fields of their own. */
  readonly source: string;
  readonly stateFolder: string;
}

const recordPath = (outputDir: string, id: string): string => join(outputDir, OWNERS_PATH, `${id}.json`);

/** The staging folder of an owner; those who say of themselves nothing have one together. */
export const stagingOf = (outputDir: string, id: string | undefined): string =>
  join(outputDir, STAGING_PATH, id ?? 'anybody');

/**
 * Notes who lands here, for other mounts, and locks the note for as long as this one lands.
 * @returns gives the lock back.
 */
export async function joinOwners(
  outputDir: string,
  lock: OutputLock,
  owner: LandingOwner,
  signal: AbortSignal,
): Promise<() => void> {
  const path = recordPath(outputDir, owner.id);
  const descriptor = await lock.lock(`${path}.lock`, signal);
  const { mountpoint, source, stateFolder } = owner;
  const note = { mountpoint, source, stateFolder, host: hostname() };
  try {
    if (!jsonBytes(readNote(path)).equals(jsonBytes(note))) {
      writeJson(`${path}.new`, note);
      place(`${path}.new`, path);
    }
  } catch (error) {
    storage.close(descriptor);
    throw error;
  }
  return () => storage.close(descriptor);
}

/** An owner's note; nothing where it is damaged, by a power loss mostly: it is for people only. */
function readNote(path: string): JsonObject {
  try {
    return readJson(path) ?? {};
  } catch (error) {
    if (error instanceof BadZarrError) return {};
    throw error;
  }
}

/** Staging folders, and what lies among them, of nobody who lands now. */
export function strayStaging(outputDir: string, take: TakeLock | undefined): string[] {
  const staging = join(outputDir, STAGING_PATH);
  if (!nameExists(staging)) return [];
  const isServed = (id: string): boolean => {
    const path = `${recordPath(outputDir, id)}.lock`;
    if (!take || !existsSync(path)) return false;
    const descriptor = storage.open(path, 'r');
    try {
      return !take(descriptor);
    } finally {
      storage.close(descriptor);
    }
  };
  return readdirSync(staging)
    .filter((id) => !isServed(id))
    .map((id) => join(staging, id));
}

/** A mount that landed here, for people. */
export function describeOwner(outputDir: string, id: string): string {
  const { mountpoint, source } = readNote(recordPath(outputDir, id));
  return typeof mountpoint === 'string' ? `the mount of ${String(source)} at ${mountpoint}` : 'another mount';
}
