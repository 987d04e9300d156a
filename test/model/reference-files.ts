/** What a file system of the simplest kind would hold: the truth that the overlay is compared with. */
export interface ReferenceFile {
  readonly type: 'file';
  bytes: Uint8Array<ArrayBufferLike>;
  mode: number;
  xattrs: Map<string, string>;
  /** Set by utimes and not written since. */
  mtimeMs: number | undefined;
  /** A file of the tree that nobody has changed. */
  pristine: boolean;
}

export interface ReferenceFolder {
  readonly type: 'folder';
  readonly children: Map<string, ReferenceNode>;
  /** A folder of the tree, whose rights can't change. */
  readonly fixed: boolean;
  readonly readOnly: boolean;
  mode: number;
  xattrs: Map<string, string>;
}

export interface ReferenceLink {
  readonly type: 'link';
  readonly target: string;
  xattrs: Map<string, string>;
}

export type ReferenceNode = ReferenceFile | ReferenceFolder | ReferenceLink;

/** A place: the folder and a name in it. */
export interface ReferencePlace {
  readonly folder: ReferenceFolder;
  readonly name: string;
  readonly node: ReferenceNode | undefined;
}

export const newFile = (
  mode: number,
  bytes: Uint8Array = new Uint8Array(),
  pristine = false,
): ReferenceFile => ({
  type: 'file',
  bytes,
  mode,
  xattrs: new Map(),
  mtimeMs: undefined,
  pristine,
});

export const newFolder = (mode: number, fixed = false, readOnly = false): ReferenceFolder => ({
  type: 'folder',
  children: new Map(),
  fixed,
  readOnly,
  mode,
  xattrs: new Map(),
});

/** Undefined where the way leads through something that is no folder. */
export function placeAt(root: ReferenceFolder, path: readonly string[]): ReferencePlace | undefined {
  let folder = root;
  for (const name of path.slice(0, -1)) {
    const next = folder.children.get(name);
    if (next?.type !== 'folder') return undefined;
    folder = next;
  }
  const name = path.at(-1) ?? '';
  return { folder, name, node: folder.children.get(name) };
}

export function isWithin(folder: ReferenceFolder, ancestor: ReferenceNode): boolean {
  if (folder === ancestor) return true;
  if (ancestor.type !== 'folder') return false;
  for (const child of ancestor.children.values())
    if (child.type === 'folder' && isWithin(folder, child)) return true;
  return false;
}

/** A file's bytes with `data` written at `offset`; what lies between is zeros. */
export function overwritten(bytes: Uint8Array, data: Uint8Array, offset: number): Uint8Array {
  if (data.length === 0) return bytes;
  const result = new Uint8Array(Math.max(bytes.length, offset + data.length));
  result.set(bytes);
  result.set(data, offset);
  return result;
}

export function resized(bytes: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(size);
  result.set(bytes.subarray(0, size));
  return result;
}
