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
import type { RevisionStore } from './revision-store.ts';

const COPY_BYTES = 4 << 20;

/** Whether a plain file of the output folder is still what landed there. */
function isInPlace(outputFolder: string, landing: Landing): boolean {
  if (landing.kind !== 'plain') return true;
  const record = readPlainRecord(outputFolder, landing.path);
  return record?.id === landing.id && isRecordedFile(outputFolder, record);
}

/** Reads landings that revisions need, from the output folder or from what was kept of them. One per thread. */
export class KeptLandings {
  readonly #outputFolder: string;
  readonly #store: RevisionStore;
  readonly #landed: LandedReader;
  readonly #calls: Pick<FileCalls, 'setTimes'> | undefined;

  /** @param calls sets times of copies, where any are made. */
  constructor(
    outputFolder: string,
    store: RevisionStore,
    decoded: ByteCache,
    calls?: Pick<FileCalls, 'setTimes'>,
  ) {
    this.#calls = calls;
    this.#outputFolder = outputFolder;
    this.#store = store;
    this.#landed = new LandedReader(outputFolder, decoded);
  }

  /**
   * Fills `target` from `offsetBytes` on. @returns bytes filled, fewer only at the end of the file.
   * @throws StateCorruptError, or what reading the output folder throws, when the bytes are nowhere.
   */
  read(landing: Landing, offsetBytes: number, target: Uint8Array): number {
    const kept = this.#readKept(landing, offsetBytes, target);
    if (kept !== undefined) return kept;
    try {
      if (!isInPlace(this.#outputFolder, landing))
        throw new StateCorruptError(landing.mountPath, 'its landed bytes were changed by something else');
      return this.#landed.readSync(landing, offsetBytes, target.length, target);
    } catch (error) {
      // It was kept, and replaced, while it was being read.
      const late = this.#readKept(landing, offsetBytes, target);
      if (late === undefined) throw error;
      return late;
    }
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
    if (whole === undefined || !isInPlace(this.#outputFolder, landing)) return false;
    try {
      linkSync(join(this.#outputFolder, whole), staged);
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
