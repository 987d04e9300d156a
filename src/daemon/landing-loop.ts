import type { LandingProgress, LandingResult } from '../control/documents.ts';
import { explain } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import type { Landing } from '../materializer/landing.ts';
import type { Materializer } from '../materializer/materializer.ts';
import type { FileOrigin, PlateOrigin } from '../model/file-origin.ts';
import type { LandingRecord } from '../overlay/inode.ts';
import type { MovedFile } from '../overlay/landing-book.ts';
import type { SealedFile } from '../overlay/sealed-files.ts';
import type { FrontLink } from './front-link.ts';

/**
 * A batch is done at once: large enough to share its syncs, small enough to free memory soon. Of small files, whose
 * syncs cost most, more go into one.
 */
const BATCH_FILES = 64;
const BATCH_SMALL_FILES = 256;
const BATCH_SMALL_BYTES = 64 * 1024 * 1024;
const BATCH_BYTES = 256 * 1024 * 1024;
/** After a failure (a full disk, mostly) a file is left alone for this long unless somebody asks. */
const RETRY_AFTER_MS = 30_000;

export interface LandingLoopParts {
  readonly front: FrontLink;
  /** Opened at the first landing, so that a mount nobody writes to makes no output folder. */
  readonly materializer: () => Promise<Materializer>;
  /** A hook still wants to read this file. */
  readonly isHeld: (inode: number) => boolean;
  readonly onLanded: (files: number, sizeBytes: number) => void;
  /** Resolves when landings given up so far are gone from the output folder. */
  readonly removed: () => Promise<unknown>;
  /** Keeps bytes that a revision needs before a file's next version takes their place. */
  readonly keep: (landing: Landing | undefined) => Promise<void>;
  /** What the plate's metadata says of the plane that a path is named after. */
  readonly plateOf: (mountPath: string) => PlateOrigin | undefined;
  readonly log: (message: string) => void;
}

/**
 * Moves sealed files to the output folder: chosen oldest first, landed in batches, noted by the front, and only
 * then is their memory free. One landing at a time.
 */
