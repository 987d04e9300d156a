import { closeSync, constants, existsSync, mkdirSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { storage } from '../core/storage.ts';

/** Open descriptors kept; one per file that is being worked on, never one per inode. */
const MAX_OPEN_FILES = 256;

/** Where a file's bytes lie and from which offset on they lie on disk. */
export interface DataPlace {
  readonly number: number;
  splitAt: number;
}

export interface DataFolders {
  /** In tmpfs. */
  readonly memory: string;
  /** On disk. */
  readonly spill: string;
  /** In tmpfs, a file: checksums of what was written. */
  readonly sums: string;
  /** On disk: logs of what was synced. */
  readonly durable: string;
}

/** Descriptors of a file's parts; -1 for the part on disk where nothing lies there. */
export interface OpenParts {
  memory: number;
  spill: number;
}

const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;

const openOrMake = (path: string): number => storage.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);

/**
 * The files that hold what was written: by number one in tmpfs, one on disk where part of it lies there, and one
 * where a program had it synced. Descriptors are kept for those that are worked on.
 */
export class DataFiles {
  readonly #folders: DataFolders;
  readonly #open = new Map<number, OpenParts>();
  /** The last of them: most calls are for the same file again. */
  #latest = -1;

  constructor(folders: DataFolders) {
    this.#folders = folders;
    mkdirSync(folders.memory, { recursive: true, mode: 0o700 });
    mkdirSync(folders.spill, { recursive: true, mode: 0o700 });
  }

  memoryPath(number: number): string {
    return join(this.#folders.memory, number.toString(16));
  }

  spillPath(number: number): string {
    return join(this.#folders.spill, number.toString(16));
  }

  /** A file's descriptors, made where they are missing. Good until the next call. */
  open(place: DataPlace): OpenParts {
    const { number } = place;
    let files = this.#open.get(number);
    if (!files) {
      files = { memory: openOrMake(this.memoryPath(number)), spill: -1 };
      this.#keep(number, files);
    } else if (number !== this.#latest) {
      this.#open.delete(number);
      this.#open.set(number, files);
      this.#latest = number;
    }
    if (files.spill === -1 && place.splitAt !== Number.POSITIVE_INFINITY) {
      files.spill = this.openSpill(number);
    }
    return files;
  }

  #keep(number: number, files: OpenParts): void {
    if (this.#open.size >= MAX_OPEN_FILES) {
      const oldest = this.#open.keys().next().value;
      if (oldest !== undefined) this.close(oldest);
    }
    this.#open.set(number, files);
    this.#latest = number;
  }

  /** Begins a file that is empty, whatever a change that failed left under its number. */
  openEmpty(place: DataPlace): OpenParts {
    this.close(place.number);
    const memory = storage.open(this.memoryPath(place.number), NEW_FILE, 0o600);
    this.#keep(place.number, { memory, spill: -1 });
    return this.open(place);
  }

  /** Begins the part of a file that lies on disk. */
  openSpill(number: number): number {
    return openOrMake(this.spillPath(number));
  }

  /** Closes the descriptors kept for a file. */
  close(number: number): void {
    const files = this.#open.get(number);
    if (!files) return;
    this.#open.delete(number);
    closeSync(files.memory);
    if (files.spill !== -1) closeSync(files.spill);
  }

  /** Removes the part of a file that lies in memory. */
  removeMemory(number: number): void {
    this.close(number);
    const path = this.memoryPath(number);
    if (existsSync(path)) unlinkSync(path);
  }

  /** Removes what an attempt to spill left behind; for a file whose bytes are all in memory. */
  clearSpill(number: number): void {
    storage.remove(this.spillPath(number));
  }

  /** Removes files that belong to no inode: left behind between two steps of a change when a daemon died. */
  sweep(isKnown: (number: number) => boolean): number {
    let swept = 0;
    for (const folder of [this.#folders.memory, this.#folders.spill]) {
      for (const name of readdirSync(folder)) {
        if (/^[0-9a-f]+$/.test(name) && isKnown(Number.parseInt(name, 16))) continue;
        rmSync(join(folder, name), { recursive: true });
        swept++;
      }
    }
    return swept;
  }
}
