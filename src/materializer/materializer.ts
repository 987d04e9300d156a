import { randomUUID } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { CancelledError, explain } from '../core/errors.ts';
import { writeFully } from '../core/io.ts';
import { storage } from '../core/storage.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import { checkLandingFormat, type LandingFormat, wantedVersion } from '../model/landing-format.ts';
import { AheadStaging } from './ahead-staging.ts';
import { place, writeJson } from './atomic-json.ts';
import { isNamedLabel } from './label-images.ts';
import { LandedReader } from './landed-reader.ts';
import { type Landing, type PlainLanding, STAGING_PATH, STORE_NAME } from './landing.ts';
import {
  asLandingError,
  type CommitContext,
  commitBatch,
  type LandResult,
  type StagedFile,
} from './landing-commit.ts';
import { type Decision, LandingPlan } from './landing-plan.ts';
import { type JobRunner, LandingPool, landingError } from './landing-pool.ts';
import { removeLandings } from './landing-removal.ts';
import { isTiffName } from './placement.ts';
import { choosePlainPath, isRecordedFile, plainRecordPath, readPlainRecord } from './plain-placement.ts';
import { ResultStore } from './result-store.ts';
import type { SealedFile } from './sealed-file.ts';
import { spreadFolders } from './spread-folder.ts';
import { stageFile } from './stage-file.ts';
import { createStaged, makeFolders } from './staged-file.ts';
import { isTableName } from './table-text.ts';

export interface MaterializerOptions {
  /** Folder that takes the results; made when missing. Must outlive the landings. */
  readonly outputDir: string;
  /** Threads that decode, encode and write. */
  readonly workers: number;
  /** Does what the workers would, for tests. */
  readonly jobs?: JobRunner;
  /** Of a new store, and of new images of a store that is there; what is there stays as it is. */
  readonly format?: LandingFormat;
  /**
   * Whether the mount still has a file with this inode number. What a living file landed is never replaced by
   * another file; without this answer every owner counts as living.
   */
  readonly isLive?: (inode: number) => boolean;
  /** Told, in a sentence, what of `format` the store that is there does not allow. */
  readonly onNote?: (note: string) => void;
}

export interface LandProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

interface Removal {
  readonly landing: Landing;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A batch is committed at once: larger ones cost fewer disk syncs, smaller ones free memory earlier. */
const BATCH_FILES = 512;
const BATCH_BYTES = 512 * 1024 * 1024;
const INSPECT_FILES = 32;
const COPY_BYTES = 4 << 20;
/** What link(2) says on file systems without hard links, and at their limit. */
const NO_LINK_CODES: ReadonlySet<string> = new Set(['EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK']);

/**
 * Moves sealed files from memory to the output folder: images become chunks of `results.ome.zarr`, everything else
 * a plain file beside it. At every instant, also after a kill, the store is valid OME-NGFF 0.4, and landing the
 * same file again gives the same result. Operations on one instance happen one after another.
 */
export class Materializer {
  private readonly options: MaterializerOptions;
  private readonly store: ResultStore;
  private readonly pool: JobRunner;
  private readonly stagingDir: string;
  private readonly ahead: AheadStaging;
  /** The output folder, open while something is done to it. */
  private outputFd = -1;
  private readonly removals: Removal[] = [];
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(options: MaterializerOptions, store: ResultStore) {
    this.options = options;
    this.store = store;
    this.pool = options.jobs ?? new LandingPool(options.workers);
    this.stagingDir = join(options.outputDir, STAGING_PATH);
    this.ahead = new AheadStaging({
      outputDir: options.outputDir,
      stagingDir: this.stagingDir,
      pool: this.pool,
      format: options.format ?? {},
      version: store.version,
      note: (message) => options.onNote?.(message),
    });
  }