export class LandingLoop {
  readonly #parts: LandingLoopParts;
  readonly #failed = new Map<number, { version: number; untilMs: number; path: string; reason: string }>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: LandingLoopParts) {
    this.#parts = parts;
  }

  /** Files that could not land at the last try, with the reason. */
  get failures(): { path: string; reason: string }[] {
    return [...this.#failed.values()].map(({ path, reason }) => ({ path, reason }));
  }

  /** Lands until at most `keepBytes` of memory are reserved. */
  makeRoom(keepBytes: number, signal: AbortSignal): Promise<LandingResult> {
    return this.#enqueue(() => this.#run(keepBytes, false, () => {}, signal));
  }

  /** Lands everything that is sealed, also what failed before. */
  landAll(onProgress: (progress: LandingProgress) => void, signal: AbortSignal): Promise<LandingResult> {
    return this.#enqueue(() => this.#run(-1, true, onProgress, signal));
  }

  /** Runs work while nothing lands. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#enqueue(work);
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => undefined);
    return next;
  }

  #isDue(file: SealedFile, retry: boolean): boolean {
    const failure = this.#failed.get(file.inode);
    return retry || !failure || failure.version !== file.version || failure.untilMs < performance.now();
  }

  async #run(
    keepBytes: number,
    retry: boolean,
    onProgress: (progress: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<LandingResult> {
    // First, so that new files find the names free that others have given up.
    if (retry) await this.#relocate(signal);
    const listed = await this.#parts.front.ask('list-sealed', {});
    let { reservedBytes } = listed;
    // What was deleted since, or is being written anew, is kept no longer.
    const present = new Set(listed.files.map(({ inode }) => inode));
    for (const inode of this.#failed.keys()) if (!present.has(inode)) this.#failed.delete(inode);
    const queue = listed.files.filter((file) => !this.#parts.isHeld(file.inode) && this.#isDue(file, retry));
    let leftBytes = queue.reduce((sum, file) => sum + file.sizeBytes, 0);
    const filesTotal = queue.length;
    const landed = { files: 0, sizeBytes: 0 };
    while (queue.length > 0 && reservedBytes > keepBytes && !signal.aborted) {
      const batch = takeBatch(queue);
      leftBytes -= batch.reduce((sum, file) => sum + file.sizeBytes, 0);
      reservedBytes = await this.#land(batch, landed, signal);
      onProgress({ filesDone: filesTotal - queue.length, filesTotal, leftBytes });
    }
    return { ...landed, kept: this.failures };
  }

  /** Lands files that were renamed since where their names put them. */
  async #relocate(signal: AbortSignal): Promise<void> {
    const moved = (await this.#parts.front.ask('list-moved', {})).files;
    // What another branch landed stays where it is.
    const files = moved.filter(({ record }) => record['owner'] === undefined);
    const aside: MovedFile[] = [];
    for (const file of files) {
      if (signal.aborted) return;
      const landing = await this.#relocateFile(file, signal);
      if (landing && !isInPlace(landing))
        aside.push({ ...file, record: landing as unknown as LandingRecord });
    }
    if (files.length > 0) await this.#parts.removed();
    // Files that took each other's names: their places are free only now.
    for (const file of aside) if (!signal.aborted) await this.#relocateFile(file, signal);
    if (aside.length > 0) await this.#parts.removed();
  }

  /** @returns where the file lies now; undefined where it stayed. */
  async #relocateFile(file: MovedFile, signal: AbortSignal): Promise<Landing | undefined> {
    const { inode, version, mountPath, record } = file;
    try {
      const materializer = await this.#parts.materializer();
      const { origin } = { ...file, ...this.#originOf(file) };
      const landing = await materializer.relocate(record as unknown as Landing, mountPath, signal, origin);
      passFaultPoint('landing.before-note');
      const next = landing as unknown as LandingRecord;
      const answer = await this.#parts.front.ask('relanded', { inode, version, record: next });
      if (answer.accepted) return landing;
      const present = answer.present?.['owner'] === undefined ? answer.present : undefined;
      await materializer.remove(landing, present as unknown as Landing | undefined);
    } catch (error) {
      // Its bytes stay safe, and are shown, where they lie.
      this.#parts.log(`${mountPath} could not be renamed in the output folder: ${explain(error)}`);
    }
    return undefined;
  }

  #fail(file: SealedFile, reason: string): void {
    const untilMs = performance.now() + RETRY_AFTER_MS;
    this.#failed.set(file.inode, { version: file.version, untilMs, path: file.mountPath, reason });
    this.#parts.log(`${file.mountPath} could not land: ${reason}`);
  }

  /** A file that was written again, or removed, while it landed is no failure: its bytes went away under us. */
  async #failUnlessChanged(file: SealedFile, reason: string): Promise<void> {
    const { file: now } = await this.#parts.front.ask('sealed-file', { inode: file.inode });
    if (now?.version === file.version) this.#fail(file, reason);
  }

  /** Files whose last landings are kept where they must be; the others fail. */
  async #keptBefore(batch: readonly SealedFile[]): Promise<SealedFile[]> {
    const safe: SealedFile[] = [];
    for (const file of batch) {
      try {
        await this.#parts.keep(file.previous as unknown as Landing | undefined);
        safe.push(file);
      } catch (error) {
        this.#fail(file, `what revisions need of it can't be kept: ${explain(error)}`);
      }
    }
    return safe;
  }

  /** What the plate says is asked for when it lands: it may have grown since. */
  #originOf({ mountPath, origin }: SealedFile | MovedFile): { readonly origin?: FileOrigin } {
    const plate = this.#parts.plateOf(mountPath);
    return plate === undefined ? {} : { origin: { ...origin, plate } };
  }

  async #land(
    batch: readonly SealedFile[],
    landed: { files: number; sizeBytes: number },
    signal: AbortSignal,
  ): Promise<number> {
    const materializer = await this.#parts.materializer();
    const safe = await this.#keptBefore(batch);
    const known = safe.map((file) => ({ ...file, ...this.#originOf(file) }));
    const results = await materializer.land(known, signal, () => {});
    const byInode = new Map(batch.map((file) => [file.inode, file]));
    const items: { inode: number; version: number; record: LandingRecord }[] = [];
    for (const result of results) {
      const file = byInode.get(result.inode);
      if (!file) continue;
      if ('landing' in result) {
        this.#failed.delete(file.inode);
        items.push({
          inode: file.inode,
          version: file.version,
          record: result.landing as unknown as LandingRecord,
        });
      } else {
        await this.#failUnlessChanged(file, explain(result.error));
      }
    }
    passFaultPoint('landing.before-note');
    const answer = await this.#parts.front.ask('landed', { items });
    const refused = new Set(answer.refused);
    if (answer.failure !== undefined) {
      for (const { inode } of items) {
        const file = byInode.get(inode);
        if (file && refused.has(inode)) this.#fail(file, answer.failure);
      }
    }
    for (const { inode } of items) {
      const file = byInode.get(inode);
      if (!file || refused.has(inode)) continue;
      landed.files++;
      landed.sizeBytes += file.sizeBytes;
      this.#parts.onLanded(1, file.sizeBytes);
    }
    return answer.reservedBytes;
  }

  /** Resolves when no landing runs. */
  async settled(): Promise<void> {
    await this.#last;
  }
}

/** Whether a file lies where its name puts it. */
const isInPlace = (landing: Landing): boolean =>
  landing.kind === 'plain' ? landing.path === landing.mountPath : landing.note === undefined;

function takeBatch(queue: SealedFile[]): SealedFile[] {
  const batch: SealedFile[] = [];
  for (let sizeBytes = 0; sizeBytes < BATCH_BYTES; ) {
    if (batch.length >= (sizeBytes < BATCH_SMALL_BYTES ? BATCH_SMALL_FILES : BATCH_FILES)) break;
    const file = queue.shift();
    if (!file) break;
    batch.push(file);
    sizeBytes += file.sizeBytes;
  }
  return batch;
}
