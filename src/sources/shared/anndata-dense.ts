import { allocate, bytesOf, type TypedArray } from '../../core/nd-array.ts';
import type { Matrix } from './anndata-matrix.ts';
import { CrossLines, place, type Tile } from './anndata-tiles.ts';
import { numberArray, unshaped } from './anndata-values.ts';
import type { ByteLru } from './byte-lru.ts';
import type { Hierarchy, NodePath } from './hierarchy.ts';

/** Elements read at once while a tile is filled. */
const FILL_ELEMENTS = 2 ** 21;

/** A dense matrix as it is stored. @throws BadMetadataError when the node is no array of numbers with two axes. */
export function denseMatrix(tree: Hierarchy, path: NodePath, kept: ByteLru<unknown>): Matrix {
  const { shape, dtype, chunkShape } = numberArray(tree, path);
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined || shape.length !== 2) throw unshaped(tree, path, shape);

  const read = (start: readonly number[], extent: readonly number[]): TypedArray => {
    const part = allocate(dtype, extent);
    if (part.data.length > 0) tree.readRegion(path, { start, shape: extent }, bytesOf(part));
    return part.data;
  };
  const fill = ({ firstMajor, majors, firstMinor, minors, data }: Tile): void => {
    const step = Math.max(1, Math.floor(FILL_ELEMENTS / minors));
    for (let done = 0; done < majors; done += step) {
      const count = Math.min(step, majors - done);
      const part = read([firstMajor + done, firstMinor], [count, minors]);
      for (let minor = 0; minor < minors; minor += 1)
        for (let major = 0; major < count; major += 1)
          place(data, minor * majors + done + major, part, major * minors + minor);
    }
  };
  const lines = new CrossLines(path, { dtype, majorCount: rows, minorCount: columns }, kept, fill);
  return {
    shape: [rows, columns],
    dtype,
    chunkShape,
    readRegion: (region, target) => tree.readRegion(path, region, target),
    row: (row, first, count) => read([row, first], [1, count]),
    column: (column, first, count) => lines.read(column, first, count),
  };
}