  /**
   * Sweeps what a crash left half-written and reads the store.
   * @throws BadZarrError when `results.ome.zarr` is not ours; NoSpaceError, FsRefusal when the folder can't be used.
   */
  static open(options: MaterializerOptions, signal: AbortSignal): Promise<Materializer> {
    if (signal.aborted) return Promise.reject(new CancelledError('landing was cancelled'));
    try {
      const stagingDir = join(options.outputDir, STAGING_PATH);
      storage.removeTree(stagingDir);
      makeFolders(stagingDir);
      spreadFolders(stagingDir);
      const { format = {} } = options;
      checkLandingFormat(format);
      const store = new ResultStore(
        join(options.outputDir, STORE_NAME),
        wantedVersion(format),
        format.layout,
      );
      const { ngff, chunks } = format;
      if (store.version !== wantedVersion(format) && (ngff !== undefined || chunks === 'sharded')) {
        const instead = chunks === 'sharded' && store.version === '0.4' ? ', with a file for each plane' : '';
        options.onNote?.(
          `${store.path} is OME-NGFF ${store.version}: results go on in that version${instead}; name another --output for ${wantedVersion(format)}`,
        );
      }
      return Promise.resolve(new Materializer(options, store));
    } catch (error) {
      return Promise.reject(asLandingError(error));
    }
  }

  /**
   * Lands files; a result for each, in any order. When it returns, everything landed is durable, and the caller may
   * free the memory once it has journaled the landings. A file that could not land has an error and is untouched:
   * NoSpaceError, FsRefusal, CancelledError after an abort.
   */
  land(
    files: readonly SealedFile[],
    signal: AbortSignal,
    onProgress: (progress: LandProgress) => void = () => {},
  ): Promise<LandResult[]> {
    const results: LandResult[] = [];
    return this.exclusively(async () => {
      const bytesTotal = files.reduce((sum, file) => sum + file.sizeBytes, 0);
      let bytesDone = 0;
      for (const batch of batches(files)) {
        results.push(...(await this.landBatch(batch, signal)));
        bytesDone += batch.reduce((sum, file) => sum + file.sizeBytes, 0);
        onProgress({ filesDone: results.length, filesTotal: files.length, bytesDone, bytesTotal });
      }
      return results;
    }).catch((error: unknown) => {
      const told = new Set(results.map(({ inode }) => inode));
      const left = files.filter(({ inode }) => !told.has(inode));
      return [...results, ...left.map(({ inode }) => ({ inode, error: asLandingError(error) }))];
    });
  }

  /**
   * Stages pages of a large TIFF that a program is still writing, those that are whole: when it lands, they need not be
   * staged any more. Call it again as the file grows. What goes wrong is left to the landing.
   */
  stageAhead(file: SealedFile, signal: AbortSignal): Promise<void> {
    return this.ahead.stage(file, signal);
  }

  /** The bytes of a file are gone: forgets what was staged ahead of it. */
  forgetAhead(inode: number): void {
    this.ahead.drop(inode);
  }

  /**
   * Removes what a landing left in the output folder; nothing where another file has landed in its place since, or
   * where `successor`, the later landing of the same file, lies in the same place. Call it once the successor, or
   * the file's removal, is journaled; calling it again is no error. Removals that wait for their turn are done together.
   */
  remove(landing: Landing, successor?: Landing): Promise<void> {
    if (successor && isSamePlace(landing, successor)) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const removal = { landing, resolve, reject };
    this.removals.push(removal);
    const removing = this.exclusively(async () => {
      const waiting = this.removals.splice(0);
      if (waiting.length === 0) return;
      try {
        await removeLandings(
          this.commitContext(this.stagingDir),
          waiting.map((removal) => removal.landing),
        );
        for (const done of waiting) done.resolve();
      } catch (error) {
        for (const failed of waiting) failed.reject(asLandingError(error));
        this.store.reload();
      }
    });
    removing.catch((error: unknown) => {
      const at = this.removals.indexOf(removal);
      if (at >= 0) this.removals.splice(at, 1);
      reject(asLandingError(error));
    });
    return promise;
  }

