import { type BigIntStats, closeSync, fstatSync, openSync, statSync } from 'node:fs';
import {
  BadHdf5Error,
  SourceBusyError,
  SourceChangedError,
  UnreadableSourceError,
} from '../../core/errors.ts';
import { fileIdentity } from '../../core/file-identity.ts';
import { type Hdf5Bytes, NotUnderstood } from './hdf5-bytes.ts';
import {
  closedInLibrary,
  type LibraryInstance,
  type LibraryModule,
  type LibraryTask,
  libraryFor,
  type OpenInLibrary,
  withLibrary,
} from './hdf5-library.ts';
import { readSuperblock } from './hdf5-superblock.ts';

/** What the library says of a file that another program has open for writing (`H5Fsuper.c`). */
const OPEN_FOR_WRITE = /already open for (write|SWMR write)|may use.*h5clear/i;

const inodeOf = (stats: BigIntStats): string => `${stats.dev}:${stats.ino}`;

/** What a file is now, as `Hdf5File.identity` says it. @throws UnreadableSourceError */
export function identityNow(path: string): string {
  try {
    return fileIdentity(statSync(path, { bigint: true }));
  } catch (cause) {
    throw new UnreadableSourceError(path, "can't be looked at", { cause });
  }
}

/**
 * An HDF5 file held open by one thread: for the HDF5 library, and as a descriptor for bytes that need no library.
 * Nothing is locked. What was opened is what is read: a file that changes afterwards is an error.
 */
export class Hdf5File implements Disposable {
  readonly path: string;
  /** Device, inode, size and time of change. */
  readonly identity: string;
  readonly #inode: string;
  readonly fd: number;
  readonly sizeBytes: number;
  #open: OpenInLibrary | undefined;
  #bytes: Hdf5Bytes | undefined | 'unknown';
  #isClosed = false;

  private constructor(path: string, fd: number, stats: BigIntStats) {
    this.path = path;
    this.fd = fd;
    this.sizeBytes = Number(stats.size);
    this.identity = fileIdentity(stats);
    this.#inode = inodeOf(stats);
  }

  /**
   * The library must have been prepared on this thread.
   * @throws UnreadableSourceError, BadHdf5Error; SourceBusyError while another program is writing it; what `library`
   * throws.
   */
  static open(path: string): Hdf5File {
    let fd: number;
    try {
      // A pipe of that name would be waited for.
      if (!statSync(path).isFile()) throw new UnreadableSourceError(path, 'is no file');
      fd = openSync(path, 'r');
    } catch (cause) {
      throw new UnreadableSourceError(path, "can't be opened", { cause });
    }
    try {
      const stats = fstatSync(fd, { bigint: true });
      const file = new Hdf5File(path, fd, stats);
      try {
        file.library('opening', () => {});
        return file;
      } catch (error) {
        if (file.#open !== undefined) closeInLibrary(file.#open, path);
        throw error;
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** @throws SourceChangedError when the file is no longer what was opened. */
  checkUnchanged(): void {
    if (fileIdentity(fstatSync(this.fd, { bigint: true })) !== this.identity)
      throw new SourceChangedError(this.path, 'it was written after it was opened', {
        advice: 'open it again',
      });
  }

  /** The file's own structures; undefined when its superblock is none that is read here. */
  get bytes(): Hdf5Bytes | undefined {
    if (this.#bytes === undefined) {
      try {
        this.#bytes = readSuperblock(this.fd, this.path, this.sizeBytes);
      } catch (error) {
        if (!(error instanceof NotUnderstood)) throw error;
        this.#bytes = 'unknown';
      }
    }
    return this.#bytes === 'unknown' ? undefined : this.#bytes;
  }

  /**
   * Runs calls of the HDF5 library on this file. `what` is what for, for messages.
   * @throws BadHdf5Error, SourceBusyError, SourceChangedError; SourceNotReadyError after damaged data broke the library
   */
  library<T>(what: string, call: (module: LibraryModule, file: bigint) => T): T {
    if (this.#isClosed) throw new UnreadableSourceError(this.path, 'was closed');
    const { instance, id } = this.#inLibrary();
    try {
      return withLibrary(instance, this.#task(what), () => call(instance.module, id));
    } catch (error) {
      // What stands in the file now is not what the library knows of it.
      this.checkUnchanged();
      throw error;
    }
  }

  #task(what: string): LibraryTask {
    return { path: this.path, what, identity: this.identity };
  }

  #inLibrary(): OpenInLibrary {
    if (this.#open !== undefined && !this.#open.instance.isBroken && !this.#open.isStale) return this.#open;
    const instance = libraryFor(this.path);
    const { module } = instance;
    this.#closeOutdated(instance);
    const open = (mode: number): bigint =>
      withLibrary(instance, this.#task('opening'), () => module.open(this.path, mode, false, -1, -1));
    let id: bigint;
    try {
      id = open(module.H5F_ACC_RDONLY);
    } catch (error) {
      if (!(error instanceof BadHdf5Error && OPEN_FOR_WRITE.test(error.message))) throw error;
      id = this.#openGrowing(instance, open);
    }
    this.#open = {
      instance,
      id,
      path: this.path,
      inode: this.#inode,
      identity: this.identity,
      isStale: false,
    };
    instance.openFiles.add(this.#open);
    // The library opens by name: between its look and ours the file may have been replaced.
    if (identityNow(this.path) !== this.identity)
      throw new SourceChangedError(this.path, 'another file took its place', { advice: 'open it again' });
    return this.#open;
  }

  /** The library shares what it knows of a file among all who open it, also what is no longer so. */
  #closeOutdated(instance: LibraryInstance): void {
    for (const open of instance.openFiles)
      if (open.inode === this.#inode && open.identity !== this.identity) closeInLibrary(open, this.path);
  }

  /** A file that is open for single-writer-multiple-readers access can be read while it grows. */
  #openGrowing(instance: LibraryInstance, open: (mode: number) => bigint): bigint {
    try {
      return open(instance.module.H5F_ACC_SWMR_READ);
    } catch (cause) {
      throw new SourceBusyError(this.path, 'another program has it open for writing', {
        cause,
        advice: 'try again when that program has closed it; if none is running, `h5clear -s` frees it',
      });
    }
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.fd);
    if (this.#open !== undefined) closeInLibrary(this.#open, this.path);
    this.#open = undefined;
  }
}

function closeInLibrary(open: OpenInLibrary, path: string): void {
  const { instance } = open;
  if (!instance.openFiles.delete(open)) return;
  open.isStale = true;
  if (instance.isBroken) return;
  withLibrary(instance, { path, what: 'closing', identity: open.identity }, () =>
    instance.module.close_file(open.id),
  );
  closedInLibrary(instance, path);
}
