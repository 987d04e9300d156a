/**
 * One class per situation. `tag` is the literal that `core/errno.ts` maps to an errno and that `--json`
 * prints; `advice` says what the user can do. Every error keeps its cause.
 */
export abstract class PlateFsError extends Error {
  abstract readonly tag: ErrorTag;
  readonly advice: string | undefined;

  constructor(message: string, options: { cause?: unknown; advice?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.advice = options.advice;
  }
}

export type ErrorTag =
  | 'not-a-plate'
  | 'empty-folder'
  | 'unreadable-source'
  | 'source-changed'
  | 'bad-tiff'
  | 'unsupported-tiff'
  | 'bad-metadata'
  | 'bad-zarr'
  | 'unsupported-zarr'
  | 'bad-hdf5'
  | 'unsupported-hdf5'
  | 'source-busy'
  | 'source-not-ready'
  | 'bad-definition'
  | 'bad-parameter'
  | 'bad-mountpoint'
  | 'fuse-unavailable'
  | 'already-running'
  | 'not-running'
  | 'no-space'
  | 'state-corrupt'
  | 'damaged-bytes'
  | 'hook-failed'
  | 'device-failed'
  | 'cancelled'
  | 'name-too-long'
  | 'no-such-entry'
  | 'entry-exists'
  | 'not-a-directory'
  | 'is-a-directory'
  | 'directory-not-empty'
  | 'read-only'
  | 'not-permitted'
  | 'not-supported'
  | 'not-needed'
  | 'invalid-argument'
  | 'no-attribute'
  | 'cross-device'
  | 'file-too-large'
  | 'past-the-end'
  | 'stale'
  | 'io';

interface ErrorOptionsWithAdvice {
  cause?: unknown;
  advice?: string;
}

/** The folder holds nothing any format handler recognises. */
export class NotAPlateError extends PlateFsError {
  readonly tag = 'not-a-plate';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path} is not a plate: ${detail}`, options);
    this.path = path;
  }
}

/** The folder is empty. */
export class EmptyFolderError extends PlateFsError {
  readonly tag = 'empty-folder';
  readonly path: string;
  constructor(path: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path} is empty`, {
      advice: 'name the folder that holds the images',
      ...options,
    });
    this.path = path;
  }
}

/** A source file or folder can't be read. */
export class UnreadableSourceError extends PlateFsError {
  readonly tag = 'unreadable-source';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: ${detail}`, options);
    this.path = path;
  }
}

/** A source file is no longer what it was when it was indexed or opened. */
export class SourceChangedError extends PlateFsError {
  readonly tag = 'source-changed';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path} changed: ${detail}`, options);
    this.path = path;
  }
}

/** The file says it is a TIFF but breaks the format (truncated, bad offsets, wrong sizes). */
export class BadTiffError extends PlateFsError {
  readonly tag = 'bad-tiff';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: bad TIFF: ${detail}`, options);
    this.path = path;
  }
}

/** A valid TIFF with a feature PlateFS does not decode. */
export class UnsupportedTiffError extends PlateFsError {
  readonly tag = 'unsupported-tiff';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: unsupported TIFF: ${detail}`, options);
    this.path = path;
  }
}

/** Instrument metadata that can't be understood. */
export class BadMetadataError extends PlateFsError {
  readonly tag = 'bad-metadata';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: ${detail}`, options);
    this.path = path;
  }
}

/** A Zarr chunk or its metadata is damaged. */
export class BadZarrError extends PlateFsError {
  readonly tag = 'bad-zarr';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: bad Zarr: ${detail}`, options);
    this.path = path;
  }
}

/** A valid Zarr array with a feature PlateFS does not decode. */
export class UnsupportedZarrError extends PlateFsError {
  readonly tag = 'unsupported-zarr';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: unsupported Zarr: ${detail}`, options);
    this.path = path;
  }
}

/** An HDF5 file, or something in it, is damaged. */
export class BadHdf5Error extends PlateFsError {
  readonly tag = 'bad-hdf5';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: bad HDF5: ${detail}`, options);
    this.path = path;
  }
}

/** A valid HDF5 file with a feature PlateFS does not decode. */
export class UnsupportedHdf5Error extends PlateFsError {
  readonly tag = 'unsupported-hdf5';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: unsupported HDF5: ${detail}`, options);
    this.path = path;
  }
}

/** Another program is writing the file, and what stands in it can't be trusted yet. */
export class SourceBusyError extends PlateFsError {
  readonly tag = 'source-busy';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path} is being written: ${detail}`, options);
    this.path = path;
  }
}

