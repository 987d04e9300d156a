import {
  type ChunkGrid,
  type GridPlace,
  gridEntries,
  gridPath,
  isGridFolder,
  ordinalOf,
  placeOf,
  placeOfName,
} from '../../model/chunk-grid.ts';
import type { NgffVersion } from '../../model/ngff.ts';
import { MAX_LEVELS } from '../../model/ngff-levels.ts';
import {
  arrayDocument,
  type ChunkPlace,
  groupDocuments,
  type ImagePlan,
  type PlannedLevel,
} from './image-plan.ts';

/** Ordinals of the image's folder and its documents; those of its levels follow. */
const HEAD = 4;
/** Of each level: its folder and its document; those of its grid of chunks follow. */
const LEVEL_HEAD = 2;

/** What stands at an ordinal of an image's folder. */
export type FolderPlace =
  | { readonly kind: 'image' }
  | { readonly kind: 'image-document'; readonly name: string }
  | { readonly kind: 'level'; readonly level: number }
  | { readonly kind: 'level-document'; readonly level: number }
  /** A folder on the way to chunks; `planes` are the coordinates t, c, z that it is for, as far as it goes. */
  | {
      readonly kind: 'grid-folder';
      readonly level: number;
      readonly place: GridPlace;
      readonly planes: readonly number[];
    }
  | { readonly kind: 'chunk'; readonly place: GridPlace; readonly chunk: ChunkPlace };

export interface FolderEntry {
  readonly name: string;
  readonly ordinal: number;
  readonly cookie: number;
}

/** The grid of a level's chunks, one folder per axis: `t/c/z/y/x`, below `c/` in Zarr v3. */
function gridOf({ shape, chunkShape }: PlannedLevel, version: NgffVersion): ChunkGrid {
  const steps = shape.map((extent, axis) => ({
    prefix: '',
    extents: [Math.ceil(extent / (chunkShape[axis] ?? 1))],
  }));
  return { steps: version === '0.4' ? steps : [{ prefix: 'c', extents: [] }, ...steps] };
}

/**
 * The names in an image's folder, by arithmetic: everything in it has an ordinal from 0, the folder itself, on, which
 * depends only on the numbers of chunks along the axes. Whether a plane is there is for `holds` to say.
 */
export class ImageFolder {
  /** Ordinals are below. */
  readonly entryCount: number;
  readonly #version: NgffVersion;
  readonly #grids: readonly ChunkGrid[];
  readonly #starts: readonly number[];
  readonly #documents: readonly string[];

