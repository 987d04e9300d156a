import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { DamagedBytesError, StateCorruptError } from '../core/errors.ts';
import type { FileCalls } from '../core/file-calls.ts';
import { readFully, writeFully } from '../core/io.ts';
import { systemCode } from '../core/system-code.ts';
import { damagedUnit, UNIT_BYTES, unitSum } from '../core/unit-sums.ts';
import { LandedReader } from '../materializer/landed-reader.ts';
import type { Landing } from '../materializer/landing.ts';
import { isRecordedFile, readPlainRecord } from '../materializer/plain-placement.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import { type BranchPlace, BranchStore, MAIN_NUMBER } from './branch-store.ts';
import { damagedKept, encodeSums, readSums, stagedPathOf, sumsPathOf } from './kept-sums.ts';
import { RevisionStore } from './revision-store.ts';

/** A multiple of what has a checksum of its own. */
const COPY_BYTES = 64 * UNIT_BYTES;
/** Kept copies of which a thread has the checksums in memory. */
const MAX_SUMS = 64;

/** Whether a plain file of the output folder is still what landed there. */
function isInPlace(outputFolder: string, landing: Landing): boolean {
  if (landing.kind !== 'plain') return true;
  const record = readPlainRecord(outputFolder, landing.path);
  return record?.id === landing.id && isRecordedFile(outputFolder, record);
}

/** Reads landings that a branch has from others, which keep them for it. One per thread. */
export class SharedLandings {
  readonly #branches: BranchStore;
  readonly #decoded: ByteCache;
  readonly #owners = new Map<number, KeptLandings>();

  /** @param place the branch's own. */
  constructor(place: BranchPlace, decoded: ByteCache) {
    this.#branches = BranchStore.of(place);
    this.#decoded = decoded;
  }

  /** As {@link KeptLandings.read}. @throws StateCorruptError where the branch that it is of is gone. */
  read(landing: Landing, offsetBytes: number, target: Uint8Array): number {
    const { owner = MAIN_NUMBER, ...own } = landing;
    let kept = this.#owners.get(owner);
    if (!kept) {
      kept = new KeptLandings(this.#branches.placeOf(owner), this.#decoded, { owner });
      this.#owners.set(owner, kept);
    }
    return kept.read(own, offsetBytes, target);
  }
}

/** Reads landings that revisions need, from the output folder or from what was kept of them. One per thread. */
export class KeptLandings {
  readonly #place: BranchPlace;
  readonly #store: RevisionStore;
  readonly #landed: LandedReader;
  readonly #decoded: ByteCache;
  readonly #calls: Pick<FileCalls, 'setTimes'> | undefined;
  #shared: SharedLandings | undefined;
  readonly #sums = new LRUCache<string, Uint32Array>({ max: MAX_SUMS });

  /**
   * @param calls sets times of copies, where any are made.
   * @param owner the branch that it is of, where another one reads: what is decoded is kept by its number.
   */
  constructor(
    place: BranchPlace,
    decoded: ByteCache,
    { calls, owner }: { readonly calls?: Pick<FileCalls, 'setTimes'>; readonly owner?: number } = {},
  ) {
    this.#calls = calls;
    this.#place = place;
    this.#store = new RevisionStore(place.state);
    this.#decoded = decoded;
    this.#landed = new LandedReader(
      place.output,
      decoded,
      owner === undefined ? undefined : `branches/${owner}/`,
    );
  }

  /**
   * Fills `target` from `offsetBytes` on. @returns bytes filled, fewer only at the end of the file.
   * @throws StateCorruptError, or what reading the output folder throws, when the bytes are nowhere.
   */
  read(landing: Landing, offsetBytes: number, target: Uint8Array): number {
    if (landing.owner !== undefined) {
      this.#shared ??= new SharedLandings(this.#place, this.#decoded);
      return this.#shared.read(landing, offsetBytes, target);
    }
    const kept = this.#readKept(landing, offsetBytes, target);
    if (kept !== undefined) return kept;
    let count: number | undefined;
    let failure: unknown;
    try {
      count = this.#readPlace(landing, offsetBytes, target);
    } catch (error) {
      failure = error;
    }
    // It may have been kept, and its place given to others, while it was being read.
    const late = this.#readKept(landing, offsetBytes, target) ?? count;
    if (late === undefined) throw failure;
    return late;
  }

