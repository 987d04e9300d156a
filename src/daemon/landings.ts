import { availableParallelism } from 'node:os';
import type { LandingProgress, LandingResult } from '../control/documents.ts';
import { explain } from '../core/errors.ts';
import { lockExclusively } from '../fuse/syscalls.ts';
import type { Landing } from '../materializer/landing.ts';
import type { Materializer } from '../materializer/materializer.ts';
import type { LandingOwner } from '../materializer/output-owners.ts';
import type { PlateOrigin } from '../model/file-origin.ts';
import type { LandingFormat } from '../model/landing-format.ts';
import type { Abandoned } from '../overlay/inode.ts';
import type { FrontLink } from './front-link.ts';
import { LandingAhead } from './landing-ahead.ts';
import { LandingLoop } from './landing-loop.ts';

export interface LandingsParts {
  readonly outputFolder: string;
  /** Who lands there, where others may too. */
  readonly owner: () => LandingOwner;
  /** How the store is written that results land in. */
  readonly format: LandingFormat | undefined;
  readonly front: FrontLink;
  /** A hook still wants to read this file. */
  readonly isHeld: (inode: number) => boolean;
  /** Keeps bytes that a revision needs before the output folder loses them. */
  readonly keep: (landing: Landing) => Promise<void>;
  /** What the plate's metadata says of the plane that a path is named after. */
  readonly plateOf: (mountPath: string) => PlateOrigin | undefined;
  readonly warn: (message: string) => void;
  /** Aborts when the daemon ends. */
  readonly signal: AbortSignal;
}

/**
 * A mount's landings: files are landed in the output folder, and what was landed in vain is taken away from there.
 * The output folder is opened when the first of them needs it.
 */
export class Landings {
  readonly #parts: LandingsParts;
  #loop: LandingLoop | undefined;
  #materializer: Promise<Materializer> | undefined;
  #landed = { files: 0, sizeBytes: 0 };
  /** Files there were when this daemon began; later ones are numbered from `firstNewInode` on. */
  #knownFiles: ReadonlySet<number> = new Set();
  #firstNewInode = 0;
  /** Files that had landed and are gone. */
  readonly #deadFiles = new Set<number>();
  /** Files whose landings may have to be kept before their places are given to others. */
  readonly #leaving = new Set<number>();
  /** Landings that are given up, and are being kept for revisions. */
  #keeping: Promise<unknown> = Promise.resolve();
  /** Removals of landings that are under way. */
  #removal: Promise<unknown> = Promise.resolve();

  /** Files that are written, and are large. */
  readonly ahead: LandingAhead;

  constructor(parts: LandingsParts) {
    this.#parts = parts;
    const { front, signal } = parts;
    this.ahead = new LandingAhead({ front, signal, materializer: () => this.#openMaterializer() });
  }

  /** Files and bytes that this daemon landed. */
  get landed(): { readonly files: number; readonly sizeBytes: number } {
    return this.#landed;
  }

  /** Files that could not land at the last try, with the reason. */
  get failures(): { path: string; reason: string }[] {
    return this.#loop?.failures ?? [];
  }

  /** The overlay is open: `files` are there, later ones are numbered from `firstNewInode` on. */
  know(files: readonly number[], firstNewInode: number): void {
    this.#knownFiles = new Set(files);
    this.#firstNewInode = firstNewInode;
  }

  /** Files land from here on. */
  start(): void {
    this.#loop = new LandingLoop({
      front: this.#parts.front,
      materializer: () => this.#openMaterializer(),
      isHeld: this.#parts.isHeld,
      onLanded: (files, sizeBytes) => {
        this.#landed = { files: this.#landed.files + files, sizeBytes: this.#landed.sizeBytes + sizeBytes };
      },
      removed: () => this.#removal,
      keep: async (landing) => {
        // First what was given up: its places are free for others then.
        await this.#keeping;
        if (landing) await this.#parts.keep(landing);
      },
      plateOf: this.#parts.plateOf,
      log: this.#parts.warn,
    });
  }

  #openMaterializer(): Promise<Materializer> {
    // What only some mounts need is loaded only by them.
    this.#materializer ??= import('../materializer/materializer.ts').then((room) =>
      room.Materializer.open(
        {
          outputDir: this.#parts.outputFolder,
          workers: Math.max(1, availableParallelism()),
          ...(this.#parts.format === undefined ? {} : { format: this.#parts.format }),
          isLive: (inode) => this.#isLive(inode),
          sharing: { owner: this.#parts.owner(), takeLock: lockExclusively },
          onNote: this.#parts.warn,
        },
        this.#parts.signal,
      ),
    );
    this.#materializer.catch(() => {
      this.#materializer = undefined;
    });
    return this.#materializer;
  }

  #isLive(inode: number): boolean {
    if (this.#leaving.has(inode)) return true;
    return (inode >= this.#firstNewInode || this.#knownFiles.has(inode)) && !this.#deadFiles.has(inode);
  }

  /** Lands until at most `keepBytes` of memory are reserved, or nothing more can land. Nothing before `start`. */
  async makeRoom(keepBytes: number): Promise<LandingResult> {
    try {
      if (this.#loop) return await this.#loop.makeRoom(keepBytes, this.#parts.signal);
    } catch (error) {
      this.#parts.warn(explain(error));
    }
    return { files: 0, sizeBytes: 0, kept: this.failures };
  }

  /** Lands everything that is sealed, and ends removals. Nothing before `start`. */
  async landAll(progress: (value: LandingProgress) => void, signal: AbortSignal): Promise<LandingResult> {
    if (!this.#loop) return { files: 0, sizeBytes: 0, kept: [] };
    const result = await this.#loop.landAll(progress, signal);
    await this.#removal;
    return result;
  }

  /** Resolves when landings given up so far are gone from the output folder, or could not be removed. */
  get removed(): Promise<unknown> {
    return this.#removal;
  }

  /** Takes a landing away that was given up. What fails to be removed is tried again by the next daemon. */
  remove(abandoned: Abandoned): void {
    this.#leaving.add(Number(abandoned.record['inode']));
    this.#removal = Promise.all([this.#removal, this.#remove(abandoned)]);
  }

  async #remove({ id, record, successor }: Abandoned): Promise<void> {
    const inode = Number(record['inode']);
    // Another branch's, which keeps it: nothing of it lies here.
    if (record['owner'] !== undefined) {
      this.#leaving.delete(inode);
      this.#parts.front.tell({ type: 'cleared', id });
      return;
    }
    try {
      const keeping = this.#parts.keep(record as unknown as Landing);
      this.#keeping = Promise.allSettled([this.#keeping, keeping]);
      await keeping;
      this.#leaving.delete(inode);
      if (successor === undefined) this.#deadFiles.add(inode);
      const materializer = await this.#openMaterializer();
      await materializer.remove(record as unknown as Landing, successor as unknown as Landing | undefined);
      this.#parts.front.tell({ type: 'cleared', id });
    } catch (error) {
      this.#parts.warn(explain(error));
    }
  }

  /** Runs work while nothing lands. */
  whileNothingLands<T>(work: () => Promise<T>): Promise<T> {
    return this.#loop ? this.#loop.exclusively(work) : work();
  }

  async close(): Promise<void> {
    await (await this.#materializer)?.close();
  }
}