/** What decodes the file is being loaded on this thread: once `ready` is fulfilled, the same call works. */
export class SourceNotReadyError extends PlateFsError {
  readonly tag = 'source-not-ready';
  readonly path: string;
  readonly ready: Promise<void>;
  constructor(path: string, detail: string, ready: Promise<void>) {
    super(`${path}: ${detail}`, { advice: 'try again' });
    this.path = path;
    this.ready = ready;
  }
}

/** A mount definition is wrong; the message carries file and line. */
export class BadDefinitionError extends PlateFsError {
  readonly tag = 'bad-definition';
  readonly file: string;
  readonly line: number | undefined;
  constructor(file: string, line: number | undefined, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${file}${line === undefined ? '' : `:${line}`}: ${detail}`, options);
    this.file = file;
    this.line = line;
  }
}

/** A hook rule that can't work, whatever file it is given; `at` is the path of the faulty part in the rule. */
export class BadRuleError extends PlateFsError {
  readonly tag = 'bad-definition';
  readonly rule: string;
  readonly at: readonly (string | number)[];
  constructor(
    rule: string,
    at: readonly (string | number)[],
    detail: string,
    options: ErrorOptionsWithAdvice = {},
  ) {
    super(`hook rule '${rule}', ${at.join('.')}: ${detail}`, options);
    this.rule = rule;
    this.at = at;
  }
}

/** A hook's or command's parameter has a wrong value. */
export class BadParameterError extends PlateFsError {
  readonly tag = 'bad-parameter';
  readonly parameter: string;
  constructor(parameter: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${parameter}: ${detail}`, options);
    this.parameter = parameter;
  }
}

/** The mountpoint is missing, busy, not empty or not a folder. */
export class BadMountpointError extends PlateFsError {
  readonly tag = 'bad-mountpoint';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`mountpoint ${path} ${detail}`, options);
    this.path = path;
  }
}

/** FUSE can't be used here. */
export class FuseUnavailableError extends PlateFsError {
  readonly tag = 'fuse-unavailable';
}

/** Another daemon holds this state. */
export class AlreadyRunningError extends PlateFsError {
  readonly tag = 'already-running';
}

/** No daemon serves this mountpoint. */
export class NotRunningError extends PlateFsError {
  readonly tag = 'not-running';
}

/** Neither memory nor disk has room. */
export class NoSpaceError extends PlateFsError {
  readonly tag = 'no-space';
}

/** Saved state (journal, handle log) can't be understood beyond a torn tail. */
export class StateCorruptError extends PlateFsError {
  readonly tag = 'state-corrupt';
  readonly path: string;
  constructor(path: string, detail: string, options: ErrorOptionsWithAdvice = {}) {
    super(`${path}: ${detail}`, options);
    this.path = path;
  }
}

/** Bytes that were written are no longer what they were: memory or a disk changed them. */
export class DamagedBytesError extends PlateFsError {
  readonly tag = 'damaged-bytes';
  /** @param fromBytes - The damage lies between this offset and `toBytes`. */
  constructor(path: string, fromBytes: number, toBytes: number) {
    super(`${path}: bytes ${fromBytes} to ${toBytes} are not what was written`, {
      advice: 'write the file again, or that part of it; memory or disk of this machine may be faulty',
    });
  }
}

/** A processing hook failed on an input. */
export class HookFailedError extends PlateFsError {
  readonly tag = 'hook-failed';
}

/** A compute device failed. */
export class DeviceFailedError extends PlateFsError {
  readonly tag = 'device-failed';
}

/** The work was cancelled. */
export class CancelledError extends PlateFsError {
  readonly tag = 'cancelled';
}

/** A file-system refusal with nothing to explain beyond its errno. */
export class FsRefusal extends PlateFsError {
  readonly tag: FsRefusalTag;
  constructor(tag: FsRefusalTag, message: string = tag, options: ErrorOptionsWithAdvice = {}) {
    super(message, options);
    this.tag = tag;
  }
}

export type FsRefusalTag = Extract<
  ErrorTag,
  | 'cross-device'
  | 'file-too-large'
  | 'past-the-end'
  | 'name-too-long'
  | 'no-such-entry'
  | 'entry-exists'
  | 'not-a-directory'
  | 'is-a-directory'
  | 'directory-not-empty'
  | 'read-only'
  | 'not-permitted'
  | 'not-supported'
  | 'not-needed'
  | 'invalid-argument'
  | 'no-attribute'
  | 'stale'
  | 'io'
>;

/** One line a person can act on: message, causes, advice. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current instanceof Error) {
    parts.push(current.message);
    current = current.cause;
  }
  if (current !== undefined && parts.length === 0) parts.push(String(current));
  const advice = error instanceof PlateFsError ? error.advice : undefined;
  const text = parts.filter((part, index) => part !== parts[index - 1]).join(': ');
  return advice === undefined ? text : `${text} (${advice})`;
}
