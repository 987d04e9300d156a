/** The mount's root. FUSE fixes its number. */
export const ROOT_NODE = 1;

export interface TreeAttributes {
  readonly directory: boolean;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** Content is made anew by the daemon at every open; the size is a hint. A directory's entries may come and go. */
  readonly live: boolean;
  /** st_mode, where it is not that of its kind; write bits are never shown. */
  readonly mode?: number;
}

/** A name in a directory. `cookie` is at least 1 and below 2^40. */
export interface TreeEntry {
  readonly name: string;
  readonly node: number;
  readonly cookie: number;
}

/** How a file's bytes come to be. */
export type TreeContent =
  /** They lie in a file of the source, verbatim. */
  | { readonly kind: 'verbatim'; readonly path: string }
  /** A reader thread puts them together. */
  | { readonly kind: 'rendered' }
  /** The daemon's main thread writes them. */
  | { readonly kind: 'document' };

/**
 * What exists before anybody writes: nodes with permanent numbers below 2^45, answered synchronously from
 * memory. Every thread that holds the same index sees the same numbers.
 */
export interface Tree {
  lookup(parent: number, name: string): number | undefined;
  isDirectory(node: number): boolean;
  /** Nothing at or below this node may change. */
  isReadOnly(node: number): boolean;
  /** @throws an error with its errno when the source can't be asked. Undefined when the node does not exist. */
  attributes(node: number): TreeAttributes | undefined;
  /** Looks at the source file behind a node again, after it was seen to have changed. */
  refreshNode(node: number): void;
  /** Path below the mount's root, without a leading slash. */
  pathOf(node: number): string;
  resolve(path: string): number | undefined;
  /**
   * The first entry of a directory behind a cookie; 0 is before all. An entry keeps its cookie as long as it
   * exists, and what comes later comes behind what was there.
   */
  entryAfter(directory: number, cookie: number): TreeEntry | undefined;
  names(directory: number): Iterable<string>;
  content(node: number): TreeContent;
  /** Whether the daemon's main thread writes the file; as `content` says, without naming a path. */
  isDocument(node: number): boolean;
  /** Whether `attributes` answers from memory; else it asks the source, which may be slow. */
  isKnown(node: number): boolean;
  /**
   * Whether a file's size, or the names in a folder, are known without reading all of what they are made of; else
   * `attributes` throws, and the measuring thread has to be asked first. Nothing below a folder has a node before.
   */
  isMeasured(node: number): boolean;
  /** What a symbolic link leads to; undefined for everything else. A tree without links has no such method. */
  linkTarget?(node: number): string | undefined;
  /** `user.platefs.*` facts, without the prefix. */
  facts(node: number): ReadonlyMap<string, string>;
}

/** The node at a path below a tree's root, a name at a time; undefined where one of them does not exist. */
export function resolvePath(tree: Pick<Tree, 'lookup'>, path: string): number | undefined {
  let node: number | undefined = ROOT_NODE;
  if (path === '') return node;
  for (const name of path.split('/')) {
    node = tree.lookup(node, name);
    if (node === undefined) return undefined;
  }
  return node;
}