  #readPlace(landing: Landing, offsetBytes: number, target: Uint8Array): number {
    if (!isInPlace(this.#place.output, landing))
      throw new StateCorruptError(landing.mountPath, 'its landed bytes were changed by something else');
    return this.#landed.readSync(landing, offsetBytes, target.length, target);
  }

  #readKept(landing: Landing, offsetBytes: number, target: Uint8Array): number | undefined {
    const path = this.#store.keptPath(landing.id);
    if (!existsSync(path)) return undefined;
    const fd = openSync(path, 'r');
    try {
      const wanted = Math.max(0, Math.min(target.length, landing.sizeBytes - offsetBytes));
      const bytes = target.subarray(0, wanted);
      const readAt = (at: number, into: Uint8Array): number => readFully(fd, into, at);
      if (readAt(offsetBytes, bytes) < wanted)
        throw new StateCorruptError(path, `ends before byte ${offsetBytes + wanted} of ${landing.mountPath}`);
      const sums = this.#sumsOf(path);
      const unit = sums && damagedUnit({ firstUnit: 0, sums }, bytes, offsetBytes, landing.sizeBytes, readAt);
      if (unit === undefined) return wanted;
      const from = unit * UNIT_BYTES;
      throw new DamagedBytesError(landing.mountPath, from, Math.min(landing.sizeBytes, from + UNIT_BYTES));
    } finally {
      closeSync(fd);
    }
  }

  #sumsOf(path: string): Uint32Array | undefined {
    const known = this.#sums.get(path);
    if (known) return known;
    const sums = readSums(path);
    if (sums) this.#sums.set(path, sums);
    return sums;
  }

  /**
   * Keeps a landing's bytes before the output folder loses them: by a second name where it lies as a file, else by a
   * copy. Safe from power loss when it returns. @returns whether they were not kept before. @throws when the bytes can't be read or the disk is full.
   */
  async keep(landing: Landing): Promise<boolean> {
    const path = this.#store.keptPath(landing.id);
    if (existsSync(path)) return false;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    await this.#stage(landing, path);
    this.#publish(path);
    return true;
  }

  /**
   * Keeps a landing's bytes anew, where those that are kept are damaged and it still lies in the output folder as it
   * landed.
   * @param putAside gives the damaged file a second name. @returns that name; undefined where there is nothing better.
   * @throws what reading the output folder throws.
   */
  async keepAnew(landing: Landing, putAside: (path: string) => string): Promise<string | undefined> {
    const path = this.#store.keptPath(landing.id);
    try {
      await this.#stage(landing, path);
      if (damagedKept(stagedPathOf(path), landing).length > 0) return undefined;
      const aside = putAside(path);
      this.#publish(path);
      return aside;
    } finally {
      for (const left of [stagedPathOf(path), sumsPathOf(stagedPathOf(path))]) rmSync(left, { force: true });
    }
  }

  /** Lays what is to be kept ready beside its place: out of the output folder alone. */
  async #stage(landing: Landing, path: string): Promise<void> {
    const staged = stagedPathOf(path);
    for (const left of [staged, sumsPathOf(staged)]) rmSync(left, { force: true });
    if (this.#link(landing, staged)) return;
    const sums = await this.#copy(landing, staged, (at, into) => this.#readPlace(landing, at, into));
    writeFileSync(sumsPathOf(staged), encodeSums(sums), { mode: 0o600, flush: true });
  }

  /** Gives what was laid ready its name, after its checksums theirs. */
  #publish(path: string): void {
    const staged = stagedPathOf(path);
    if (existsSync(sumsPathOf(staged))) renameSync(sumsPathOf(staged), sumsPathOf(path));
    else rmSync(sumsPathOf(path), { force: true });
    this.#sums.delete(path);
    renameSync(staged, path);
    const folder = openSync(dirname(path), 'r');
    fsyncSync(folder);
    closeSync(folder);
  }

  #link(landing: Landing, staged: string): boolean {
    const whole = landing.kind === 'plain' ? landing.path : landing.verbatim;
    if (whole === undefined || !isInPlace(this.#place.output, landing)) return false;
    try {
      linkSync(join(this.#place.output, whole), staged);
      return true;
    } catch (error) {
      if (['EXDEV', 'EPERM', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'].includes(systemCode(error) ?? ''))
        return false;
      throw error;
    }
  }

  /**
   * Writes a landing's bytes into a file, safe from power loss when it returns.
   * @throws as {@link keep}.
   */
  async copy(landing: Landing, path: string, mtimeNs?: bigint): Promise<void> {
    await this.#copy(landing, path, (at, into) => this.read(landing, at, into), mtimeNs);
  }

  async #copy(
    landing: Landing,
    path: string,
    read: (offsetBytes: number, target: Uint8Array) => number,
    mtimeNs?: bigint,
  ): Promise<number[]> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fd = openSync(path, 'w', 0o600);
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, landing.sizeBytes)));
    const sums: number[] = [];
    try {
      for (let at = 0; at < landing.sizeBytes; at += buffer.length) {
        const part = buffer.subarray(0, Math.min(buffer.length, landing.sizeBytes - at));
        if (read(at, part) < part.length)
          throw new StateCorruptError(landing.mountPath, `ends before byte ${landing.sizeBytes}`);
        writeFully(fd, part, at);
        for (let from = 0; from < part.length; from += UNIT_BYTES)
          sums.push(unitSum(part.subarray(from, from + UNIT_BYTES)));
        await turn();
      }
      if (mtimeNs !== undefined) this.#calls?.setTimes(fd, mtimeNs, mtimeNs);
      fsyncSync(fd);
      return sums;
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  }
}
