import { join } from 'node:path';
import { storage } from '../core/storage.ts';
import { checkLandingFormat, type LandingFormat, wantedVersion } from '../model/landing-format.ts';
import { STORE_NAME } from './landing.ts';
import { OutputLock, type OutputTurn, soleTurn, type TakeLock } from './output-lock.ts';
import { joinOwners, type LandingOwner, stagingOf, strayStaging } from './output-owners.ts';
import { ResultStore } from './result-store.ts';
import { spreadFolders } from './spread-folder.ts';
import { makeFolders } from './staged-file.ts';

export interface OutputOptions {
  /** Folder that takes the results; made when missing. Must outlive the landings. */
  readonly outputDir: string;
  /** Of a new store, and of new images of a store that is there; what is there stays as it is. */
  readonly format?: LandingFormat;
  /** Who lands here, and how it locks files: without, nobody else may use the folder. */
  readonly sharing?: { readonly owner: LandingOwner; readonly takeLock: TakeLock };
  /** Told, in a sentence, what of `format` the store that is there does not allow, and of waits for other mounts. */
  readonly onNote?: (note: string) => void;
}

export interface OpenedOutput {
  readonly store: ResultStore;
  /** Where this mount's files are written until they get their places; empty. */
  readonly stagingDir: string;
  /** Waits until nobody else changes the folder. */
  readonly acquire: () => Promise<OutputTurn>;
  /** Tells others that this mount lands no more. */
  readonly leave: () => void;
}

/**
 * Opens an output folder: sweeps what dead mounts left half-written and reads the store.
 * @param signal - Ends waits for other mounts, also later.
 * @throws BadZarrError when the store is not ours; BadParameterError; the system's error when the folder can't be used.
 */
export async function openOutput(
  { outputDir, sharing, format = {}, onNote = () => {} }: OutputOptions,
  signal: AbortSignal,
): Promise<OpenedOutput> {
  checkLandingFormat(format);
  makeFolders(outputDir);
  const lock =
    sharing &&
    new OutputLock(outputDir, `the mount at ${sharing.owner.mountpoint}`, sharing.takeLock, onNote);
  const acquire = lock ? () => lock.acquire(signal) : () => Promise.resolve(soleTurn(outputDir));
  const stagingDir = stagingOf(outputDir, sharing?.owner.id);
  const leave = lock && sharing ? await joinOwners(outputDir, lock, sharing.owner, signal) : () => {};
  try {
    const turn = await acquire();
    try {
      storage.removeTree(stagingDir);
      for (const stray of strayStaging(outputDir, sharing?.takeLock)) storage.removeTree(stray);
      makeFolders(stagingDir);
      spreadFolders(stagingDir);
      const path = join(outputDir, STORE_NAME);
      const store = new ResultStore(path, wantedVersion(format), sharing?.owner.source, format.layout);
      noteVersion(store, format, onNote);
      return { store, stagingDir, acquire, leave };
    } finally {
      turn.release();
    }
  } catch (error) {
    leave();
    throw error;
  }
}

function noteVersion(store: ResultStore, format: LandingFormat, onNote: (note: string) => void): void {
  const { ngff, chunks } = format;
  const wanted = wantedVersion(format);
  if (store.version === wanted || (ngff === undefined && chunks !== 'sharded')) return;
  const instead = chunks === 'sharded' && store.version === '0.4' ? ', with a file for each plane' : '';
  onNote(
    `${store.path} is OME-NGFF ${store.version}: results go on in that version${instead}; name another --output for ${wanted}`,
  );
}
