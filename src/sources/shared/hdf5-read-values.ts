import { UnsupportedHdf5Error } from '../../core/errors.ts';
import { elementCount } from '../../core/nd-array.ts';
import { isInside, type Region } from '../../core/region.ts';
import { NotUnderstood } from './hdf5-bytes.ts';
import type { Hdf5Dataset } from './hdf5-dataset.ts';
import type { Hdf5File } from './hdf5-file.ts';
import { HeapTexts } from './hdf5-heap-text.ts';
import type { LibraryModule, LibraryType } from './hdf5-library.ts';
import { forEachSlice } from './hdf5-library-read.ts';
import { keepsOrder, textAt, type ValueContext, valueAt } from './hdf5-values.ts';
import type { CompoundValue } from './hierarchy.ts';

/** Values of one call are objects in memory. */
const MAX_VALUES = 16 * 1024 * 1024;

/** What values of a file are read with. */
export function valueContext(file: Hdf5File, module: LibraryModule, type: LibraryType): ValueContext {
  return {
    module,
    keepsOrder: keepsOrder(type),
    nameOf(reference) {
      if (reference.every((byte) => byte === 0)) return undefined;
      return file.library('a reference', (library, id) => library.get_referenced_name(id, reference, true));
    },
  };
}

function checkReadable(dataset: Hdf5Dataset, region: Region, isKind: boolean): void {
  const { file, at, shape, unreadable } = dataset;
  if (unreadable !== undefined) throw new UnsupportedHdf5Error(file.path, `${at}: ${unreadable}`);
  if (!isKind) throw new RangeError(`${file.path}:${at} holds elements of another kind`);
  if (!isInside(region, shape))
    throw new RangeError(
      `[${region.start}] + [${region.shape}] is not inside [${shape}] of ${file.path}:${at}`,
    );
  if (elementCount(region.shape) > MAX_VALUES)
    throw new UnsupportedHdf5Error(file.path, `${at}: ${elementCount(region.shape)} values at once`, {
      advice: 'read a smaller region',
    });
}

const heapReaders = new WeakMap<Hdf5Dataset, HeapTexts>();

/** @throws UnsupportedHdf5Error when they can't be read without the library either */
function heapTexts(dataset: Hdf5Dataset): HeapTexts {
  const known = heapReaders.get(dataset);
  if (known) return known;
  try {
    const reader = new HeapTexts(dataset);
    heapReaders.set(dataset, reader);
    return reader;
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    throw new UnsupportedHdf5Error(dataset.file.path, `${dataset.at}: texts under lzf: ${error.message}`);
  }
}

/** The texts of a region in C order. @throws RangeError, UnsupportedHdf5Error, BadHdf5Error … */
export function readTexts(dataset: Hdf5Dataset, region: Region): string[] {
  checkReadable(dataset, region, dataset.type.kind === 'text');
  if (dataset.areHeapTexts) return heapTexts(dataset).read(region);
  const outerRank = dataset.shape.length - dataset.innerRank;
  const inner = dataset.shape.slice(outerRank);
  const positions = positionsIn(inner, region, outerRank);
  const texts: string[] = [];
  const { base, metadata } = dataset;
  const outer = { start: region.start.slice(0, outerRank), shape: region.shape.slice(0, outerRank) };
  forEachSlice(dataset, outer, ({ module, bytes, elementCount: count }) => {
    const context = valueContext(dataset.file, module, dataset.metadata);
    for (let element = 0; element < count; element++)
      for (const position of positions)
        texts.push(textAt(bytes, element * metadata.size + position * base.size, base, context));
  });
  return texts;
}

/** Numbers in C order of the inner axes' positions that a region names. */
function positionsIn(inner: readonly number[], region: Region, outerRank: number): number[] {
  let positions = [0];
  inner.forEach((extent, axis) => {
    const from = region.start[outerRank + axis] ?? 0;
    const count = region.shape[outerRank + axis] ?? 0;
    positions = positions.flatMap((at) =>
      Array.from({ length: count }, (_, index) => at * extent + from + index),
    );
  });
  return positions;
}

/** Compound elements of a region in C order, one value per field. @throws what `readTexts` throws */
export function readCompounds(dataset: Hdf5Dataset, region: Region): (readonly CompoundValue[])[] {
  checkReadable(dataset, region, dataset.type.kind === 'compound' && dataset.innerRank === 0);
  const rows: (readonly CompoundValue[])[] = [];
  if (dataset.areHeapTexts) {
    const texts = heapTexts(dataset).read(region);
    const fields = texts.length / Math.max(1, elementCount(region.shape));
    for (let at = 0; at < texts.length; at += fields) rows.push(texts.slice(at, at + fields));
    return rows;
  }
  forEachSlice(dataset, region, ({ module, bytes, elementCount: count }) => {
    const context = valueContext(dataset.file, module, dataset.metadata);
    for (let element = 0; element < count; element++) {
      const row = valueAt(bytes, element * dataset.metadata.size, dataset.metadata, context);
      rows.push(Array.isArray(row) ? row : [row]);
    }
  });
  return rows;
}
