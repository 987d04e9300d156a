import { BadZarrError } from '../core/errors.ts';
import type { JsonObject } from '../core/json-text.ts';
import { MAX_DOCUMENT_BYTES, parseJsonObject } from './json.ts';
import { ChunkFile, type OpenBytes, type StoredBytes } from './stored-bytes.ts';

/**
 * Objects by key, names joined with `/`: a folder, a zip file, or what a server holds. Synchronous; a key that is
 * not there is told apart from everything else that can go wrong.
 */
export interface ZarrStore extends Disposable {
  /** The folder, file or URL, for messages. */
  readonly location: string;
  /** Whether each question costs a journey over the network. */
  readonly isRemote: boolean;
  /** What messages call an object. */
  pathOf(key: string): string;
  /**
   * Opens the first of these objects that exists; undefined when none does.
   * @throws UnreadableSourceError, BadZarrError, SourceChangedError naming the object.
   */
  open(keys: readonly string[], use: ChunkUse): OpenBytes | undefined;
  /** Has the server asked anew for an object, of which it is remembered what it was; absent where nothing is. */
  forget?(key: string): void;
  /** What lies in a folder ('' for the store's own); undefined when there is no such folder, or no telling. */
  list(folder: string): StoreListing | undefined;
}

/** Whether an object is going to be read whole or in a few parts, or is metadata: over a network that is another request. */
export type ChunkUse = 'whole' | 'parts' | 'document';

export interface StoreListing {
  readonly folders: readonly string[];
  /** Folders that are links which can't be followed, and why not. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  /** Whether there is more than is listed. */
  readonly isCut: boolean;
}

/** Names listed of one folder. */
export const MAX_LISTED = 200_000;

/** Opens chunks of one array by their keys below its folder. */
export type ChunkOpener = (keys: readonly string[], use: ChunkUse) => OpenBytes | undefined;

/** Chunks as files below a local folder. Symbolic links are followed wherever they lead. */
export function chunksInFolder(folder: string): ChunkOpener {
  return (keys) => ChunkFile.open(keys.map((key) => `${folder}/${key}`));
}

/** Chunks of the array at `node` of a store. */
export function chunksInStore(store: ZarrStore, node: string): ChunkOpener {
  return (keys, use) =>
    store.open(
      keys.map((key) => (node === '' ? key : `${node}/${key}`)),
      use,
    );
}

/** All of an object's bytes. @throws BadZarrError when they are more than `maxBytes`. */
export function allBytes(bytes: StoredBytes, maxBytes: number): Buffer {
  if (bytes.sizeBytes > maxBytes)
    throw new BadZarrError(bytes.path, `${bytes.sizeBytes} bytes, more than ${maxBytes}`);
  const all = Buffer.allocUnsafeSlow(bytes.sizeBytes);
  bytes.readInto(all, 0);
  return all;
}

/** A metadata document; undefined when there is none. @throws as `open`, and BadZarrError when it is no JSON object. */
export function readStoreJson(store: ZarrStore, key: string): JsonObject | undefined {
  using bytes = store.open([key], 'document');
  return bytes && parseJsonObject(allBytes(bytes, MAX_DOCUMENT_BYTES), bytes.path);
}

/** Whether a key's names are all plain: none is empty, `.` or `..`. */
export function isPlainKey(key: string): boolean {
  return !key.includes('\0') && key.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}
