import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { StateCorruptError } from '../core/errors.ts';
import type { FileCalls } from '../core/file-calls.ts';
import { readFully, writeFully } from '../core/io.ts';
import { systemCode } from '../core/system-code.ts';
import { LandedReader } from '../materializer/landed-reader.ts';
import type { Landing } from '../materializer/landing.ts';
import { isRecordedFile, readPlainRecord } from '../materializer/plain-placement.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import { type BranchPlace, BranchStore, MAIN_NUMBER } from './branch-store.ts';
import { RevisionStore } from './revision-store.ts';

const COPY_BYTES = 4 << 20;

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
      if (!isInPlace(this.#place.output, landing))
        throw new StateCorruptError(landing.mountPath, 'its landed bytes were changed by something else');
      count = this.#landed.readSync(landing, offsetBytes, target.length, target);
    } catch (error) {
      failure = error;
    }
    // It may have been kept, and its place given to others, while it was being read.
    const late = this.#readKept(landing, offsetBytes, target) ?? count;
    if (late === undefined) throw failure;
    return late;
  }

  #readKept(landing: Landing, offsetBytes: number, target: Uint8Array): number | undefined {
    const path = this.#store.keptPath(landing.id);
    if (!existsSync(path)) return undefined;
    const fd = openSync(path, 'r');
    try {
      return readFully(fd, target, offsetBytes);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Keeps a landing's bytes before the output folder loses them: by a second name where it lies as a file, else by a
   * copy. Safe from power loss when it returns. @throws when the bytes can't be read or the disk is full.
   */
  async keep(landing: Landing): Promise<void> {
    const path = this.#store.keptPath(landing.id);
    if (existsSync(path)) return;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const staged = `${path}.part`;
    rmSync(staged, { force: true });
    if (!this.#link(landing, staged)) await this.copy(landing, staged);
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

  /** Writes a landing's bytes into a file, safe from power loss when it returns. @throws as {@link keep}. */
  async copy(landing: Landing, path: string, mtimeNs?: bigint): Promise<void> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fd = openSync(path, 'w', 0o600);
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, landing.sizeBytes)));
    try {
      for (let at = 0; at < landing.sizeBytes; at += buffer.length) {
        const part = buffer.subarray(0, Math.min(buffer.length, landing.sizeBytes - at));
        if (this.read(landing, at, part) < part.length)
          throw new StateCorruptError(landing.mountPath, `ends before byte ${landing.sizeBytes}`);
        writeFully(fd, part, at);
        await turn();
      }
      if (mtimeNs !== undefined) this.#calls?.setTimes(fd, mtimeNs, mtimeNs);
      fsyncSync(fd);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  }
}
