import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { NoSpaceError } from '../core/errors.ts';
import { fileIdentity } from '../core/file-identity.ts';
import { systemCode } from '../core/system-code.ts';

/** Counts in every key too (`tree/render-key.ts`): entries of another version are never found. */
const DESCRIPTION_VERSION = 1;
const DESCRIPTION = '.json';
const TEMPORARY = '.part';
/** What a process that died left behind. */
const ABANDONED_MS = 24 * 3_600_000;
const CHECK_BYTES = 1 << 20;
const LOCK_TIMEOUT_MS = 10_000;
const LOCK_POLL_MS = 20;

/** What is said of a render beside its bytes. */
export interface RenderDescription {
  readonly sizeBytes: number;
  /** CRC-32 of the bytes. */
  readonly checksum: number;
  /** Whose file it is: the mounted source, and the path below the mount. */
  readonly source: string;
  readonly mountPath: string;
}

export interface StoredRender extends RenderDescription {
  /** Which file was brought in, and since when this machine runs: {@link fileAsMade}. Absent where nobody can tell. */
  readonly asMade?: string;
  readonly key: string;
  readonly path: string;
  readonly usedAtMs: number;
}

export interface RenderStoreOptions {
  readonly folder: string;
  /** Absent where whoever brings renders in sees to that himself. */
  readonly limitBytes?: number;
  /** Bytes that were brought in are right as long as they are there: in memory that nobody else writes. */
  readonly isTrusted?: boolean;
  /** Takes an exclusive lock on an open file without waiting; it ends with the descriptor. */
  readonly lock: (fd: number) => boolean;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
let boot: string | undefined;

/**
 * Tells the bytes of a file since this machine was started: what was written and not changed since is in the page cache
 * or on the disk as it was written, which nobody knows once the power was off. Undefined where the system doesn't say.
 */
function fileAsMade(path: string): string | undefined {
  try {
    boot ??= readFileSync(BOOT_ID, 'utf8').trim();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
  const stat = statSync(path, { bigint: true });
  return `${boot} ${fileIdentity(stat)}:${stat.ctimeNs}`;
}

function isDescription(
  value: unknown,
): value is RenderDescription & { readonly version: number; readonly asMade?: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  const { version, sizeBytes, checksum, source, mountPath } = value as Record<string, unknown>;
  return (
    version === DESCRIPTION_VERSION &&
    typeof sizeBytes === 'number' &&
    typeof checksum === 'number' &&
    typeof source === 'string' &&
    typeof mountPath === 'string'
  );
}

/** A folder of renders. Several processes may share it. */
export class RenderStore {
  readonly folder: string;
  readonly limitBytes: number | undefined;
  readonly #lock: (fd: number) => boolean;
  readonly #isTrusted: boolean;
  /** Renders whose bytes were seen to be right, by path, inode, size and time. */
  readonly #verified = new Set<string>();

  constructor({ folder, limitBytes, lock, isTrusted = false }: RenderStoreOptions) {
    this.#isTrusted = isTrusted;
    this.folder = folder;
    this.limitBytes = limitBytes;
    this.#lock = lock;
  }

  /** All of them, least recently used first. */
  list(): StoredRender[] {
    const found = this.#names()
      .filter((name) => name.endsWith(DESCRIPTION))
      .flatMap((name) => this.find(name.slice(0, -DESCRIPTION.length)) ?? []);
    return found.toSorted((a, b) => a.usedAtMs - b.usedAtMs);
  }

  #names(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** The render of that key, if it is there as a whole; its bytes are not looked at. */
  find(key: string): StoredRender | undefined {
    const path = join(this.folder, key);
    try {
      const usedAtMs = statSync(path + DESCRIPTION, { throwIfNoEntry: false })?.mtimeMs;
      if (usedAtMs === undefined) return undefined;
      const description: unknown = JSON.parse(readFileSync(path + DESCRIPTION, 'utf8'));
      if (!isDescription(description) || statSync(path).size !== description.sizeBytes) {
        this.remove(key);
        return undefined;
      }
      const { sizeBytes, checksum, source, mountPath, asMade } = description;
      const found = { key, path, usedAtMs, sizeBytes, checksum, source, mountPath };
      return typeof asMade === 'string' ? { ...found, asMade } : found;
    } catch (error) {
      // Not there, thrown out this moment, or no description any more: then it is made anew.
      if (error instanceof SyntaxError) this.remove(key);
      else if (systemCode(error) !== 'ENOENT') throw error;
      return undefined;
    }
  }

  /**
   * The render of that key with its bytes known to be right, for which those of one that this machine has not made since
   * it was started are read once; noted as used.
   * @returns undefined when there is none; `corrupt` when there was one, which is thrown out.
   */
  use(key: string): StoredRender | 'corrupt' | undefined {
    const found = this.find(key);
    if (!found) return undefined;
    if (!this.#isTrusted && !this.#isRight(found)) {
      this.remove(key);
      return 'corrupt';
    }
    const now = new Date();
    try {
      utimesSync(found.path + DESCRIPTION, now, now);
    } catch (error) {
      // Thrown out by another mount this moment, or on a disk that is read-only: it is good all the same.
      if (systemCode(error) === undefined) throw error;
    }
    return found;
  }

  #isRight({ path, sizeBytes, checksum, asMade }: StoredRender): boolean {
    if (asMade !== undefined && asMade === fileAsMade(path)) return true;
    const identity = `${path}\0${fileIdentity(statSync(path, { bigint: true }))}`;
    if (this.#verified.has(identity)) return true;
    const fd = openSync(path, 'r');
    try {
      const buffer = Buffer.allocUnsafe(CHECK_BYTES);
      let sum = 0;
      let done = 0;
      for (;;) {
        const got = readSync(fd, buffer, 0, buffer.length, done);
        if (got === 0) break;
        sum = crc32(buffer.subarray(0, got), sum);
        done += got;
      }
      if (done !== sizeBytes || sum !== checksum) return false;
    } finally {
      closeSync(fd);
    }
    this.#verified.add(identity);
    return true;
  }

  /** Where a render is to be written before {@link bringIn}; makes the folder, which is for its owner only. */
  temporaryPath(): string {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    return join(this.folder, randomBytes(12).toString('hex') + TEMPORARY);
  }

  /**
   * Takes in a finished file, throwing out what was not used for longest where there is a limit.
   * @throws NoSpaceError when it is larger than the limit; the file is then removed.
   */
  async bringIn(
    key: string,
    temporaryPath: string,
    description: RenderDescription,
    signal?: AbortSignal,
  ): Promise<StoredRender> {
    const { limitBytes } = this;
    try {
      if (limitBytes !== undefined && description.sizeBytes > limitBytes)
        throw new NoSpaceError(
          `${description.mountPath} has ${description.sizeBytes} bytes, more than the cold cache may hold (${limitBytes})`,
          { advice: 'mount with a larger  -o cold-cache=SIZE' },
        );
      await this.#locked(() => {
        if (limitBytes !== undefined) this.#makeRoom(limitBytes - description.sizeBytes, key);
        const path = join(this.folder, key);
        renameSync(temporaryPath, path);
        const asMade = fileAsMade(path);
        const text = JSON.stringify({ version: DESCRIPTION_VERSION, ...description, asMade });
        writeFileSync(`${temporaryPath}${DESCRIPTION}`, text, { mode: 0o600 });
        renameSync(`${temporaryPath}${DESCRIPTION}`, path + DESCRIPTION);
      }, signal);
    } catch (error) {
      rmSync(temporaryPath, { force: true });
      throw error;
    }
    return { ...description, key, path: join(this.folder, key), usedAtMs: Date.now() };
  }

