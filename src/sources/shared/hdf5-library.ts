import { fileURLToPath } from 'node:url';
import { BadHdf5Error, PlateFsError, SourceNotReadyError } from '../../core/errors.ts';

/** How the library describes a type (h5wasm `hdf5_util_helpers.d.ts`); what it says of bit fields is not in there. */
export interface LibraryType {
  /** Class of the type, as in the format's datatype message: see {@link TYPE_CLASS}. */
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly littleEndian: boolean;
  readonly vlen: boolean;
  /** 1: UTF-8, 0: ASCII. */
  readonly cset?: number;
  /** Padding of fixed-length text: 0 ends at the first NUL, 1 is filled with NULs, 2 with spaces. */
  readonly strpad?: number;
  readonly ref_type?: 'object' | 'region';
  readonly array_type?: LibraryType & { readonly shape: number[] };
  readonly vlen_type?: LibraryType;
  readonly enum_type?: { readonly type: number; readonly members: Readonly<Record<string, number>> };
  readonly compound_type?: {
    readonly members: readonly (LibraryType & { readonly name: string; readonly offset: number })[];
  };
}

/** What the library says of a dataset or an attribute. */
export interface LibraryMetadata extends LibraryType {
  /** Null for an empty dataspace. */
  readonly shape: number[] | null;
  readonly maxshape: number[] | null;
  readonly chunks: number[] | null;
  readonly total_size: number;
  readonly virtual_sources?: readonly { readonly file_name: string; readonly dset_name: string }[];
}

export interface LibraryFilter {
  readonly id: number;
  readonly name: string;
  readonly cd_values: readonly number[];
}

/** A file that the module holds open, the library's or its own. */
interface ModuleStream {
  readonly path?: string;
}

/** The calls of h5wasm's module that are used here. */
export interface LibraryModule {
  readonly FS: {
    readonly streams: readonly (ModuleStream | null | undefined)[];
    close(stream: ModuleStream): void;
  };
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly H5F_ACC_RDONLY: number;
  readonly H5F_ACC_SWMR_READ: number;
  readonly H5G_GROUP: number;
  readonly H5G_DATASET: number;
  _malloc(sizeBytes: number): number;
  _free(pointer: number): void;
  activate_throwing_error_handler(): number;
  insert_plugin_search_path(path: string, index: number): number;
  open(path: string, mode: number, trackOrder: boolean, lowest: number, highest: number): bigint;
  close_file(file: bigint): number;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_type(file: bigint, path: string): number;
  /** Null when the link is none. */
  get_symbolic_link(file: bigint, path: string): string | null;
  /** An object without members when the link is none. */
  get_external_link(file: bigint, path: string): { filename?: string; obj_path?: string };
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): LibraryMetadata;
  get_attribute_data(file: bigint, path: string, name: string, pointer: bigint): number;
  get_dataset_metadata(file: bigint, path: string): LibraryMetadata;
  get_dataset_filters(file: bigint, path: string): LibraryFilter[];
  get_dimension_labels(file: bigint, path: string): (string | null)[];
  get_dataset_data(
    file: bigint,
    path: string,
    count: bigint[] | null,
    offset: bigint[] | null,
    strides: bigint[] | null,
    pointer: bigint,
  ): number;
  refresh_dataset(file: bigint, path: string): number;
  reclaim_vlen_memory(file: bigint, path: string, attribute: string, pointer: bigint): number;
  reclaim_vlen_memory_count(
    file: bigint,
    path: string,
    attribute: string,
    pointer: bigint,
    count: bigint[],
  ): number;
  /** An object reference: the address of the object's header, relative to the superblock's base. */
  create_object_reference(file: bigint, path: string): ArrayLike<number>;
  get_referenced_name(file: bigint, reference: Uint8Array, isObject: boolean): string;
}

/** A WebAssembly memory can't be made smaller: one that grew past this is dropped when nothing needs it. */
const KEEP_BYTES = 256 * 1024 * 1024;

type ModuleFactory = (options: object) => Promise<LibraryModule>;

/** A file that is open in an instance. */
export interface OpenInLibrary {
  readonly instance: LibraryInstance;
  readonly id: bigint;
  readonly path: string;
  /** Device and inode. */
  readonly inode: string;
  readonly identity: string;
  /** Closed because the file changed: the library would show its old state to whoever opens it next. */
  isStale: boolean;
}

/** An instance and the files that are open in it. */
export interface LibraryInstance {
  readonly module: LibraryModule;
  readonly openFiles: Set<OpenInLibrary>;
  isBroken: boolean;
}

let current: LibraryInstance | undefined;
let starting: Promise<void> | undefined;

