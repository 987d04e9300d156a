import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { CancelledError, explain } from '../core/errors.ts';
import { storage } from '../core/storage.ts';
import type { FileOrigin } from '../model/file-origin.ts';
import { AheadStaging } from './ahead-staging.ts';
import { isNamedLabel } from './label-images.ts';
import type { Landing, PlainLanding } from './landing.ts';
import {
  asLandingError,
  type CommitContext,
  commitBatch,
  type LandResult,
  type StagedFile,
} from './landing-commit.ts';
import { type Decision, type LandedOwner, LandingPlan } from './landing-plan.ts';
import { type JobRunner, LandingPool } from './landing-pool.ts';
import { copyLanded, linkPlain } from './landing-relocation.ts';
import { removeLandings } from './landing-removal.ts';
import { type OpenedOutput, type OutputOptions, openOutput } from './open-output.ts';
import { describeOwner } from './output-owners.ts';
import { isTiffName } from './placement.ts';
import { isRecordedFile, readPlainRecord } from './plain-placement.ts';
import type { ResultStore } from './result-store.ts';
import type { SealedFile } from './sealed-file.ts';
import { stageFile } from './stage-file.ts';
import { isTableName } from './table-text.ts';

export interface MaterializerOptions extends OutputOptions {
  /** Threads that decode, encode and write. */
  readonly workers: number;
  /** Does what the workers would, for tests. */
  readonly jobs?: JobRunner;
  /**
   * Whether the mount still has a file with this inode number. What a living file landed is never replaced by
   * another file; without this answer every owner counts as living.
   */
  readonly isLive?: (inode: number) => boolean;
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
  /** Waits until nobody else changes the output folder. */
  private readonly acquire: OpenedOutput['acquire'];
  private readonly leave: () => void;
  private readonly ahead: AheadStaging;
  /** The output folder, or its lock, open while something is done to it. */
  private outputFd = -1;
  private readonly removals: Removal[] = [];
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(options: MaterializerOptions, { store, stagingDir, acquire, leave }: OpenedOutput) {
    this.options = options;
    this.store = store;
    this.pool = options.jobs ?? new LandingPool(options.workers);
    this.stagingDir = stagingDir;
    this.acquire = acquire;
    this.leave = leave;
    this.ahead = new AheadStaging({
      outputDir: options.outputDir,
      stagingDir,
      pool: this.pool,
      format: options.format ?? {},
      version: () => store.version,
      note: (message) => options.onNote?.(message),
    });
  }

  /**
   * Sweeps what a crash left half-written and reads the store.
   * @param signal - Ends waits for other mounts, also later.
   * @throws BadZarrError when `results.ome.zarr` is not ours; NoSpaceError, FsRefusal when the folder can't be used.
   */
  static async open(options: MaterializerOptions, signal: AbortSignal): Promise<Materializer> {
    if (signal.aborted) throw new CancelledError('landing was cancelled');
    try {
      return new Materializer(options, await openOutput(options, signal));
    } catch (error) {
      throw asLandingError(error);
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
  async relocate(
    landing: Landing,
    newMountPath: string,
    signal: AbortSignal,
    origin?: FileOrigin,
  ): Promise<Landing> {
    if (landing.kind === 'plain' && !isTiffName(newMountPath) && !isTableName(newMountPath)) {
      const linked = await this.exclusively(() => this.link(landing, newMountPath));
      if (linked) return linked;
    }
    const copyPath = join(this.stagingDir, `relocate-${landing.inode}`);
    const { inode, sizeBytes, mtimeMs } = landing;
    try {
      this.copy(landing, copyPath);
      const file: SealedFile = {
        inode,
        sizeBytes,
        mtimeMs,
        mountPath: newMountPath,
        pieces: [{ path: copyPath, offsetBytes: 0, sizeBytes }],
        ...(origin === undefined ? {} : { origin }),
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
    this.leave();
  }

  /** Removes something staged; what can't be removed is swept at the next start. */
  private clear(path: string): void {
    try {
      storage.removeTree(path);
    } catch (error) {
      this.options.onNote?.(`${path} could not be removed: ${explain(error)}`);
    }
  }

  /** What a file of this mount landed may go when the same file lands there, or when it is no more. */
  private isFree(record: LandedOwner, file: LandedOwner): boolean {
    const { isLive = () => true } = this.options;
    if (record.owner !== undefined && record.owner !== file.owner) return false;
    return record.inode === file.inode || !isLive(record.inode);
  }

  private async link(landing: PlainLanding, newMountPath: string): Promise<Landing | undefined> {
    const { outputDir, sharing } = this.options;
    const owner = sharing?.owner.id;
    const file = { inode: landing.inode, ...(owner === undefined ? {} : { owner }) };
    const mayReplace = (path: string): boolean => {
      const record = readPlainRecord(outputDir, path);
      return record !== undefined && isRecordedFile(outputDir, record) && this.isFree(record, file);
    };
    const staged = join(this.stagingDir, `link-${randomUUID()}`);
    try {
      const linked = linkPlain(outputDir, landing, { newMountPath, mayReplace, owner, staged });
      if (linked) await this.sync([]);
      return linked;
    } catch (error) {
      throw asLandingError(error);
    } finally {
      this.clear(staged);
    }
  }

  private copy(landing: Landing, path: string): void {
    try {
      copyLanded(this.options.outputDir, landing, path);
    } catch (error) {
      throw asLandingError(error);
    }
  }

  /** Runs work on the output folder while nothing else is done to it. */
  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(async () => {
      const turn = await this.acquire();
      this.outputFd = turn.descriptor;
      try {
        if (turn.isNews) this.store.reload();
        return await work();
      } finally {
        turn.release();
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

  private async landBatch(given: readonly SealedFile[], signal: AbortSignal): Promise<LandResult[]> {
    const { sharing } = this.options;
    const files = sharing ? given.map((file) => ({ ...file, owner: sharing.owner.id })) : given;
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
      isFree: (record, file) => this.isFree(record, file),
      describe: (owner) => describeOwner(this.options.outputDir, owner),
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
