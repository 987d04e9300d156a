import { type Hdf5Bytes, Hdf5Cursor, NotUnderstood, UNDEFINED_ADDRESS } from './hdf5-bytes.ts';
import { datatypeBody, type NumberLayout, numberLayout } from './hdf5-number-type.ts';
import { type HeaderMessage, MESSAGE } from './hdf5-object-header.ts';

export interface StoredFilter {
  readonly id: number;
  /** As the file spells it, often ''. */
  readonly name: string;
  readonly values: readonly number[];
}

/** How the chunks of a dataset are found (HDF5 File Format Specification 3.0, IV.A.2.i, data layout message). */
export type ChunkIndexKind =
  | { readonly kind: 'btree-1' }
  | { readonly kind: 'single'; readonly storedBytes: number | undefined; readonly filterMask: number }
  | { readonly kind: 'implicit' }
  | { readonly kind: 'fixed-array' }
  | { readonly kind: 'extensible-array' }
  | { readonly kind: 'btree-2' };

/** Where a dataset's bytes lie. */
export type StoredLayout =
  | { readonly kind: 'compact'; readonly bytes: Buffer }
  | { readonly kind: 'contiguous'; readonly address: number; readonly sizeBytes: number }
  | {
      readonly kind: 'chunked';
      /** Elements, one extent per axis of the dataset. */
      readonly chunkShape: readonly number[];
      readonly elementBytes: number;
      readonly address: number;
      readonly index: ChunkIndexKind;
      /** Chunks at the array's edge are stored without filters. */
      readonly keepsEdgesPlain: boolean;
    }
  | { readonly kind: 'virtual' };

/** What a dataset's header says of its bytes. */
export interface DatasetStorage {
  readonly layout: StoredLayout;
  readonly filters: readonly StoredFilter[];
  /** Undefined when the elements are no plain numbers. */
  readonly number: NumberLayout | undefined;
  /** An element that was never written; empty when the file names none, which is zero. */
  readonly fill: Buffer | undefined;
}

/** What a dataset's header tells. */
export interface HeaderFacts {
  /** Undefined when only the HDF5 library understands it. */
  readonly storage: DatasetStorage | undefined;
  /** Why its numbers are none that a dtype holds. */
  readonly odd?: string;
}

/** Reads where a dataset's bytes lie out of its header's messages. @throws BadHdf5Error, UnreadableSourceError */
export function readDatasetStorage(file: Hdf5Bytes, messages: readonly HeaderMessage[]): HeaderFacts {
  const last = (type: number): HeaderMessage | undefined =>
    messages.findLast((message) => message.type === type);
  let number: NumberLayout | undefined;
  try {
    const datatype = last(MESSAGE.datatype);
    if (datatype === undefined) throw new NotUnderstood('a dataset without a type');
    number = numberLayout(datatypeBody(file, datatype), file);
  } catch (error) {
    if (error instanceof NotUnderstood) return { storage: undefined, odd: error.message };
    throw error;
  }
  try {
    return { storage: storageOf(file, number, last) };
  } catch (error) {
    if (error instanceof NotUnderstood) return { storage: undefined };
    throw error;
  }
}

function storageOf(
  file: Hdf5Bytes,
  number: NumberLayout | undefined,
  last: (type: number) => HeaderMessage | undefined,
): DatasetStorage {
  const layout = last(MESSAGE.layout);
  const filters = last(MESSAGE.filters);
  const fill = last(MESSAGE.fillValue) ?? last(MESSAGE.fillValueOld);
  if (layout === undefined) throw new NotUnderstood('a dataset without a layout');
  if (layout.isShared || filters?.isShared || fill?.isShared) throw new NotUnderstood('a shared message');
  return {
    layout: layoutOf(new Hdf5Cursor(layout.body, file)),
    filters: filters === undefined ? [] : filtersOf(new Hdf5Cursor(filters.body, file)),
    number,
    fill: fill && fillOf(fill, file),
  };
}

function layoutOf(cursor: Hdf5Cursor): StoredLayout {
  const version = cursor.u8();
  if (version === 1 || version === 2) return oldLayout(cursor);
  if (version !== 3 && version !== 4) throw new NotUnderstood(`data layout version ${version}`);
  const layoutClass = cursor.u8();
  if (layoutClass === 0) return { kind: 'compact', bytes: cursor.slice(cursor.u16()) };
  if (layoutClass === 1) return { kind: 'contiguous', address: cursor.address(), sizeBytes: cursor.length() };
  if (layoutClass === 2) return version === 3 ? chunkedVersion3(cursor) : chunkedVersion4(cursor);
  if (layoutClass === 3) return { kind: 'virtual' };
  throw new NotUnderstood(`data layout class ${layoutClass}`);
}

