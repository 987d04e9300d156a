import { BadZarrError, UnsupportedZarrError } from '../core/errors.ts';
import { asObject, type JsonObject } from '../core/json-text.ts';
import { asInteger, shown } from './json.ts';

/** Where an array's chunks are, whatever is in them. */
export interface ChunkLayout {
  readonly zarrFormat: 2 | 3;
  /** Of the array. */
  readonly shape: readonly number[];
  /** Every extent at least 1, and larger than the array's where the file says so. */
  readonly chunkShape: readonly number[];
  /** Relative paths of a chunk; the second is tried where the metadata does not say which separator it uses. */
  chunkKeys(position: readonly number[]): readonly string[];
}

/** Axes of an array; numpy allows 64. */
const MAX_RANK = 32;

/** The layout that an array's metadata describes. @throws BadZarrError, UnsupportedZarrError naming `path`. */
export function parseChunkLayout(value: JsonObject, path: string): ChunkLayout {
  const zarrFormat = value['zarr_format'];
  const parse = zarrFormat === 2 ? parseV2 : zarrFormat === 3 ? parseV3 : undefined;
  if (!parse) throw new BadZarrError(path, `zarr_format ${shown(zarrFormat)} instead of 2 or 3`);
  const layout = parse(value, path);
  return { ...layout, chunkShape: checkedChunks(layout.shape, layout.chunkShape, path) };
}

/** Checks shape and chunk shape against each other. */
function checkedChunks(shape: readonly number[], chunks: readonly number[], path: string): readonly number[] {
  if (chunks.length !== shape.length)
    throw new BadZarrError(path, `${shape.length} axes in chunks of ${chunks.length} axes`);
  if (shape.reduce((product, extent) => product * extent, 1) > Number.MAX_SAFE_INTEGER)
    throw new BadZarrError(path, `an array of [${shape}] elements is larger than any disk`);
  return chunks.map((extent, axis) => {
    // zarr-python writes chunks of 0 for axes of 0.
    if (extent === 0 && shape[axis] === 0) return 1;
    if (extent === 0) throw new BadZarrError(path, `chunks of [${chunks}] elements`);
    return extent;
  });
}

function extents(value: unknown, what: string, path: string): number[] {
  if (!Array.isArray(value)) throw new BadZarrError(path, `${what} is no list`);
  if (value.length > MAX_RANK) throw new BadZarrError(path, `${value.length} axes, more than ${MAX_RANK}`);
  return (value as unknown[]).map((extent) => {
    const number = asInteger(extent);
    if (number === undefined || number < 0)
      throw new BadZarrError(path, `${what} has an extent ${shown(extent)}`);
    return number;
  });
}

function parseV2(document: JsonObject, path: string): ChunkLayout {
  const separator = document['dimension_separator'];
  if (separator !== undefined && separator !== '.' && separator !== '/')
    throw new BadZarrError(path, `dimension_separator ${shown(separator)}`);
  const separators = separator === undefined ? ['.', '/'] : [separator];
  return {
    zarrFormat: 2,
    shape: extents(document['shape'], 'shape', path),
    chunkShape: extents(document['chunks'], 'chunks', path),
    chunkKeys: (position) =>
      position.length === 0
        ? ['0']
        : separators.slice(0, position.length > 1 ? 2 : 1).map((between) => position.join(between)),
  };
}

function parseV3(document: JsonObject, path: string): ChunkLayout {
  if (document['node_type'] !== 'array') throw new BadZarrError(path, 'the node is no array');
  const grid = asObject(document['chunk_grid']);
  if (grid?.['name'] !== 'regular')
    throw new UnsupportedZarrError(path, `chunk grid ${shown(grid?.['name'])}`);
  return {
    zarrFormat: 3,
    shape: extents(document['shape'], 'shape', path),
    chunkShape: extents(asObject(grid['configuration'])?.['chunk_shape'], 'chunk_shape', path),
    chunkKeys: v3Keys(asObject(document['chunk_key_encoding']), path),
  };
}

/** Chunk keys: `c/0/0` or, of arrays that were v2, `0.0` (Zarr v3 spec, "Chunk key encoding"). */
function v3Keys(encoding: JsonObject | undefined, path: string): ChunkLayout['chunkKeys'] {
  const name = encoding?.['name'];
  if (name !== 'default' && name !== 'v2')
    throw new UnsupportedZarrError(path, `chunk key encoding ${shown(name)}`);
  const separator = asObject(encoding?.['configuration'])?.['separator'] ?? (name === 'v2' ? '.' : '/');
  if (separator !== '.' && separator !== '/') throw new BadZarrError(path, `separator ${shown(separator)}`);
  return name === 'default'
    ? (position) => [['c', ...position].join(separator)]
    : (position) => [position.length === 0 ? '0' : position.join(separator)];
}
