import {
  ROOT_NODE,
  type Tree,
  type TreeAttributes,
  type TreeContent,
  type TreeEntry,
} from '../../src/tree/tree.ts';

/** A folder (an object) or a file's bytes. */
export interface Seed {
  readonly [name: string]: Seed | Uint8Array;
}

interface SeedNode {
  readonly path: string;
  readonly name: string;
  readonly parent: number;
  readonly bytes: Uint8Array | undefined;
  readonly children: Map<string, number>;
}

const MTIME_MS = 1_700_000_000_000;

/**
 * A tree from a literal. Files whose name begins with `rendered` are put together at every read, all others lie
 * verbatim in `folder`; whatever is at or below `source` never changes.
 */
export class MemoryTree implements Tree {
  readonly #nodes = new Map<number, SeedNode>();
  readonly #folder: string;
  #next = ROOT_NODE;

  /** `place` writes a verbatim file. */
  constructor(seed: Seed, folder: string, place: (path: string, bytes: Uint8Array) => void) {
    this.#folder = folder;
    this.#add(seed, '', '', 0);
    for (const [node, { bytes }] of this.#nodes)
      if (bytes && this.content(node).kind === 'verbatim') place(this.#sourcePath(node), bytes);
  }

  #add(seed: Seed | Uint8Array, name: string, path: string, parent: number): number {
    const node = this.#next++;
    const isFile = seed instanceof Uint8Array;
    const children = new Map<string, number>();
    this.#nodes.set(node, { path, name, parent, bytes: isFile ? seed : undefined, children });
    if (!isFile)
      for (const [child, inner] of Object.entries(seed))
        children.set(child, this.#add(inner, child, path === '' ? child : `${path}/${child}`, node));
    return node;
  }

  #node(node: number): SeedNode {
    const found = this.#nodes.get(node);
    if (!found) throw new Error(`no node ${node}`);
    return found;
  }

  #sourcePath(node: number): string {
    return `${this.#folder}/${node}`;
  }

  bytesOf(node: number): Uint8Array {
    return this.#node(node).bytes ?? new Uint8Array();
  }

  refreshNode(): void {}

  lookup(parent: number, name: string): number | undefined {
    return this.#nodes.get(parent)?.children.get(name);
  }

  isDirectory(node: number): boolean {
    return this.#nodes.has(node) && this.#node(node).bytes === undefined;
  }

  isReadOnly(node: number): boolean {
    const { path } = this.#node(node);
    return path === 'source' || path.startsWith('source/');
  }

  attributes(node: number): TreeAttributes | undefined {
    const found = this.#nodes.get(node);
    if (!found) return undefined;
    const { bytes } = found;
    return { directory: !bytes, sizeBytes: bytes?.length ?? 0, mtimeMs: MTIME_MS, live: false };
  }

  isDocument(): boolean {
    return false;
  }

  isMeasured(): boolean {
    return true;
  }

  isKnown(): boolean {
    return true;
  }

  pathOf(node: number): string {
    return this.#node(node).path;
  }

  resolve(path: string): number | undefined {
    let node: number | undefined = ROOT_NODE;
    if (path !== '') for (const name of path.split('/')) node = node && this.lookup(node, name);
    return node;
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    const entry = [...this.#node(directory).children][cookie];
    return entry && { name: entry[0], node: entry[1], cookie: cookie + 1 };
  }

  names(directory: number): Iterable<string> {
    return this.#node(directory).children.keys();
  }

  content(node: number): TreeContent {
    return this.#node(node).name.startsWith('rendered')
      ? { kind: 'rendered' }
      : { kind: 'verbatim', path: this.#sourcePath(node) };
  }

  facts(): ReadonlyMap<string, string> {
    return new Map();
  }
}
