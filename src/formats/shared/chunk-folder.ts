import { PlateFsError } from '../../core/errors.ts';
import {
  type ChunkGrid,
  type GridStep,
  gridEntries,
  MAX_GRID_ENTRIES,
  placeOfName,
} from '../../model/chunk-grid.ts';
import { type ChunkLayout, parseChunkLayout } from '../../zarr/chunk-layout.ts';
import { readJsonObject } from '../../zarr/json.ts';
import type { WalkedDirectory } from './plate-walk.ts';

/**
 * The chunks in an array's folder, which an index can leave out: there are as many as the metadata says, and each is
 * looked for when it is wanted. Undefined for a folder that is no array, one whose metadata can't be read, and one
 * where a name of the grid is something else than it has to be; such a folder is walked like any other.
 */
export function chunkGridOf(folder: string, { files, directories }: WalkedDirectory): ChunkGrid | undefined {
  const name = ['.zarray', 'zarr.json'].find((candidate) => files.includes(candidate));
  if (name === undefined) return undefined;
  const array = layoutIn(`${folder}/${name}`);
  if (!array || array.shape.length === 0) return undefined;
  const extents = array.shape.map((extent, axis) => Math.ceil(extent / (array.chunkShape[axis] ?? 1)));
  if (extents.includes(0)) return undefined;
  for (const key of array.chunkKeys(extents.map((extent) => extent - 1))) {
    const grid = gridOfKey(key, extents);
    if (gridEntries(grid) > MAX_GRID_ENTRIES) continue;
    const isFolder = grid.steps.length > 1;
    const isIn = (entry: string): boolean => placeOfName(grid, 0, entry) !== undefined;
    if ((isFolder ? directories : files).some(isIn) && !(isFolder ? files : directories).some(isIn))
      return grid;
  }
  return undefined;
}

function layoutIn(path: string): ChunkLayout | undefined {
  try {
    return parseChunkLayout(readJsonObject(path).value, path);
  } catch (error) {
    // A group's zarr.json, or an array that can't be read: told where an image names it.
    if (error instanceof PlateFsError) return undefined;
    throw error;
  }
}

/** The grid whose last chunk has this key: `c/3/4`, `3.4` … */
function gridOfKey(key: string, extents: readonly number[]): ChunkGrid {
  let axis = 0;
  const steps = key.split('/').map((name): GridStep => {
    const parts = name.split('.');
    const prefix = parts[0] === 'c' ? (parts.length > 1 ? 'c.' : 'c') : '';
    const count = parts.length - (prefix === '' ? 0 : 1);
    axis += count;
    return { prefix, extents: extents.slice(axis - count, axis) };
  });
  return { steps };
}
