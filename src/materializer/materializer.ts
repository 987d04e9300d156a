import { randomUUID } from 'node:crypto';
import { linkSync, lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CancelledError } from '../core/errors.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import { checkLandingFormat, type LandingFormat, wantedVersion } from '../model/landing-format.ts';
import { AheadStaging } from './ahead-staging.ts';
import { place, writeJson } from './atomic-json.ts';
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
import { LandingPool, landingError } from './landing-pool.ts';
import { removeLandings } from './landing-removal.ts';
import { isTiffName } from './placement.ts';
import { choosePlainPath, isRecordedFile, plainRecordPath, readPlainRecord } from './plain-placement.ts';
import { ResultStore } from './result-store.ts';
import type { SealedFile } from './sealed-file.ts';
import { spreadFolders } from './spread-folder.ts';
import { stageFile } from './stage-file.ts';

export interface MaterializerOptions {
  /** Folder that takes the results; made when missing. Must outlive the landings. */
  readonly outputDir: string;
  /** Threads that decode, encode and write. */
  readonly workers: number;
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
  private readonly pool: LandingPool;
  private readonly stagingDir: string;
  private readonly ahead: AheadStaging;
  private readonly removals: Removal[] = [];
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(options: MaterializerOptions, store: ResultStore) {
    this.options = options;
    this.store = store;
    this.pool = new LandingPool(options.workers);
    this.stagingDir = join(options.outputDir, STAGING_PATH);
    this.ahead = new AheadStaging({
      outputDir: options.outputDir,
      stagingDir: this.stagingDir,
      pool: this.pool,
      format: options.format ?? {},
      version: store.version,
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
      rmSync(stagingDir, { recursive: true, force: true });
      mkdirSync(stagingDir, { recursive: true });
      spreadFolders(stagingDir);
      const { format = {} } = options;
      checkLandingFormat(format);
      const store = new ResultStore(join(options.outputDir, STORE_NAME), wantedVersion(format));
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
    return this.exclusively(async () => {
      const results: LandResult[] = [];
      const bytesTotal = files.reduce((sum, file) => sum + file.sizeBytes, 0);
      let bytesDone = 0;
      for (const batch of batches(files)) {
        results.push(...(await this.landBatch(batch, signal)));
        bytesDone += batch.reduce((sum, file) => sum + file.sizeBytes, 0);
        onProgress({ filesDone: results.length, filesTotal: files.length, bytesDone, bytesTotal });
      }
      return results;
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
    this.removals.push({ landing, resolve, reject });
    void this.exclusively(async () => {
      const waiting = this.removals.splice(0);
      if (waiting.length === 0) return;
      try {
        await removeLandings(
          this.commitContext(this.stagingDir),
          waiting.map((removal) => removal.landing),
        );
        for (const removal of waiting) removal.resolve();
      } catch (error) {
        for (const removal of waiting) removal.reject(asLandingError(error));
      }
    });
    return promise;
  }

  /**
   * Lands a landed file where its new name puts it. The old landing stays valid: journal the new one, then
   * `remove(old, new)`. After a crash in between, calling it again gives the same result.
   */
  async relocate(landing: Landing, newMountPath: string, signal: AbortSignal): Promise<Landing> {
    if (landing.kind === 'plain' && !isTiffName(newMountPath)) {
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
      rmSync(copyPath, { force: true });
    }
  }

  /** Waits for what is under way and ends the workers. */
  async close(): Promise<void> {
    await this.turn.catch(() => undefined);
    await this.pool.close();
    rmSync(this.stagingDir, { recursive: true, force: true });
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work, work);
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
    const job = { kind: 'sync', folder: this.options.outputDir, files } as const;
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
    const isTogether = format.chunks !== undefined && format.chunks !== 'file';
    const inspected = slices(files, INSPECT_FILES).map(async (slice) => {
      const inspections = await this.pool.run({ kind: 'inspect', files: slice }, signal).catch((error) => {
        for (const file of slice) fail(file, error);
        return [];
      });
      return slice.flatMap((file, index) => {
        const inspection = inspections[index];
        if (inspection && isTogether) plan.expect(file, inspection);
        return inspection ? [{ file, inspection }] : [];
      });
    });
    if (isTogether) await Promise.all(inspected);
    await Promise.all(
      inspected.map(async (slice) => {
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
    rmSync(stagingDir, { recursive: true, force: true });
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
      linkSync(join(outputDir, landing.path), staged);
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
      rmSync(staged, { force: true });
    }
  }

  /** Writes the bytes of a landed file into a new one. */
  private copyLanded(landing: Landing, path: string): void {
    const reader = new LandedReader(this.options.outputDir, new ByteCache(0));
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, landing.sizeBytes)));
    try {
      writeFileSync(path, '');
      for (let at = 0; at < landing.sizeBytes; at += buffer.length) {
        const count = reader.readSync(landing, at, buffer.length, buffer);
        writeFileSync(path, buffer.subarray(0, count), { flag: 'a' });
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
