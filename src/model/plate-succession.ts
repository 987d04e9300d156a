import { gridOf, isSameNumbering } from './chunk-grid.ts';
import { GrowingColumn, uint32 } from './growing-column.ts';
import { type PlateIndex, WHOLE_FILE } from './plate-index.ts';

/** Nothing stood here before. */
const NEW = 0xffff_ffff;

/**
 * Where the things of an index stood in the index before it: a directory is the same by its path, a file by
 * directory and name, a plane by its address and extension, that is: by its name.
 */
export interface Succession {
  readonly directories: Uint32Array;
  readonly files: Uint32Array;
  readonly planes: Uint32Array;
}

export function earlier(column: Uint32Array, position: number): number | undefined {
  const value = column[position];
  return value === undefined || value === NEW ? undefined : value;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

const nameBytes = ({ bytes, starts }: PlateIndex['files']['names'], i: number): Uint8Array =>
  bytes.subarray(starts[i] ?? 0, starts[i + 1] ?? 0);

/** A folder whose chunks are numbered in another way has to be another folder, so that old numbers go stale. */
function isSameFolder(before: PlateIndex, old: number, after: PlateIndex, directory: number): boolean {
  const a = gridOf(before.chunkFolders, old);
  const b = gridOf(after.chunkFolders, directory);
  return a === undefined || b === undefined || isSameNumbering(a, b);
}

/**
 * Directories are sorted by parent and name, parents first: children of matched parents are matched by merging.
 */
function matchDirectories(before: PlateIndex, after: PlateIndex): Uint32Array {
  const matched = new Uint32Array(after.directories.count).fill(NEW);
  if (matched.length > 0 && before.directories.count > 0) matched[0] = 0;
  const childrenOf = new Map<number, number>();
  const { parents } = before.directories;
  for (let i = before.directories.count - 1; i > 0; i -= 1) childrenOf.set(parents[i] ?? 0, i);
  for (let i = 1; i < after.directories.count; ) {
    const parent = after.directories.parents[i] ?? 0;
    let end = i;
    while (end < after.directories.count && after.directories.parents[end] === parent) end += 1;
    const old = matched[parent] ?? NEW;
    let j = old === NEW ? before.directories.count : (childrenOf.get(old) ?? before.directories.count);
    for (; i < end; i += 1) {
      const name = nameBytes(after.directories.names, i);
      while (j < before.directories.count && parents[j] === old) {
        const order = compareBytes(nameBytes(before.directories.names, j), name);
        if (order > 0) break;
        if (order === 0 && isSameFolder(before, j, after, i)) matched[i] = j;
        j += 1;
        if (order === 0) break;
      }
    }
  }
  return matched;
}

/** Files of a directory are sorted by name. */
function matchFiles(before: PlateIndex, after: PlateIndex, directories: Uint32Array): Uint32Array {
  const matched = new Uint32Array(after.files.count).fill(NEW);
  for (let directory = 0; directory < after.directories.count; directory += 1) {
    const old = directories[directory] ?? NEW;
    if (old === NEW) continue;
    let j = before.directories.firstFile[old] ?? 0;
    const oldEnd = before.directories.firstFile[old + 1] ?? 0;
    const end = after.directories.firstFile[directory + 1] ?? 0;
    for (let i = after.directories.firstFile[directory] ?? 0; i < end && j < oldEnd; i += 1) {
      const name = nameBytes(after.files.names, i);
      while (j < oldEnd) {
        const order = compareBytes(nameBytes(before.files.names, j), name);
        if (order > 0) break;
        if (order === 0) matched[i] = j;
        j += 1;
        if (order === 0) break;
      }
    }
  }
  return matched;
}

function compareAddress(a: PlateIndex['planes'], i: number, b: PlateIndex['planes'], j: number): number {
  return (
    (a.rows[i] ?? 0) - (b.rows[j] ?? 0) ||
    (a.columns[i] ?? 0) - (b.columns[j] ?? 0) ||
    (a.sites[i] ?? 0) - (b.sites[j] ?? 0) ||
    (a.channels[i] ?? 0) - (b.channels[j] ?? 0) ||
    (a.zs[i] ?? 0) - (b.zs[j] ?? 0) ||
    (a.ts[i] ?? 0) - (b.ts[j] ?? 0)
  );
}

function matchPlanes(before: PlateIndex, after: PlateIndex): Uint32Array {
  const matched = new Uint32Array(after.planes.count).fill(NEW);
  for (let i = 0, j = 0; i < after.planes.count && j < before.planes.count; ) {
    const order = compareAddress(after.planes, i, before.planes, j);
    if (order === 0) {
      const extension = after.extensions[after.planes.extensions[i] ?? 0];
      if (before.extensions[before.planes.extensions[j] ?? 0] === extension) matched[i] = j;
    }
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
  }
  return matched;
}

/** Finds what two indexes of one plate have in common. Linear. */
export function succession(before: PlateIndex, after: PlateIndex): Succession {
  const directories = matchDirectories(before, after);
  return {
    directories,
    files: matchFiles(before, after, directories),
    planes: matchPlanes(before, after),
  };
}

/** What is different between two indexes, by position. */
export interface PlateDifference {
  /** Positions in the index before of what is no more. */
  readonly gone: {
    readonly directories: Uint32Array;
    readonly files: Uint32Array;
    readonly planes: Uint32Array;
  };
  /** Positions in the index after of what came. */
  readonly come: {
    readonly directories: Uint32Array;
    readonly files: Uint32Array;
    readonly planes: Uint32Array;
  };
  /** Positions in the index after of planes that are in another place than before. */
  readonly movedPlanes: Uint32Array;
}

function split(column: Uint32Array, countBefore: number): { gone: Uint32Array; come: Uint32Array } {
  const come = new GrowingColumn(uint32, 16);
  const gone = new GrowingColumn(uint32, 16);
  const stays = new Uint8Array(countBefore);
  for (let i = 0; i < column.length; i += 1) {
    const old = column[i] ?? NEW;
    if (old === NEW) come.push(i);
    else stays[old] = 1;
  }
  for (let i = 0; i < countBefore; i += 1) if (stays[i] === 0) gone.push(i);
  return { gone: gone.values.subarray(0, gone.length), come: come.values.subarray(0, come.length) };
}

/** What became of a plate, given what its two indexes have in common. */
export function plateDifference(before: PlateIndex, after: PlateIndex, same: Succession): PlateDifference {
  const directories = split(same.directories, before.directories.count);
  const files = split(same.files, before.files.count);
  const planes = split(same.planes, before.planes.count);
  const moved = new GrowingColumn(uint32, 16);
  for (let i = 0; i < after.planes.count; i += 1) {
    const old = same.planes[i] ?? NEW;
    if (old === NEW) continue;
    const page = (index: PlateIndex, plane: number): number => index.planes.pages[plane] ?? WHOLE_FILE;
    const isSameFile = same.files[after.planes.files[i] ?? 0] === before.planes.files[old];
    if (!isSameFile || page(after, i) !== page(before, old)) moved.push(i);
  }
  return {
    gone: { directories: directories.gone, files: files.gone, planes: planes.gone },
    come: { directories: directories.come, files: files.come, planes: planes.come },
    movedPlanes: moved.values.subarray(0, moved.length),
  };
}

/** Takes over what was seen of files that are still there: sizes and times. */
export function inheritSeenFiles(before: PlateIndex, after: PlateIndex, same: Succession): void {
  for (let i = 0; i < after.files.count; i += 1) {
    const old = same.files[i] ?? NEW;
    if (old === NEW || (after.files.sizeBytes[i] ?? -1) >= 0) continue;
    after.files.mtimeMs[i] = before.files.mtimeMs[old] ?? 0;
    after.files.sizeBytes[i] = before.files.sizeBytes[old] ?? -1;
  }
}
