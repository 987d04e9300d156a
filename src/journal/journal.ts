import { existsSync, readFileSync } from 'node:fs';
import { NoSpaceError, StateCorruptError } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import { isOutOfSpace, writeFully } from '../core/io.ts';
import { storage, syncFolderOf, systemError } from '../core/storage.ts';
import { damageAt, frame, type JournalRecord, replayAll, syncedMark } from './journal-frames.ts';

/** Room held ahead of the end: some thousands of changes once the disk is full. */
const RESERVE_BYTES = 1024 * 1024;

/** Sees to it that a file of this size fits on the disk, its length as it is; never throws for want of room. */
type ReserveRoom = (fd: number, sizeBytes: number) => void;

/** Replays a journal that is left as it is; one that is not there has no records. */
export function peekJournal(path: string, replay: (record: JournalRecord) => void): void {
  if (existsSync(path)) replayAll(readFileSync(path), replay);
}

/** What is said of a journal that is damaged otherwise than by a torn tail. */
export function damagedJournal(path: string, atByte: number, damage: string): StateCorruptError {
  return new StateCorruptError(path, `damaged at byte ${atByte}, ${damage}`, {
    advice: 'platefs fsck PLATE --repair  keeps it aside and goes on without what is damaged',
  });
}

/**
 * An append-only file of checked records. `append` returns when the record is in the kernel: it survives the
 * death of this process; `sync` makes it survive power loss. One writer.
 */
export class Journal {
  readonly path: string;
  #fd: number;
  #sizeBytes: number;
  /** Whether bytes of a record that failed lie behind the end. */
  #isTorn = false;
  #safeBytes = 0;
  /** How much is safe, where the file does not say so yet. */
  #unmarkedBytes = 0;
  /** A sync failed since: what the kernel took may never reach the disk. */
  #isSuspect = false;
  #reservedBytes = 0;
  #reserve: ReserveRoom | undefined;

  private constructor(path: string, fd: number, sizeBytes: number) {
    this.path = path;
    this.#fd = fd;
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Opens or makes the journal and replays it. A torn tail (what was being written when the process or the machine
   * died) is cut off exactly; its length is returned.
   * @param lostPower - Whether the machine went down since: then more than one record may be torn.
   * @throws StateCorruptError when what is damaged is no torn tail.
   */
  static open(
    path: string,
    replay: (record: JournalRecord) => void,
    lostPower = false,
  ): { journal: Journal; tornBytes: number } {
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const at = replayAll(bytes, replay);
    const tornBytes = bytes.length - at;
    const damage = damageAt(bytes, at, lostPower);
    if (damage !== undefined) {
      throw damagedJournal(path, at, damage);
    }
    const fd = storage.open(path, 'a+', 0o600);
    if (tornBytes > 0) storage.truncate(fd, at);
    return { journal: new Journal(path, fd, at), tornBytes };
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** From now on room is taken ahead of need. */
  reserveBy(reserve: ReserveRoom): void {
    this.#reserve = reserve;
    this.#takeRoom();
  }

  #takeRoom(): void {
    if (!this.#reserve || this.#sizeBytes + RESERVE_BYTES / 2 < this.#reservedBytes) return;
    this.#reservedBytes = this.#sizeBytes + RESERVE_BYTES;
    this.#reserve(this.#fd, this.#reservedBytes);
  }

  /** @throws NoSpaceError when the disk is full; the journal is then as it was before. */
  append(record: JournalRecord): void {
    passFaultPoint('journal.before-append');
    this.#takeRoom();
    const mark = this.#unmarkedBytes;
    this.#unmarkedBytes = 0;
    const bytes = mark > 0 ? Buffer.concat([syncedMark(mark), frame(record)]) : frame(record);
    try {
      if (this.#isTorn) storage.truncate(this.#fd, this.#sizeBytes);
      this.#isTorn = true;
      writeFully(this.#fd, bytes, null);
      this.#isTorn = false;
    } catch (error) {
      this.#unmarkedBytes = mark;
      this.#cutOff();
      if (isOutOfSpace(error)) {
        throw new NoSpaceError(`no room to note a change in ${this.path}`, {
          cause: error,
          advice: 'free space on that disk; nothing that was acknowledged is lost',
        });
      }
      throw error;
    }
    this.#sizeBytes += bytes.length;
    passFaultPoint('journal.after-append');
  }

  /** Takes away what a failed record left. Where that fails too, it is done before the next one. */
  #cutOff(): void {
    try {
      storage.truncate(this.#fd, this.#sizeBytes);
      this.#isTorn = false;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }

  /** Makes every appended record survive power loss. @throws the system's error: then none is believed safe. */
  sync(): void {
    const { sizeBytes } = this;
    this.trust();
    try {
      storage.syncData(this.#fd);
    } catch (error) {
      this.distrust();
      throw error;
    }
    this.synced(sizeBytes);
  }

  /** Somebody else synced the file when it had this size. */
  synced(sizeBytes: number): void {
    this.#unmarkedBytes = Math.max(this.#unmarkedBytes, sizeBytes);
    this.#safeBytes = Math.max(this.#safeBytes, sizeBytes);
  }

  /** Whether every record survives power loss. */
  get isSafe(): boolean {
    return !this.#isSuspect && this.#safeBytes === this.#sizeBytes;
  }

  /** A sync of the file failed: the kernel may have dropped what it had taken, and says nothing the next time. */
  distrust(): void {
    this.#isSuspect = true;
  }

  /**
   * After a sync that failed, before the next: writes everything anew into another file.
   * @throws the system's error; EIO when the kernel has dropped what was appended.
   */
  trust(): void {
    if (!this.#isSuspect) return;
    const bytes = readFileSync(this.path).subarray(0, this.#sizeBytes);
    if (replayAll(bytes, () => {}) !== this.#sizeBytes) throw systemError('fdatasync', 'EIO');
    this.#replaceBy([bytes]);
  }

  /** Replaces the content by `records`, atomically. */
  rewrite(records: Iterable<JournalRecord>): void {
    this.#replaceBy(
      (function* () {
        for (const record of records) yield frame(record);
      })(),
    );
  }

  #replaceBy(frames: Iterable<Buffer>): void {
    const temporary = `${this.path}.new`;
    const fd = storage.open(temporary, 'w', 0o600);
    let sizeBytes = 0;
    try {
      for (const bytes of frames) {
        writeFully(fd, bytes, sizeBytes);
        sizeBytes += bytes.length;
      }
      storage.sync(fd);
    } finally {
      storage.close(fd);
    }
    storage.rename(temporary, this.path);
    syncFolderOf(this.path);
    storage.close(this.#fd);
    this.#fd = storage.open(this.path, 'a+', 0o600);
    this.#sizeBytes = sizeBytes;
    this.#unmarkedBytes = sizeBytes;
    this.#safeBytes = sizeBytes;
    this.#isSuspect = false;
    this.#isTorn = false;
    this.#reservedBytes = 0;
    this.#takeRoom();
  }

  close(): void {
    storage.close(this.#fd);
  }
}
