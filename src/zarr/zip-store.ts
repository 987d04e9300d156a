import { BadZarrError, SourceChangedError, UnsupportedZarrError } from '../core/errors.ts';
import { crc32 } from './codec/checksums.ts';
import { decodeStream, type StreamFormat } from './codec/deflate-zstd.ts';
import { keptChunks } from './decoded-chunks.ts';
import { allBytes, isPlainKey, MAX_LISTED, type StoreListing, type ZarrStore } from './store.ts';
import { memoryBytes, type OpenBytes, partOf, type StoredBytes } from './stored-bytes.ts';
import { memberOffset, ZipDirectory, type ZipMember } from './zip-directory.ts';

/** Names of the files that a store's root has. */
const ROOT_NAMES = ['zarr.json', '.zgroup', '.zarray', '.zattrs'] as const;
/** Largest packed member that is unpacked: it has to be in memory whole. */
const MAX_UNPACKED_BYTES = 2 ** 30;
/** Deflate makes nothing smaller than this part of it (zlib's technical details). */
const MAX_DEFLATE_RATIO = 1032;

/** How members are packed, by APPNOTE.TXT's numbers of methods (4.4.5). */
const METHODS: Readonly<Record<number, StreamFormat>> = { 8: 'deflate', 93: 'zstd' };

/** What a zip file is read from. */
export interface ZipFile extends OpenBytes {
  /** Whether it is still the content that was opened. */
  readonly isUnchanged?: () => boolean;
}

/** A store in a zip file: in its root, or in the only folder there. */
export class ZipStore implements ZarrStore {
  readonly location: string;
  readonly isRemote: boolean;
  readonly #file: ZipFile;
  readonly #directory: ZipDirectory;
  /** Of every key: '' or a folder with its slash. */
  readonly #prefix: string;
  #folders: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  /** Takes over `file`. @throws BadZarrError, UnsupportedZarrError naming it. */
  constructor(file: ZipFile, isRemote = false) {
    this.#file = file;
    this.isRemote = isRemote;
    this.location = file.path;
    this.#directory = new ZipDirectory(file);
    this.#prefix = this.#hasRoot('') ? '' : this.#onlyFolder();
  }

  #hasRoot(prefix: string): boolean {
    return ROOT_NAMES.some((name) => this.#directory.member(prefix + name) !== undefined);
  }

  #onlyFolder(): string {
    let only: string | undefined;
    for (const name of this.#directory.names()) {
      const folder = name.slice(0, name.indexOf('/') + 1);
      if (only !== undefined && folder !== only) return '';
      only = folder;
    }
    return only !== undefined && this.#hasRoot(only) ? only : '';
  }

  pathOf(key: string): string {
    return key === '' ? this.location : `${this.location}/${key}`;
  }

  open(keys: readonly string[]): OpenBytes | undefined {
    if (this.#file.isUnchanged?.() === false)
      throw new SourceChangedError(this.location, 'it was written to after it was opened', {
        advice: 'mount it again',
      });
    for (const key of keys) {
      const member = this.#directory.member(this.#prefix + key);
      if (member) return openMember(this.#file, member, this.pathOf(key));
    }
    return undefined;
  }

  list(folder: string): StoreListing | undefined {
    this.#folders ??= foldersOf(this.#directory, this.#prefix);
    const all = this.#folders.get(folder);
    if (!all) return undefined;
    const folders = [...all].sort();
    return { folders: folders.slice(0, MAX_LISTED), refused: [], isCut: folders.length > MAX_LISTED };
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/** The folders in each folder. */
function foldersOf(directory: ZipDirectory, prefix: string): ReadonlyMap<string, ReadonlySet<string>> {
  const folders = new Map<string, Set<string>>([['', new Set()]]);
  const names: [parent: string, name: string][] = [];
  for (const name of directory.names()) {
    if (!name.startsWith(prefix)) continue;
    let folder = name.slice(prefix.length, Math.max(prefix.length, name.lastIndexOf('/')));
    if (!isPlainKey(folder)) continue;
    // Upwards, until a folder is known.
    while (!folders.has(folder)) {
      folders.set(folder, new Set());
      const slash = folder.lastIndexOf('/');
      const parent = folder.slice(0, Math.max(0, slash));
      names.push([parent, folder.slice(slash + 1)]);
      folder = parent;
    }
  }
  for (const [parent, name] of names) folders.get(parent)?.add(name);
  return folders;
}

function openMember(file: StoredBytes, member: ZipMember, path: string): OpenBytes {
  const { method, packedBytes, sizeBytes } = member;
  if (member.isEncrypted) throw new UnsupportedZarrError(path, 'is encrypted');
  const packed = { ...partOf(file, memberOffset(file, member), packedBytes), path };
  if (method === 0) {
    if (packedBytes !== sizeBytes)
      throw new BadZarrError(path, `${packedBytes} bytes in the zip file instead of ${sizeBytes}`);
    return { ...packed, readInto: checked(packed, member), [Symbol.dispose]() {} };
  }
  const format = METHODS[method];
  if (format === undefined) throw new UnsupportedZarrError(path, `method ${method} of packing in a zip file`);
  const isBomb = format === 'deflate' && sizeBytes > MAX_DEFLATE_RATIO * packedBytes + MAX_DEFLATE_RATIO;
  if (isBomb || sizeBytes > MAX_UNPACKED_BYTES)
    throw new BadZarrError(path, `${packedBytes} bytes in the zip file can't be ${sizeBytes}`);
  const { identity } = packed;
  const unpack = (): OpenBytes => memoryBytes(path, unpacked(packed, format, member));
  let bytes: OpenBytes | undefined;
  return {
    path,
    sizeBytes,
    identity,
    file: undefined,
    readInto(target, offset) {
      bytes ??= unpack();
      bytes.readInto(target, offset);
    },
    [Symbol.dispose]() {},
  };
}

/** Reading that checks the checksum whenever the member is read whole. */
function checked(bytes: StoredBytes, { crc32: expected }: ZipMember): StoredBytes['readInto'] {
  return (target, offset) => {
    if (offset + target.length > bytes.sizeBytes) throw new BadZarrError(bytes.path, 'is cut off');
    bytes.readInto(target, offset);
    if (target.length === bytes.sizeBytes && crc32(target) !== expected)
      throw new BadZarrError(bytes.path, 'the checksum in the zip file is another');
  };
}

function unpacked(
  packed: StoredBytes,
  format: StreamFormat,
  { sizeBytes, crc32: expected }: ZipMember,
): Uint8Array {
  // Not the member's own identity: under that its chunk is kept, which is decoded further.
  const key = packed.identity === undefined ? undefined : `${packed.identity} unpacked`;
  const kept = key === undefined ? undefined : keptChunks.get(key);
  if (kept) return kept;
  let bytes: Buffer;
  try {
    bytes = decodeStream(format, allBytes(packed, packed.sizeBytes), sizeBytes);
  } catch (cause) {
    throw new BadZarrError(packed.path, 'is damaged in the zip file', { cause });
  }
  if (bytes.length !== sizeBytes)
    throw new BadZarrError(packed.path, `${bytes.length} bytes in the zip file instead of ${sizeBytes}`);
  if (crc32(bytes) !== expected)
    throw new BadZarrError(packed.path, 'the checksum in the zip file is another');
  if (key !== undefined) keptChunks.set(key, bytes);
  return bytes;
}