  /** Throws out what was used longest ago until the rest holds at most `keepBytes`; and what was abandoned. */
  #makeRoom(keepBytes: number, exceptKey: string): void {
    const known = this.list().filter(({ key }) => key !== exceptKey);
    let sum = known.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
    for (const { key, sizeBytes } of known) {
      if (sum <= keepBytes) break;
      this.remove(key);
      sum -= sizeBytes;
    }
    const names = new Set(this.#names());
    for (const name of names) {
      const isOrphan =
        name.includes(TEMPORARY) || (/^[0-9a-f]+$/.test(name) && !names.has(name + DESCRIPTION));
      const path = join(this.folder, name);
      const stat = isOrphan ? statSync(path, { throwIfNoEntry: false }) : undefined;
      if (stat && Date.now() - stat.mtimeMs > ABANDONED_MS) rmSync(path, { force: true });
    }
  }

  async #locked(work: () => void, signal: AbortSignal | undefined): Promise<void> {
    const fd = openSync(join(this.folder, 'lock'), 'a', 0o600);
    try {
      const untilMs = Date.now() + LOCK_TIMEOUT_MS;
      while (!this.#lock(fd)) {
        if (Date.now() > untilMs)
          throw new NoSpaceError(`${this.folder} is locked by another PlateFS`, { advice: 'try again' });
        await delay(LOCK_POLL_MS, undefined, signal ? { signal } : {});
      }
      work();
    } finally {
      closeSync(fd);
    }
  }

  /** Whoever has it open goes on reading it. */
  remove(key: string): void {
    // The description goes first: bytes without one are no render.
    rmSync(join(this.folder, key + DESCRIPTION), { force: true });
    rmSync(join(this.folder, key), { force: true });
  }
}
