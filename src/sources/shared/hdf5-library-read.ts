import { elementCount } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import { contiguousStrides, copyBox, offsetOf } from '../../zarr/box.ts';
import type { Hdf5Dataset } from './hdf5-dataset.ts';
import type { LibraryModule } from './hdf5-library.ts';

/** What one call of the library reads: its memory only ever grows. */
const MAX_SLICE_BYTES = 64 * 1024 * 1024;

/** What a slice of the library holds when it was read: elements, each with its array type's axes. */
export interface LibrarySlice {
  readonly module: LibraryModule;
  /** The elements' bytes, as the library's memory has them; valid during the call. */
  readonly bytes: Uint8Array;
  /** Number of the slice's first element in C order over the region. */
  readonly firstElement: number;
  readonly elementCount: number;
}

/**
 * Reads a region of a dataset's own axes, those of an array type left out, slice by slice. Texts and lists of varying
 * length are given back to the library after `visit`.
 * @throws BadHdf5Error and what `Hdf5File.library` throws
 */
export function forEachSlice(
  dataset: Hdf5Dataset,
  region: Region,
  visit: (slice: LibrarySlice) => void,
): void {
  const { file, at, metadata } = dataset;
  const elementBytes = Math.max(1, metadata.size);
  const maxElements = Math.max(1, Math.floor(MAX_SLICE_BYTES / elementBytes));
  let firstElement = 0;
  const readSlice = (start: readonly number[], shape: readonly number[]): void => {
    const count = elementCount(shape);
    if (count === 0) return;
    if (count > maxElements) {
      for (const [partStart, partShape] of halves(start, shape, dataset.chunkShape))
        readSlice(partStart, partShape);
      return;
    }
    file.library(`${at} [${start}] + [${shape}]`, (module, id) => {
      const sizeBytes = count * elementBytes;
      const pointer = module._malloc(sizeBytes);
      if (pointer === 0) throw new Error(`no memory for ${sizeBytes} bytes`);
      let isRead = false;
      try {
        module.HEAPU8.fill(0, pointer, pointer + sizeBytes);
        const ones = shape.map(() => 1n);
        const isScalar = shape.length === 0;
        module.get_dataset_data(
          id,
          at,
          isScalar ? null : shape.map(BigInt),
          isScalar ? null : start.map(BigInt),
          isScalar ? null : ones,
          BigInt(pointer),
        );
        isRead = true;
        visit({
          module,
          bytes: module.HEAPU8.subarray(pointer, pointer + sizeBytes),
          firstElement,
          elementCount: count,
        });
      } finally {
        if (isRead && holdsPointers(metadata)) {
          if (shape.length === 0) module.reclaim_vlen_memory(id, at, '', BigInt(pointer));
          else module.reclaim_vlen_memory_count(id, at, '', BigInt(pointer), shape.map(BigInt));
        }
        module._free(pointer);
      }
    });
    firstElement += count;
  };
  readSlice(region.start, region.shape);
}

/** Two boxes that follow each other in C order, cut between chunks where there is a border. */
function halves(
  start: readonly number[],
  shape: readonly number[],
  chunkShape: readonly number[],
): readonly (readonly [readonly number[], readonly number[]])[] {
  const axis = shape.findIndex((extent) => extent > 1);
  const extent = shape[axis] ?? 1;
  const from = start[axis] ?? 0;
  const chunk = chunkShape[axis] ?? 1;
  const middle = Math.ceil((from + extent / 2) / chunk) * chunk - from;
  const cut = middle > 0 && middle < extent ? middle : Math.ceil(extent / 2);
  return [
    [start, shape.with(axis, cut)],
    [start.with(axis, from + cut), shape.with(axis, extent - cut)],
  ];
}

/** Whether values of a type lie outside their element. */
export function holdsPointers(type: Hdf5Dataset['base']): boolean {
  return (
    type.vlen ||
    type.vlen_type !== undefined ||
    (type.array_type !== undefined && holdsPointers(type.array_type)) ||
    (type.compound_type?.members.some(holdsPointers) ?? false)
  );
}

/** Fills `target` with a region of numbers, those of an array type's axes among them. */
export function readWithLibrary(
  dataset: Hdf5Dataset,
  region: Region,
  target: Uint8Array,
  itemBytes: number,
): void {
  const outerRank = dataset.shape.length - dataset.innerRank;
  const inner = dataset.shape.slice(outerRank);
  const start = region.start.slice(outerRank);
  const shape = region.shape.slice(outerRank);
  const strides = contiguousStrides(inner);
  const partItems = elementCount(shape);
  const innerItems = elementCount(inner);
  const outer = { start: region.start.slice(0, outerRank), shape: region.shape.slice(0, outerRank) };
  forEachSlice(dataset, outer, ({ bytes, firstElement, elementCount: count }) => {
    if (partItems === innerItems) {
      target.set(bytes, firstElement * innerItems * itemBytes);
      return;
    }
    copyBox(
      [count, ...shape],
      { bytes, offset: offsetOf(start, strides), strides: [innerItems, ...strides] },
      { bytes: target, offset: firstElement * partItems, strides: [partItems, ...contiguousStrides(shape)] },
      itemBytes,
    );
  });
}
