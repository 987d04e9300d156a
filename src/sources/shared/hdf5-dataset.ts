import { elementCount, itemSizeBytes } from '../../core/nd-array.ts';
import { NotUnderstood } from './hdf5-bytes.ts';
import { elementType, unwrapArray } from './hdf5-element.ts';
import type { Hdf5File } from './hdf5-file.ts';
import { libraryFails, refusedFilter } from './hdf5-filter-names.ts';
import { heapFields } from './hdf5-heap-text.ts';
import type { LibraryMetadata, LibraryType } from './hdf5-library.ts';
import { holdsPointers } from './hdf5-library-read.ts';
import { type FoundNode, fileBeside, type Hdf5Links } from './hdf5-links.ts';
import { MESSAGE, readObjectHeader } from './hdf5-object-header.ts';
import { type DatasetStorage, type HeaderFacts, readDatasetStorage } from './hdf5-storage.ts';
import type { ElementType } from './hierarchy.ts';

/** Virtual datasets of virtual datasets that are looked into. */
const MAX_VIRTUAL_DEPTH = 8;
/** Sizes in bytes stay exact numbers. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER;

/** A dataset as it is read: what it is, where it lies, and why it can't be read. */
export interface Hdf5Dataset {
  readonly file: Hdf5File;
  /** Its path in the file, from `/`. */
  readonly at: string;
  /** With the axes of an array type behind; [] for a single value, and [0] where the dataspace is empty. */
  readonly shape: readonly number[];
  /** Axes of `shape` that the element's array type adds. */
  readonly innerRank: number;
  readonly type: ElementType;
  /** The element without its array type. */
  readonly base: LibraryType;
  readonly metadata: LibraryMetadata;
  readonly chunkShape: readonly number[];
  /** Undefined when the HDF5 library has to read it. */
  readonly storage: DatasetStorage | undefined;
  readonly unreadable: string | undefined;
  /** Texts of varying length, or records of them, that the library can't read: `HeapTexts` does. */
  readonly areHeapTexts: boolean;
}

/** @throws BadHdf5Error, SourceBusyError, SourceChangedError, UnreadableSourceError */
export function lookAtDataset(links: Hdf5Links, { file, at }: FoundNode, depth = 0): Hdf5Dataset {
  const metadata = file.library(at, (module, id) => module.get_dataset_metadata(id, at));
  const filters = file.library(at, (module, id) => module.get_dataset_filters(id, at));
  const { base, extents } = unwrapArray(metadata);
  const outer = metadata.shape ?? [0];
  const shape = [...outer, ...extents];
  const found = readHeader(file, at);
  const type = typeOf(base, found);
  const unreadable =
    refusedShape(shape, base) ??
    (typeof found === 'string' ? found : undefined) ??
    refusedFilter(filters) ??
    (libraryFails(filters, holdsPointers(metadata)) && heapFields(base) === undefined
      ? 'lzf over values of varying length can’t be undone here'
      : undefined) ??
    refusedVirtual(links, file, metadata, depth);
  const storage = typeof found === 'object' && unreadable === undefined ? found.storage : undefined;
  const chunks = metadata.chunks ?? outer;
  return {
    file,
    at,
    shape,
    innerRank: extents.length,
    type,
    base,
    metadata,
    chunkShape: [
      ...chunks.map((extent, axis) => Math.max(1, Math.min(extent, outer[axis] ?? 1))),
      ...extents,
    ],
    storage,
    unreadable,
    areHeapTexts: heapFields(base) !== undefined && libraryFails(filters, holdsPointers(metadata)),
  };
}

/** What the header says; words when the dataset must not be read at all. */
function readHeader(file: Hdf5File, at: string): HeaderFacts | string {
  const { bytes } = file;
  if (bytes === undefined) return 'its file has a superblock of a kind that is not known';
  const reference = file.library(at, (module, id) => module.create_object_reference(id, at));
  let address = 0;
  for (let index = 7; index >= 0; index--) address = address * 256 + (reference[index] ?? 0);
  try {
    const messages = readObjectHeader(bytes, address);
    // The library would open whatever file the header names.
    if (messages.some(({ type }) => type === MESSAGE.externalFiles)) return 'its bytes lie in other files';
    return readDatasetStorage(bytes, messages);
  } catch (error) {
    if (error instanceof NotUnderstood) return `its header can't be understood: ${error.message}`;
    throw error;
  }
}

function typeOf(base: LibraryType, found: HeaderFacts | string): ElementType {
  const type = elementType(base);
  const isNumber = type.kind === 'number' || type.kind === 'enum' || type.kind === 'boolean';
  if (!isNumber || typeof found === 'string') return type;
  return found.odd === undefined ? type : { kind: 'other', name: found.odd };
}

function refusedShape(shape: readonly number[], base: LibraryType): string | undefined {
  if (shape.some((extent) => !Number.isSafeInteger(extent) || extent < 0))
    return `its extents [${shape}] are no sizes`;
  return elementCount(shape) * Math.max(1, base.size) > MAX_BYTES
    ? `its extents [${shape}] are no real array`
    : undefined;
}

/** A virtual dataset whose parts are missing would read as fill values, and one that leads out must not be opened. */
function refusedVirtual(
  links: Hdf5Links,
  file: Hdf5File,
  { virtual_sources: sources }: LibraryMetadata,
  depth: number,
): string | undefined {
  if (sources === undefined) return undefined;
  if (depth >= MAX_VIRTUAL_DEPTH) return 'it is made of virtual datasets in a circle';
  for (const { file_name: fileName, dset_name: name } of sources) {
    if (fileName.includes('%') || name.includes('%'))
      return `its parts are named by the pattern ${fileName}:${name}`;
    let other = file;
    if (fileName !== '.') {
      const path = fileBeside(file.path, fileName, links.root);
      if (typeof path !== 'string') return path.reason;
      other = links.otherFile(file, fileName);
    }
    const reason = refusedPart(links, other, name, depth + 1);
    if (reason !== undefined) return `its part ${fileName}:${name}: ${reason}`;
  }
  return undefined;
}

function refusedPart(links: Hdf5Links, file: Hdf5File, name: string, depth: number): string | undefined {
  const found = links.findIn(file, name);
  if (found.kind === 'dead') return found.reason;
  if (found.kind !== 'array') return 'is not there';
  // The library follows links by itself: only what it finds without any is known to be inside.
  if (
    found.file !== file ||
    found.at !==
      `/${name
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .join('/')}`
  )
    return 'is a link';
  const part = lookAtDataset(links, found, depth);
  return part.unreadable ?? (part.areHeapTexts ? 'texts under lzf can’t be read through others' : undefined);
}

/** Bytes of one element of `shape`. */
export function itemBytesOf({ type, base }: Pick<Hdf5Dataset, 'type' | 'base'>): number {
  if (type.kind === 'number' || type.kind === 'enum') return itemSizeBytes(type.dtype);
  return type.kind === 'boolean' ? 1 : base.size;
}