  /**
   * Lands a landed file where its new name puts it. The old landing stays valid: journal the new one, then
   * `remove(old, new)`. After a crash in between, calling it again gives the same result.
   */
  async relocate(landing: Landing, newMountPath: string, signal: AbortSignal): Promise<Landing> {
    if (landing.kind === 'plain' && !isTiffName(newMountPath) && !isTableName(newMountPath)) {
      const linked = await this.exclusively(() => this.linkPlain(landing, newMountPath));
      if (linked) return linked;
    }
    const copyPath = join(this.stagingDir, `relocate-${landing.inode}`);
    const { inode, sizeBytes, mtimeMs } = landing;
    try {
      this.copyLanded(landing, copyPath);
      const file: SealedFile = {
        inode,
        sizeBytes,
        mtimeMs,
        mountPath: newMountPath,
        pieces: [{ path: copyPath, offsetBytes: 0, sizeBytes }],
      };
      const [result] = await this.land([file], signal);
      if (!result) throw new CancelledError('landing was cancelled');
      if ('error' in result) throw result.error;
      return result.landing;
    } finally {
      this.clear(copyPath);
    }
  }

  /** Waits for what is under way and ends the workers. */
  async close(): Promise<void> {
    await this.turn.catch(() => undefined);
    await this.pool.close();
    this.clear(this.stagingDir);
  }

  /** Removes something staged; what can't be removed is swept at the next start. */
  private clear(path: string): void {
    try {
      storage.removeTree(path);
    } catch (error) {
      this.options.onNote?.(`${path} could not be removed: ${explain(error)}`);
    }
  }

  /** Runs work on the output folder while nothing else is done to it. */
  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(async () => {
      // Before anything is written: a write that fails on its way to the disk is told to who was there.
      this.outputFd = storage.open(this.options.outputDir, 'r');
      try {
        return await work();
      } finally {
        storage.close(this.outputFd);
      }
    });
    this.turn = result.catch(() => undefined);
    return result;
  }

  private commitContext(stagingDir: string): CommitContext {
    const { outputDir } = this.options;
    return {
      outputDir,
      stagingDir,
      store: this.store,
      sync: (files) => this.sync(files),
      pack: (job) => this.pool.run(job, new AbortController().signal),
    };
  }

  private async sync(files: readonly string[]): Promise<Map<string, string>> {
    const job = { kind: 'sync', descriptor: this.outputFd, files } as const;
    const report = await this.pool.run(job, new AbortController().signal);
    return new Map(report.failed.map(({ path, code }) => [path, code]));
  }

  private async landBatch(files: readonly SealedFile[], signal: AbortSignal): Promise<LandResult[]> {
    // By its name ext4 chooses where a spread folder goes: a new one each time.
    const stagingDir = join(this.stagingDir, `batch-${randomUUID()}`);
    const results: LandResult[] = [];
    const fail = (file: SealedFile, error: unknown): void => {
      results.push({ inode: file.inode, error: asLandingError(error) });
    };
    const { format = {} } = this.options;
    const plan = new LandingPlan({
      outputDir: this.options.outputDir,
      stagingDir,
      store: this.store,
      format,
      isLive: this.options.isLive ?? (() => true),
    });
    const staged: StagedFile[] = [];
    const stage = async (file: SealedFile, decide: () => Decision): Promise<void> => {
      try {
        staged.push(await stageFile(this.pool, plan, decide(), this.ahead, signal));
      } catch (error) {
        fail(file, error);
      }
    };
    const isPacked = format.chunks !== undefined && format.chunks !== 'file';
    const isLater = ({ mountPath }: SealedFile): boolean => isTiffName(mountPath) && isNamedLabel(mountPath);
    // Labels are decided after the images that they may be of.
    const isTogether = isPacked || (files.some(isLater) && !files.every(isLater));
    const inspected = slices(files, INSPECT_FILES).map(async (slice) => {
      const inspections = await this.pool.run({ kind: 'inspect', files: slice }, signal).catch((error) => {
        for (const file of slice) fail(file, error);
        return [];
      });
      return slice.flatMap((file, index) => {
        const inspection = inspections[index];
        if (inspection && isPacked) plan.expect(file, inspection);
        return inspection ? [{ file, inspection }] : [];
      });
    });
    const order = isTogether ? [inOrder(await Promise.all(inspected), isLater)] : inspected;
    await Promise.all(
      order.map(async (slice) => {
        const known = await slice;
        await Promise.all(
          known.map(({ file, inspection }) => stage(file, () => plan.decide(file, inspection))),
        );
      }),
    );
    try {
      results.push(...(await commitBatch(this.commitContext(stagingDir), staged)));
    } catch (error) {
      for (const { decision } of staged) fail(decision.file, error);
      this.store.reload();
    }
    for (const { inode } of files) this.ahead.drop(inode);
    this.clear(stagingDir);
    return results;
  }

