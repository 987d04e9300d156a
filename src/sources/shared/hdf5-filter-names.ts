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

/**
 * Whether the library can't undo a pipeline: the plugin for LZF fails, and breaks the library, where its output is
 * longer than the chunk is in memory (seen with h5wasm-plugins 0.2.1). So it is of values that lie elsewhere, whose
 * places take more bytes in the file, and behind filters whose output may grow.
 */
export function libraryFails(filters: readonly Pick<StoredFilter, 'id'>[], areElsewhere: boolean): boolean {
  const lzf = filters.findIndex(({ id }) => id === FILTER.lzf);
  return lzf >= 0 && (areElsewhere || filters.slice(0, lzf).some(({ id }) => GROWING.includes(id)));
}

/** Why a pipeline can't be undone, undefined when it can. */
export function refusedFilter(filters: readonly Pick<StoredFilter, 'id' | 'name'>[]): string | undefined {
  const unknown = filters.find(({ id }) => KNOWN[id] === undefined);
  if (unknown !== undefined) return `${filterName(unknown)} can't be undone here`;
  if (!libraryFails(filters, false)) return undefined;
  const names = filters.map((filter) => filterName(filter)).join(' and ');
  return `${names} together can't be undone here`;
}
