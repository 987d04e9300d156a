import { isBoolean, TYPE_CLASS, unwrapArray } from './hdf5-element.ts';
import type { LibraryModule, LibraryType } from './hdf5-library.ts';
import type { CompoundValue } from './hierarchy.ts';

/** Longest text or list that is followed into the library's memory; a pointer gone wrong ends there. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** What values that are more than their bytes need: the library's memory, and names of objects. */
export interface ValueContext {
  readonly module: LibraryModule;
  /** Numbers are in the byte order of their type; otherwise the library has made them little-endian. */
  readonly keepsOrder: boolean;
  /** The path of a referenced object, undefined when it points nowhere. */
  nameOf(reference: Uint8Array): string | undefined;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Whether the library leaves numbers of a type in the file's byte order. h5wasm asks for little-endian numbers when
 * `H5Tget_order` says big-endian, which of a compound it only says when all its members are; texts of fixed length,
 * references and opaque members have no order and don't count.
 */
export function keepsOrder(type: LibraryType): boolean {
  return type.type === TYPE_CLASS.compound && orderOf(type) === 'mixed';
}

function orderOf(type: LibraryType): 'little' | 'big' | 'mixed' | undefined {
  const { base } = unwrapArray(type);
  if (base.type === TYPE_CLASS.compound) {
    const orders = new Set(
      (base.compound_type?.members ?? []).map(orderOf).filter((order) => order !== undefined),
    );
    return orders.size > 1 ? 'mixed' : [...orders][0];
  }
  if (base.type === TYPE_CLASS.reference || base.type === TYPE_CLASS.opaque) return undefined;
  if (base.type === TYPE_CLASS.text && !base.vlen) return undefined;
  return base.littleEndian ? 'little' : 'big';
}

function numberAt(
  view: DataView,
  at: number,
  type: LibraryType,
  typeClass: number,
  isLittle: boolean,
): number | bigint | undefined {
  if (typeClass === TYPE_CLASS.float) {
    if (type.size === 4) return view.getFloat32(at, isLittle);
    if (type.size === 8) return view.getFloat64(at, isLittle);
    if (type.size === 2) return view.getFloat16(at, isLittle);
    return undefined;
  }
  switch (type.size) {
    case 1:
      return type.signed ? view.getInt8(at) : view.getUint8(at);
    case 2:
      return type.signed ? view.getInt16(at, isLittle) : view.getUint16(at, isLittle);
    case 4:
      return type.signed ? view.getInt32(at, isLittle) : view.getUint32(at, isLittle);
    case 8:
      return type.signed ? view.getBigInt64(at, isLittle) : view.getBigUint64(at, isLittle);
    default:
      return undefined;
  }
}

/** Text of fixed length without its padding. */
function fixedText(bytes: Uint8Array, strpad: number | undefined): string {
  let end = bytes.length;
  if (strpad === 0) {
    const nul = bytes.indexOf(0);
    if (nul >= 0) end = nul;
  } else {
    const padding = strpad === 2 ? 0x20 : 0;
    while (end > 0 && bytes[end - 1] === padding) end--;
  }
  return UTF8.decode(bytes.subarray(0, end));
}

function pointedText({ module }: ValueContext, pointer: number): string {
  if (pointer === 0) return '';
  const heap = module.HEAPU8;
  const limit = Math.min(heap.length, pointer + MAX_TEXT_BYTES);
  const end = heap.indexOf(0, pointer);
  return UTF8.decode(heap.slice(pointer, end < 0 || end > limit ? limit : end));
}

/** The text of one value that `elementType` calls text, which lies at `at` of `bytes`. */
export function textAt(bytes: Uint8Array, at: number, type: LibraryType, context: ValueContext): string {
  if (type.type === TYPE_CLASS.reference) return context.nameOf(bytes.slice(at, at + type.size)) ?? '';
  if (type.type === TYPE_CLASS.vlen) return listText(bytes, at, type, context);
  if (type.vlen) return pointedText(context, viewOf(bytes).getUint32(at, true));
  return fixedText(bytes.subarray(at, at + type.size), type.strpad);
}

/** A list of varying length as JSON: a length and a pointer (`hvl_t`). */
function listText(bytes: Uint8Array, at: number, type: LibraryType, context: ValueContext): string {
  return jsonOf(listAt(bytes, at, type, context));
}

/** JSON of values, 64-bit numbers exactly; what JSON has no number for is text. */
export function jsonOf(value: CompoundValue): string {
  if (typeof value === 'object') return `[${value.map(jsonOf).join(',')}]`;
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'number' && !Number.isFinite(value) ? `"${value}"` : String(value);
}

/** The values of a list of varying length. */
export function listAt(
  bytes: Uint8Array,
  at: number,
  { vlen_type: item }: LibraryType,
  context: ValueContext,
): readonly CompoundValue[] {
  const view = viewOf(bytes);
  const count = view.getUint32(at, true);
  const pointer = view.getUint32(at + 4, true);
  if (item === undefined || count === 0 || pointer === 0) return [];
  const heap = context.module.HEAPU8;
  const sizeBytes = count * item.size;
  if (sizeBytes > MAX_TEXT_BYTES || pointer + sizeBytes > heap.length)
    throw new RangeError(`a list of ${count} elements of ${item.size} bytes`);
  const items = heap.slice(pointer, pointer + sizeBytes);
  return Array.from({ length: count }, (_, index) => valueAt(items, index * item.size, item, context));
}

/** One value of any type; an array type is a list in C order; what can't be read is ''. */
export function valueAt(
  bytes: Uint8Array,
  at: number,
  type: LibraryType,
  context: ValueContext,
): CompoundValue {
  const { base, extents } = unwrapArray(type);
  if (base !== type) {
    const count = extents.reduce((product, extent) => product * extent, 1);
    return Array.from({ length: count }, (_, index) => valueAt(bytes, at + index * base.size, base, context));
  }
  const isLittle = type.littleEndian || !context.keepsOrder;
  switch (type.type) {
    case TYPE_CLASS.integer:
    case TYPE_CLASS.float:
      return numberAt(viewOf(bytes), at, type, type.type, isLittle) ?? '';
    case TYPE_CLASS.enumeration: {
      const value = numberAt(viewOf(bytes), at, type, type.enum_type?.type ?? -1, isLittle);
      if (value === undefined) return '';
      return isBoolean(type) ? value !== 0 : value;
    }
    case TYPE_CLASS.compound:
      return (type.compound_type?.members ?? []).map((member) =>
        member.type === TYPE_CLASS.vlen
          ? listText(bytes, at + member.offset, member, context)
          : valueAt(bytes, at + member.offset, member, context),
      );
    case TYPE_CLASS.vlen:
      return listAt(bytes, at, type, context);
    case TYPE_CLASS.text:
      return textAt(bytes, at, type, context);
    case TYPE_CLASS.reference:
      return type.ref_type === 'object' ? textAt(bytes, at, type, context) : '';
    default:
      return '';
  }
}
