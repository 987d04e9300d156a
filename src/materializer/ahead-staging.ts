import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { explain } from '../core/errors.ts';
import { storage } from '../core/storage.ts';
import type { LandingFormat } from '../model/landing-format.ts';
import type { NgffVersion } from '../model/ngff.ts';
import { isPacked } from './array-format.ts';
import { AT_THE_START, type GrowingCursor } from './growing-pages.ts';
import type { ImageLevels } from './image-levels.ts';
import type { AheadPage, ImageJob } from './landing-job.ts';
import type { JobRunner } from './landing-pool.ts';
import type { SealedFile } from './sealed-file.ts';
import { removeStaged } from './staged-file.ts';

/** With less than this left on the output's disk nothing is staged ahead: files that are written come first. */
const SPARE_DISK_BYTES = 2 * 2 ** 30;

export interface AheadStagingParts {
  readonly outputDir: string;
  readonly stagingDir: string;
  readonly pool: JobRunner;
  readonly format: LandingFormat;
  /** Of the store, as it is now. */
  readonly version: () => NgffVersion;
  /** Told what could not be removed; it is swept at the next start. */
  readonly note: (message: string) => void;
}

/** What is staged of one file that is being written. */
interface Growing {
  readonly folder: string;
  /** The output folder, opened before anything was staged: a write that fails on its way to the disk is told to it. */
  readonly outputFd: number;
  pages: AheadPage[];
  levels: ImageLevels | undefined;
  cursor: GrowingCursor;
  steps: number;
  /** It lands, or is gone: no further step begins. */
  isOver: boolean;
  running: Promise<void>;
}

/**
 * Stages the finished pages of large TIFFs while programs still write them, so that little is left when they land. What
 * was staged is only ever taken for bytes that the file still has: a page of which anything was written since is
 * dropped, and the sums of the rest are compared once more at the landing. It lies under the staging folder until then.
 */
export class AheadStaging {
  readonly #parts: AheadStagingParts;
  readonly #files = new Map<number, Growing>();
  #folders = 0;

  constructor(parts: AheadStagingParts) {
    this.#parts = parts;
  }

  /** Whether planes of a new image are encoded one by one. */
  get #isPossible(): boolean {
    return this.#parts.format.chunks !== 'well';
  }

  /**
   * Stages what has become whole of a file since the last call. What could not be staged is staged when the file lands,
   * and what is wrong with it is told then.
   * @param file - As it is now; `rewritten` since the call before, undefined where the file is another one since.
   * @throws the system's error when the output folder can't be used.
   */
  async stage(file: SealedFile, signal: AbortSignal): Promise<void> {
    if (!this.#isPossible) return;
    if (file.rewritten === undefined) this.drop(file.inode);
    const growing = this.#files.get(file.inode) ?? this.#begin(file.inode);
    this.#dropRewritten(growing, file);
    const { running } = growing;
    growing.running = running.then(() => this.#stageSteps(growing, file, signal)).catch(() => undefined);
    await growing.running;
  }

  #begin(inode: number): Growing {
    const folder = join(this.#parts.stagingDir, `ahead-${this.#folders++}`);
    const growing: Growing = {
      folder,
      outputFd: storage.open(this.#parts.outputDir, 'r'),
      pages: [],
      levels: undefined,
      cursor: AT_THE_START,
      steps: 0,
      isOver: false,
      running: Promise.resolve(),
    };
    this.#files.set(inode, growing);
    return growing;
  }

  #dropRewritten(growing: Growing, { rewritten = [] }: SealedFile): void {
    if (rewritten.length === 0) return;
    const isSame = (page: AheadPage): boolean =>
      !rewritten.some((range) => range.from < page.to && range.to > page.from);
    const dropped = growing.pages.filter((page) => !isSame(page));
    growing.pages = growing.pages.filter(isSame);
    removeStaged(
      dropped.flatMap(({ planes, lower }) => [...planes, ...lower]).map((chunk) => chunk.stagedPath),
    );
  }

  #hasRoom(): boolean {
    const { bavail, bsize } = statfsSync(this.#parts.outputDir);
    return bavail * bsize > SPARE_DISK_BYTES;
  }

  async #stageSteps(growing: Growing, file: SealedFile, signal: AbortSignal): Promise<void> {
    const { pool, format } = this.#parts;
    const version = this.#parts.version();
    const { codec = { name: 'blosc-lz4' }, levels = 1 } = format;
    for (let hasMore = true; hasMore && !growing.isOver && !signal.aborted; ) {
      if (!this.#hasRoom()) {
        this.drop(file.inode);
        return;
      }
      const report = await pool.run(
        {
          kind: 'ahead',
          file,
          cursor: growing.cursor,
          codec,
          isSharded: format.chunks === 'sharded' && version !== '0.4',
          levels,
          prefix: join(growing.folder, String(growing.steps++)),
        },
        signal,
      );
      growing.pages.push(...report.pages);
      growing.levels ??= report.levels;
      growing.cursor = report.cursor;
      hasMore = report.hasMore;
    }
  }

  /**
   * Pages of a closed file that need not be staged any more, once no step is under way and the disk has them; undefined
   * where there are none, or the disk failed. Its landing takes them: {@link drop} them afterwards.
   * @throws what the landing of the file fails with.
   */
  async take(
    file: SealedFile,
    job: ImageJob,
    signal: AbortSignal,
  ): Promise<readonly AheadPage[] | undefined> {
    const growing = this.#files.get(file.inode);
    if (!growing) return undefined;
    growing.isOver = true;
    await growing.running;
    if (file.rewritten === undefined || !this.#isFor(growing, job)) return undefined;
    this.#dropRewritten(growing, file);
    const { pages } = growing;
    if (pages.length === 0) return undefined;
    const files = pages
      .flatMap(({ planes, lower }) => [...planes, ...lower])
      .map((chunk) => chunk.stagedPath);
    const { outputFd: descriptor } = growing;
    const { failed } = await this.#parts.pool.run({ kind: 'sync', descriptor, files }, signal);
    return failed.length === 0 ? pages : undefined;
  }

  /** Whether planes were staged as the image that they are in needs them. */
  #isFor({ levels }: Growing, job: ImageJob): boolean {
    const { codec = { name: 'blosc-lz4' }, chunks } = this.#parts.format;
    const { format } = job;
    const isSharded = chunks === 'sharded' && this.#parts.version() !== '0.4';
    return (
      isDeepStrictEqual(levels, job.levels) &&
      isDeepStrictEqual(codec, format.codec) &&
      format.isSharded === isSharded &&
      (format.isSharded || !isPacked(format))
    );
  }

  /** Removes what was staged of a file. */
  drop(inode: number): void {
    const growing = this.#files.get(inode);
    if (!growing) return;
    this.#files.delete(inode);
    growing.isOver = true;
    growing.pages = [];
    // A step that is under way would make the folder again.
    void growing.running.then(() => {
      storage.close(growing.outputFd);
      try {
        storage.removeTree(growing.folder);
      } catch (error) {
        this.#parts.note(`${growing.folder} could not be removed: ${explain(error)}`);
      }
    });
  }
}
