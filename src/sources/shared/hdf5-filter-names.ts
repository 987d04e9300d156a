import type { StoredFilter } from './hdf5-storage.ts';

/** Filters of the HDF5 library itself, and those h5wasm-plugins brings (registered filters of The HDF Group). */
const KNOWN: Readonly<Record<number, string>> = {
  1: 'deflate',
  2: 'shuffle',
  3: 'fletcher32',
  4: 'szip',
  5: 'nbit',
  6: 'scaleoffset',
  307: 'bzip2',
  32000: 'lzf',
  32001: 'blosc',
  32004: 'lz4',
  32008: 'bitshuffle',
  32013: 'zfp',
  32015: 'zstd',
  32019: 'jpeg',
  32026: 'blosc2',
};

export const FILTER = {
  deflate: 1,
  shuffle: 2,
  fletcher32: 3,
  szip: 4,
  nbit: 5,
  scaleOffset: 6,
  lzf: 32000,
  blosc: 32001,
  lz4: 32004,
  bitshuffle: 32008,
  zstd: 32015,
} as const;

/** A filter's name for people: ours, else the file's. */
export function filterName({ id, name }: Pick<StoredFilter, 'id' | 'name'>): string {
  const known = KNOWN[id];
  if (known !== undefined) return known;
  return name === '' ? `filter ${id}` : `filter ${id} (${name.slice(0, 40)})`;
}

/** Filters of the library's own whose output may be longer than the chunk. */
const GROWING: readonly number[] = [FILTER.szip, FILTER.nbit, FILTER.scaleOffset];

/** Why a pipeline can't be undone, undefined when it can. */
export function refusedFilter(filters: readonly Pick<StoredFilter, 'id' | 'name'>[]): string | undefined {
  const unknown = filters.find(({ id }) => KNOWN[id] === undefined);
  if (unknown !== undefined) return `${filterName(unknown)} can't be undone here`;
  // The plugin aborts, and the library with it, where its output is longer than the chunk (seen with 0.2.1).
  const lzf = filters.findIndex(({ id }) => id === FILTER.lzf);
  const below = filters.slice(0, Math.max(0, lzf)).find(({ id }) => GROWING.includes(id));
  return below === undefined ? undefined : `lzf over ${filterName(below)} can't be undone here`;
}