  /** Gives a plain file a second name; undefined where the output's file system has no links. */
  private async linkPlain(landing: PlainLanding, newMountPath: string): Promise<Landing | undefined> {
    const { outputDir, isLive = () => true } = this.options;
    const path = choosePlainPath(outputDir, newMountPath, (candidate) => {
      const record = readPlainRecord(outputDir, candidate);
      if (!record || !isRecordedFile(outputDir, record)) return false;
      return record.inode === landing.inode || !isLive(record.inode);
    });
    const moved = { ...landing, path, mountPath: newMountPath };
    if (path === landing.path) return moved;
    const staged = join(this.stagingDir, `link-${landing.inode}`);
    try {
      storage.link(join(outputDir, landing.path), staged);
      const record = { id: landing.id, inode: landing.inode, path, diskInode: lstatSync(staged).ino };
      writeJson(`${staged}.json`, record);
      place(`${staged}.json`, join(outputDir, plainRecordPath(path)));
      place(staged, join(outputDir, path));
      await this.sync([]);
      return moved;
    } catch (error) {
      if (error instanceof Error && 'code' in error && NO_LINK_CODES.has(String(error.code)))
        return undefined;
      throw asLandingError(error);
    } finally {
      this.clear(staged);
    }
  }

  /** Writes the bytes of a landed file into a new one. */
  private copyLanded(landing: Landing, path: string): void {
    const reader = new LandedReader(this.options.outputDir, new ByteCache(0));
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, landing.sizeBytes)));
    try {
      const descriptor = createStaged(path);
      try {
        for (let at = 0; at < landing.sizeBytes; at += buffer.length) {
          const count = reader.readSync(landing, at, buffer.length, buffer);
          writeFully(descriptor, buffer.subarray(0, count), at);
        }
      } finally {
        storage.close(descriptor);
      }
    } catch (error) {
      throw error instanceof Error && 'code' in error
        ? landingError(String(error.code), error.message)
        : error;
    }
  }
}

function isSamePlace(a: Landing, b: Landing): boolean {
  if (a.kind === 'plain') return b.kind === 'plain' && a.path === b.path;
  return b.kind === 'image' && a.sidecar === b.sidecar;
}

function inOrder<T extends { readonly file: SealedFile }>(
  slices: readonly (readonly T[])[],
  isLater: (file: SealedFile) => boolean,
): T[] {
  const all = slices.flat();
  return [...all.filter(({ file }) => !isLater(file)), ...all.filter(({ file }) => isLater(file))];
}

function slices<T>(items: readonly T[], length: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / length) }, (_, index) =>
    items.slice(index * length, (index + 1) * length),
  );
}

function* batches(files: readonly SealedFile[]): Generator<SealedFile[]> {
  let batch: SealedFile[] = [];
  let sizeBytes = 0;
  for (const file of files) {
    if (batch.length > 0 && (batch.length >= BATCH_FILES || sizeBytes + file.sizeBytes > BATCH_BYTES)) {
      yield batch;
      batch = [];
      sizeBytes = 0;
    }
    batch.push(file);
    sizeBytes += file.sizeBytes;
  }
  if (batch.length > 0) yield batch;
}