async function start(): Promise<void> {
  // The package only exports its one shared instance; a broken one has to be replaced, so the factory is taken.
  const entry = import.meta.resolve('h5wasm/node');
  const { default: createModule } = (await import(new URL('./hdf5_util.js', entry).href)) as {
    default: ModuleFactory;
  };
  const module = await createModule({
    noInitialRun: true,
    // What it would print is thrown, too.
    print: () => {},
    printErr: () => {},
  });
  // Without it a failed read returns and leaves whatever stood in memory.
  module.activate_throwing_error_handler();
  const plugins = import.meta.resolve('h5wasm-plugins');
  module.insert_plugin_search_path(fileURLToPath(new URL('./plugins', plugins)), 0);
  if (current !== undefined) giveUp(current);
  current = { module, openFiles: new Set(), isBroken: false };
}

/** Nothing is read through an instance any more; files that were open in it open themselves in the next. */
function giveUp(instance: LibraryInstance): void {
  instance.isBroken = true;
  instance.openFiles.clear();
  closeStreams(instance, () => true);
}

function closeStreams({ module }: LibraryInstance, isWanted: (path: string) => boolean): void {
  // The first three are the process's own.
  for (const [number, stream] of module.FS.streams.entries())
    if (number > 2 && stream?.path !== undefined && isWanted(stream.path)) module.FS.close(stream);
}

/** Loads the HDF5 library for this thread. @throws Error when the package can't be loaded. */
export async function prepareHdf5(): Promise<void> {
  if (current === undefined || current.isBroken) await startAgain();
}

/**
 * This thread's instance of the library.
 * @throws SourceNotReadyError while another instance takes the place of one that damaged data broke.
 */
export function libraryFor(path: string): LibraryInstance {
  if (current === undefined || current.isBroken)
    throw new SourceNotReadyError(path, 'the HDF5 library is being loaded', startInBackground());
  if (current.openFiles.size === 0 && current.module.HEAPU8.length > KEEP_BYTES) startInBackground();
  return current;
}

function startAgain(): Promise<void> {
  starting ??= start().finally(() => {
    starting = undefined;
  });
  return starting;
}

function startInBackground(): Promise<void> {
  const started = startAgain();
  // Whoever needs it next waits for this, or starts it again, and tells its user when that fails.
  started.catch(() => {});
  return started;
}

/** Says that a file was closed: what failed calls forgot to close holds it open, and then this instance has to go. */
export function closedInLibrary(instance: LibraryInstance, path: string): void {
  if (instance.isBroken) return;
  const isOpen = [...instance.openFiles].some((open) => open.path === path);
  if (!isOpen && instance.module.FS.streams.some((stream) => stream?.path === path)) startInBackground();
}

/** What broke an instance, and why: asking again would break the next one. */
const breakers = new Map<string, string>();
const MAX_BREAKERS = 4096;

/** What is asked of the library. */
export interface LibraryTask {
  readonly path: string;
  /** What for, for messages. */
  readonly what: string;
  /** Which version of the file. */
  readonly identity: string;
}

/**
 * Runs calls of the library. What it throws becomes a typed error that names the file; when it aborts, because of
 * damaged data that a plugin did not expect, this instance is given up, another one loaded, and the same is not tried
 * again.
 * @throws BadHdf5Error
 */
export function withLibrary<T>(instance: LibraryInstance, task: LibraryTask, call: () => T): T {
  const { path, what, identity } = task;
  const key = `${path}\0${identity}\0${what}`;
  const known = breakers.get(key);
  if (known !== undefined) throw cannotDecode(task, known);
  try {
    return call();
  } catch (cause) {
    if (cause instanceof PlateFsError) throw cause;
    if (isBreakdown(cause)) {
      giveUp(instance);
      startInBackground();
      const reason = cause.message.slice(0, 200);
      if (breakers.size >= MAX_BREAKERS) breakers.clear();
      breakers.set(key, reason);
      throw cannotDecode(task, reason);
    }
    // The handler writes every error's text to a file of its own and leaves it open.
    closeStreams(instance, (opened) => ERROR_TEXT.test(opened));
    throw new BadHdf5Error(path, `${what}: ${libraryMessage(cause)}`);
  }
}

const cannotDecode = ({ path, what }: LibraryTask, reason: string): BadHdf5Error =>
  new BadHdf5Error(path, `${what}: the HDF5 library can't decode it: ${reason}`);

const ERROR_TEXT = /\/tmpfile_\w+$/;

/** Whether an instance stopped in the middle of something, so that its memory can't be trusted any more. */
function isBreakdown(cause: unknown): cause is Error {
  if (!(cause instanceof Error)) return false;
  return cause.name === 'RuntimeError' || /call stack/i.test(cause.message);
}

/** The innermost and the outermost message of the library's error stack. */
export function libraryMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const reasons = [...text.matchAll(/^\s*#\d+: .* in \w+\(\): (.*)$/gm)].map((match) => match[1] ?? '');
  const first = reasons[0];
  const last = reasons.at(-1);
  if (first === undefined || last === undefined) return text.slice(0, 200).trim();
  return first === last ? first : `${first}: ${last}`;
}