function oldLayout(cursor: Hdf5Cursor): StoredLayout {
  const rank = cursor.u8();
  const layoutClass = cursor.u8();
  cursor.skip(5);
  const address = layoutClass === 0 ? UNDEFINED_ADDRESS : cursor.address();
  const extents = Array.from({ length: rank }, () => cursor.u32());
  if (layoutClass === 0) return { kind: 'compact', bytes: cursor.slice(cursor.u32()) };
  if (layoutClass === 1) {
    // The size of a contiguous dataset in bytes is not stored, its extents are: elements by the last one.
    throw new NotUnderstood('contiguous data of an old layout');
  }
  if (layoutClass !== 2 || rank < 1) throw new NotUnderstood(`data layout class ${layoutClass}`);
  // The element's size counts as one axis more, and stands behind.
  return chunked(extents.slice(0, -1), extents.at(-1) ?? 0, address, { kind: 'btree-1' }, false);
}

function chunkedVersion3(cursor: Hdf5Cursor): StoredLayout {
  const rank = cursor.u8();
  const address = cursor.address();
  const extents = Array.from({ length: rank }, () => cursor.u32());
  return chunked(extents.slice(0, -1), extents.at(-1) ?? 0, address, { kind: 'btree-1' }, false);
}

function chunkedVersion4(cursor: Hdf5Cursor): StoredLayout {
  const flags = cursor.u8();
  const rank = cursor.u8();
  const extentBytes = cursor.u8();
  if (extentBytes < 1 || extentBytes > 8) throw new NotUnderstood('extents of unusual width');
  const extents = Array.from({ length: rank }, () => cursor.unsigned(extentBytes));
  const index = chunkIndexVersion4(cursor, flags);
  return chunked(extents.slice(0, -1), extents.at(-1) ?? 0, cursor.address(), index, (flags & 1) !== 0);
}

function chunkIndexVersion4(cursor: Hdf5Cursor, flags: number): ChunkIndexKind {
  const type = cursor.u8();
  switch (type) {
    case 1:
      return flags & 2
        ? { kind: 'single', storedBytes: cursor.length(), filterMask: cursor.u32() }
        : { kind: 'single', storedBytes: undefined, filterMask: 0 };
    case 2:
      return { kind: 'implicit' };
    case 3:
      cursor.skip(1);
      return { kind: 'fixed-array' };
    case 4:
      cursor.skip(5);
      return { kind: 'extensible-array' };
    case 5:
      cursor.skip(6);
      return { kind: 'btree-2' };
    default:
      throw new NotUnderstood(`chunk index type ${type}`);
  }
}

function chunked(
  chunkShape: readonly number[],
  elementBytes: number,
  address: number,
  index: ChunkIndexKind,
  keepsEdgesPlain: boolean,
): StoredLayout {
  if (elementBytes < 1 || chunkShape.length === 0 || chunkShape.some((extent) => extent < 1))
    throw new NotUnderstood('chunks without elements');
  return { kind: 'chunked', chunkShape, elementBytes, address, index, keepsEdgesPlain };
}

/** The filter pipeline message (IV.A.2.l): in the order in which a writer applies them. */
function filtersOf(cursor: Hdf5Cursor): StoredFilter[] {
  const version = cursor.u8();
  const count = cursor.u8();
  if (version === 1) cursor.skip(6);
  else if (version !== 2) throw new NotUnderstood(`filter pipeline version ${version}`);
  return Array.from({ length: count }, () => {
    const id = cursor.u16();
    const hasName = version === 1 || id >= 256;
    const nameBytes = hasName ? cursor.u16() : 0;
    cursor.skip(2);
    const valueCount = cursor.u16();
    const name = cursor.text(nameBytes);
    const values = Array.from({ length: valueCount }, () => cursor.u32());
    if (version === 1 && valueCount % 2 === 1) cursor.skip(4);
    return { id, name: name.split('\0', 1)[0] ?? '', values };
  });
}

/** The fill value messages (IV.A.2.e and f). */
function fillOf(
  message: HeaderMessage,
  widths: { offsetBytes: number; lengthBytes: number },
): Buffer | undefined {
  const cursor = new Hdf5Cursor(message.body, widths);
  if (message.type === MESSAGE.fillValueOld) return cursor.slice(cursor.u32());
  const version = cursor.u8();
  if (version === 3) {
    const flags = cursor.u8();
    return flags & 0x20 ? cursor.slice(cursor.u32()) : undefined;
  }
  if (version !== 1 && version !== 2) throw new NotUnderstood(`fill value version ${version}`);
  cursor.skip(2);
  const isDefined = cursor.u8();
  if (version === 2 && isDefined === 0) return undefined;
  // Version 1 always has a size; minus one stands for an undefined value.
  const sizeBytes = cursor.u32();
  return sizeBytes === 0xffff_ffff ? undefined : cursor.slice(sizeBytes);
}
