import type { SumsOfUnits } from '../core/unit-sums.ts';
import type { FileOrigin } from '../model/file-origin.ts';
import type { DataPiece, DataStore } from './data-store.ts';
import type { ByteRange } from './durable-log.ts';
import { isFile, type LandingRecord, type OverlayInode } from './inode.ts';
import { originOf } from './made-by.ts';
import type { Namespace } from './namespace.ts';

/** A closed file, as the daemon's other rooms get to know it. */
export interface SealedFile {
  readonly inode: number;
  readonly version: number;
  readonly mountPath: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly pieces: readonly DataPiece[];
  /** Where it lay before it was written again; its next landing may take that place. */
  readonly previous?: LandingRecord;
  /** Of all of it, where it has any. */
  readonly sums?: SumsOfUnits;
  /** Where somebody works on it ahead: what was changed since it was last shown to them. */
  readonly rewritten?: readonly ByteRange[];
  /** Where it comes from, as far as that is known. */
  readonly origin?: FileOrigin;
  /** Rules that need not run again for this version. */
  readonly hooksDone: readonly string[];
}

/** What is counted of a closed file. Its bytes don't change before it is open again. */
interface Counted {
  readonly version: number;
  readonly sizeBytes: number;
  readonly memoryBytes: number;
}

/** The closed files that have not landed: what waits for a rule or a landing, counted as files come and go. */
export class SealedFiles {
  readonly #names: Namespace;
  readonly #store: DataStore;
  readonly #counted = new Map<number, Counted>();
  #sizeBytes = 0;
  #memoryBytes = 0;

  constructor(names: Namespace, store: DataStore) {
    this.#names = names;
    this.#store = store;
  }

  get count(): number {
    return this.#counted.size;
  }

  /** Bytes that are in them. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Memory that they hold. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Counts what a start found. Their bytes must be there. */
  countAll(): void {
    for (const number of this.#names.inodes.keys()) this.changed(number);
  }

  /** A file was opened, closed, landed, named or unlinked, or may have been. */
  changed(number: number): void {
    const before = this.#counted.get(number);
    const inode = this.#names.inodes.get(number);
    const isWaiting = inode?.sealed === true && !inode.landed && isFile(inode) && inode.place !== undefined;
    if (before && isWaiting && before.version === inode.version) return;
    if (before) {
      this.#counted.delete(number);
      this.#sizeBytes -= before.sizeBytes;
      this.#memoryBytes -= before.memoryBytes;
    }
    if (!isWaiting) return;
    const { sizeBytes } = this.#store.stat(inode);
    const memoryBytes = this.#store.reservedOf(number);
    this.#counted.set(number, { version: inode.version, sizeBytes, memoryBytes });
    this.#sizeBytes += sizeBytes;
    this.#memoryBytes += memoryBytes;
  }

  /** One of them as others see it; undefined for a file that is open, landed, unlinked or no file. */
  file(number: number): SealedFile | undefined {
    const inode = this.#counted.has(number) ? this.#names.inodes.get(number) : undefined;
    return inode && this.#describe(inode);
  }

  /**
   * A file that a program is writing, for whoever works on it ahead: as it is now, and from here on it is noted what of
   * that is changed. Undefined for one that is closed, unlinked, or written past us.
   */
  watchGrowing(number: number): SealedFile | undefined {
    const inode = this.#names.inodes.get(number);
    if (!inode || inode.sealed || inode.landed || !isFile(inode)) return undefined;
    const file = this.#describe(inode);
    if (!file?.sums) return undefined;
    this.#store.growing.watch(number, file.sizeBytes);
    return file;
  }

  #describe(inode: OverlayInode): SealedFile | undefined {
    const { number } = inode;
    const mountPath = this.#names.pathOf(number);
    if (mountPath === undefined) return undefined;
    const rewritten = this.#store.growing.rewritten(number);
    const { sizeBytes, mtimeNs } = this.#store.stat(inode);
    const sums = this.#store.sums.of(number, 0, sizeBytes);
    const origin = originOf(inode);
    return {
      inode: number,
      version: inode.version,
      mountPath,
      sizeBytes,
      mtimeMs: Number(mtimeNs) / 1e6,
      pieces: this.#store.pieces(inode),
      ...(inode.previous ? { previous: inode.previous.record } : {}),
      ...(sums === undefined ? {} : { sums }),
      ...(origin === undefined ? {} : { origin }),
      ...(sums === undefined || rewritten === undefined ? {} : { rewritten }),
      hooksDone: [...(inode.hooksDone ?? [])],
    };
  }

  /** All of them, those that were made first coming first. */
  *files(): Generator<SealedFile> {
    for (const number of [...this.#counted.keys()].sort((one, other) => one - other)) {
      const file = this.file(number);
      if (file) yield file;
    }
  }
}
