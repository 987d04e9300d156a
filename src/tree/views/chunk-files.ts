import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { systemCode } from '../../core/system-code.ts';
import {
  type ChunkGrid,
  type GridPlace,
  gridOf,
  gridPath,
  isGridFolder,
  MAX_GRID_ENTRIES,
  ordinalOf,
  placeOf,
  placeOfName,
} from '../../model/chunk-grid.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { directoryPath } from '../../model/plate-lookup.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeEntry } from '../tree.ts';
import { KIND } from './view.ts';

/** Node numbers from here to the tree's end: the number of the array's folder, then the ordinal in its grid. */
const CHUNKS = 2 ** 44;
const BEYOND = 2 ** 45;
const MAX_FOLDERS = (BEYOND - CHUNKS) / MAX_GRID_ENTRIES;
/** Cookies in an array's own folder, behind those of its other folders and files. */
const COOKIES = 2 * KIND;
const MAX_LISTINGS = 32;
/** What was told of chunks, so that a change is seen when one is opened. */
const MAX_REMEMBERED = 32_768;

interface Chunk {
  /** Position of the array's folder in the index. */
  readonly folder: number;
  readonly grid: ChunkGrid;
  readonly place: GridPlace;
}

/** What stands in a folder of chunks now. */
type Listing = readonly { readonly at: number; readonly name: string }[];

/**
 * Chunks of arrays that the index leaves out. Names and node numbers follow from the grid; whether a chunk is there is
 * asked of the disk. Other files in a folder of chunks are not shown.
 */
export class ChunkFiles {
  readonly #shared: SharedTree;
  readonly #listings = new LRUCache<string, Listing>({ max: MAX_LISTINGS });
  readonly #told = new LRUCache<number, TreeAttributes>({ max: MAX_REMEMBERED });

  constructor(shared: SharedTree) {
    this.#shared = shared;
  }

  owns(node: number): boolean {
    return node >= CHUNKS && node < BEYOND;
  }

  /** Which chunk or folder of chunks a node is; undefined when it is gone. */
  #chunkAt(node: number): Chunk | undefined {
    const { index, numbering } = this.#shared;
    const folder = positionOf(numbering.directories, Math.floor((node - CHUNKS) / MAX_GRID_ENTRIES));
    const grid = folder === undefined ? undefined : gridOf(index.chunkFolders, folder);
    const place = grid && placeOf(grid, (node - CHUNKS) % MAX_GRID_ENTRIES);
    return folder === undefined || !grid || !place ? undefined : { folder, grid, place };
  }

  #nodeOf({ folder, grid, place }: Chunk): number {
    const number = numberAt(this.#shared.numbering.directories, folder);
    return CHUNKS + number * MAX_GRID_ENTRIES + ordinalOf(grid, place);
  }

  /** The array whose own folder a directory is, as the folder above its chunks. */
  #arrayAt(folder: number): Chunk | undefined {
    const grid = gridOf(this.#shared.index.chunkFolders, folder);
    const isNumbered = numberAt(this.#shared.numbering.directories, folder) < MAX_FOLDERS;
    return grid && isNumbered ? { folder, grid, place: [] } : undefined;
  }

  isDirectory(node: number): boolean {
    const chunk = this.#chunkAt(node);
    return chunk !== undefined && isGridFolder(chunk.grid, chunk.place);
  }

  /** The entry of this name in an array's own folder. */
  lookupIn(folder: number, name: string): number | undefined {
    return this.#lookup(this.#arrayAt(folder), name);
  }

  lookup(parent: number, name: string): number | undefined {
    return this.#lookup(this.#chunkAt(parent), name);
  }

  #lookup(parent: Chunk | undefined, name: string): number | undefined {
    if (!parent || !isGridFolder(parent.grid, parent.place)) return undefined;
    const at = placeOfName(parent.grid, parent.place.length, name);
    if (at === undefined) return undefined;
    // Whether it is there is for `attributes` to say: a name that there is none is remembered by the kernel.
    return this.#nodeOf({ ...parent, place: [...parent.place, at] });
  }

  /** The first entry of an array's own folder behind a cookie, which is of another kind where it is smaller. */
  entryAfterIn(folder: number, cookie: number): TreeEntry | undefined {
    return this.#entryAfter(this.#arrayAt(folder), Math.max(0, cookie - COOKIES), COOKIES);
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    return this.#entryAfter(this.#chunkAt(directory), cookie, 0);
  }

  #entryAfter(parent: Chunk | undefined, from: number, cookieBase: number): TreeEntry | undefined {
    if (!parent || !isGridFolder(parent.grid, parent.place)) return undefined;
    const listing = this.#list(parent, from === 0);
    let low = 0;
    let high = listing.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((listing[middle]?.at ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    const found = listing[low];
    if (!found) return undefined;
    const node = this.#nodeOf({ ...parent, place: [...parent.place, found.at] });
    return { name: found.name, node, cookie: cookieBase + found.at + 1 };
  }

  /** What of the grid stands in a folder, in the grid's order; read anew for a listing from the start. */
  #list(parent: Chunk, anew: boolean): Listing {
    const path = this.#absolute(parent);
    const known = anew ? undefined : this.#listings.get(path);
    if (known) return known;
    const step = parent.place.length;
    const wantsFolder = step + 1 < parent.grid.steps.length;
    const listing: { at: number; name: string }[] = [];
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const at = placeOfName(parent.grid, step, entry.name);
      const isWanted = wantsFolder ? entry.isDirectory() : entry.isFile();
      if (at !== undefined && (isWanted || entry.isSymbolicLink())) listing.push({ at, name: entry.name });
    }
    listing.sort((a, b) => a.at - b.at);
    this.#listings.set(path, listing);
    return listing;
  }

  /** Path below the plate's root. */
  #path({ folder, grid, place }: Chunk): string {
    return join(directoryPath(this.#shared.index, folder), gridPath(grid, place));
  }

  #absolute(chunk: Chunk): string {
    return join(this.#shared.index.rootPath, this.#path(chunk));
  }

  /** Path below the plate's root; undefined when the node is gone. */
  pathOf(node: number): string | undefined {
    const chunk = this.#chunkAt(node);
    return chunk && this.#path(chunk);
  }

  /** @throws the system's error when the source can't be asked. Undefined when the chunk is not there. */
  attributes(node: number): TreeAttributes | undefined {
    return this.#told.get(node) ?? this.#look(node);
  }

  isKnown(node: number): boolean {
    return this.#told.has(node);
  }

  /** Looks at a chunk again. */
  refresh(node: number): void {
    this.#told.delete(node);
    this.#look(node);
  }

  #look(node: number): TreeAttributes | undefined {
    const chunk = this.#chunkAt(node);
    if (!chunk) return undefined;
    let stat: ReturnType<typeof statSync>;
    try {
      stat = statSync(this.#absolute(chunk));
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
    const directory = isGridFolder(chunk.grid, chunk.place);
    if (directory ? !stat.isDirectory() : !stat.isFile()) return undefined;
    const attributes = {
      directory,
      sizeBytes: directory ? 0 : Number(stat.size),
      mtimeMs: Number(stat.mtimeMs),
      live: directory,
    };
    this.#told.set(node, attributes);
    return attributes;
  }
}