  constructor(levels: readonly PlannedLevel[], version: NgffVersion) {
    this.#version = version;
    this.#grids = levels.map((level) => gridOf(level, version));
    this.#documents = groupDocuments(version);
    let next = HEAD;
    this.#starts = this.#grids.map((grid) => {
      const start = next;
      next += LEVEL_HEAD + gridEntries(grid);
      return start;
    });
    this.entryCount = next;
  }

  /** The folder of an image that is planned. */
  static of({ levels, version }: ImagePlan): ImageFolder {
    return new ImageFolder(levels, version);
  }

  /**
   * The folder of an image whose planes' extents nobody knows yet: as large as can be, so that ordinals are the same
   * once they are known. Each plane is one chunk at every level.
   */
  static ofPlanes(t: number, c: number, z: number, version: NgffVersion): ImageFolder {
    const level = { shape: [t, c, z, 1, 1], chunkShape: [1, 1, 1, 1, 1] } as const;
    return new ImageFolder(
      Array.from({ length: MAX_LEVELS }, () => level),
      version,
    );
  }

  #levelAt(ordinal: number): number {
    let level = this.#starts.length - 1;
    while (level > 0 && (this.#starts[level] ?? 0) > ordinal) level -= 1;
    return level;
  }

  /** Undefined where there is nothing. */
  placeAt(ordinal: number): FolderPlace | undefined {
    if (ordinal === 0) return { kind: 'image' };
    if (ordinal < HEAD) {
      const name = this.#documents[ordinal - 1];
      return name === undefined ? undefined : { kind: 'image-document', name };
    }
    const level = this.#levelAt(ordinal);
    const grid = this.#grids[level];
    const rest = ordinal - (this.#starts[level] ?? 0);
    if (!grid || rest < 0) return undefined;
    if (rest === 0) return { kind: 'level', level };
    if (rest === 1) return { kind: 'level-document', level };
    const place = placeOf(grid, rest - LEVEL_HEAD);
    if (!place) return undefined;
    const coordinates = this.#version === '0.4' ? place : place.slice(1);
    if (isGridFolder(grid, place))
      return { kind: 'grid-folder', level, place, planes: coordinates.slice(0, 3) };
    const [t = 0, c = 0, z = 0, row = 0, column = 0] = coordinates;
    return { kind: 'chunk', place, chunk: { level, t, c, z, row, column } };
  }

  isDirectory(ordinal: number): boolean {
    const kind = this.placeAt(ordinal)?.kind;
    return kind === 'image' || kind === 'level' || kind === 'grid-folder';
  }

  /** Where a plane of one chunk is, at every level: its folder's name and the folder above, and its chunk. */
  planePlaces(t: number, c: number, z: number): { parent: number; name: string; chunk: number }[] {
    const above = this.#version === '0.4' ? [t, c] : [0, t, c];
    return this.#grids.map((_, level) => ({
      parent: this.#gridOrdinal(level, above),
      name: String(z),
      chunk: this.#gridOrdinal(level, [...above, z, 0, 0]),
    }));
  }

  #gridOrdinal(level: number, place: GridPlace): number {
    const grid = this.#grids[level];
    return (this.#starts[level] ?? 0) + LEVEL_HEAD + (grid ? ordinalOf(grid, place) : 0);
  }

  /** The entry of this name; whether its plane is there is another matter. `levels` are those that the image has. */
  lookup(ordinal: number, name: string, levels: () => number): number | undefined {
    const parent = this.placeAt(ordinal);
    if (parent?.kind === 'image') {
      const document = this.#documents.indexOf(name);
      if (document >= 0) return 1 + document;
      return /^(?:0|[1-9]\d?)$/.test(name) && Number(name) < levels()
        ? this.#starts[Number(name)]
        : undefined;
    }
    if (parent?.kind === 'level' && name === arrayDocument(this.#version)) return ordinal + 1;
    if (parent?.kind !== 'level' && parent?.kind !== 'grid-folder') return undefined;
    const grid = this.#grids[parent.level];
    const place = parent.kind === 'level' ? [] : parent.place;
    const at = grid && placeOfName(grid, place.length, name);
    return at === undefined ? undefined : this.#gridOrdinal(parent.level, [...place, at]);
  }

  /** The first entry of a folder behind a cookie; `holds` says which planes are there. */
  entryAfter(
    ordinal: number,
    cookie: number,
    levels: () => number,
    holds: (t: number, c: number, z: number) => boolean,
  ): FolderEntry | undefined {
    const parent = this.placeAt(ordinal);
    if (parent?.kind === 'image') return this.#imageEntry(cookie, levels);
    if (parent?.kind === 'level' && cookie === 0)
      return { name: arrayDocument(this.#version), ordinal: ordinal + 1, cookie: 1 };
    if (parent?.kind !== 'level' && parent?.kind !== 'grid-folder') return undefined;
    const { level } = parent;
    const above = parent.kind === 'level' ? [] : parent.place;
    const base = parent.kind === 'level' ? 1 : 0;
    const grid = this.#grids[level];
    const step = grid?.steps[above.length];
    if (!grid || !step) return undefined;
    const count = step.extents[0] ?? 1;
    const isOfPlanes = above.length === (this.#version === '0.4' ? 2 : 3);
    const [t = 0, c = 0] = parent.kind === 'level' ? [] : parent.planes;
    for (let at = cookie - base; at < count; at += 1) {
      if (isOfPlanes && !holds(t, c, at)) continue;
      const place = [...above, at];
      return {
        name: step.extents.length === 0 ? step.prefix : String(at),
        ordinal: this.#gridOrdinal(level, place),
        cookie: base + at + 1,
      };
    }
    return undefined;
  }

  #imageEntry(cookie: number, levels: () => number): FolderEntry | undefined {
    const name = this.#documents[cookie];
    if (name !== undefined) return { name, ordinal: 1 + cookie, cookie: cookie + 1 };
    const level = cookie - this.#documents.length;
    const start = this.#starts[level];
    if (start === undefined || level >= levels()) return undefined;
    return { name: String(level), ordinal: start, cookie: cookie + 1 };
  }

  /** Path below the image's folder. */
  pathOf(ordinal: number): string {
    const found = this.placeAt(ordinal);
    switch (found?.kind) {
      case undefined:
      case 'image':
        return '';
      case 'image-document':
        return found.name;
      case 'level':
        return String(found.level);
      case 'level-document':
        return `${found.level}/${arrayDocument(this.#version)}`;
      case 'grid-folder':
        return `${found.level}/${this.#gridPath(found.level, found.place)}`;
      case 'chunk':
        return `${found.chunk.level}/${this.#gridPath(found.chunk.level, found.place)}`;
    }
  }

  #gridPath(level: number, place: GridPlace): string {
    const grid = this.#grids[level];
    return grid ? gridPath(grid, place) : '';
  }
}
