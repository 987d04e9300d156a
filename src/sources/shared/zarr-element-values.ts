import { itemSizeBytes } from '../../core/nd-array.ts';
import { type CompoundPart, type ElementType, elementBytes } from '../../zarr/element.ts';
import type { CompoundValue } from './hierarchy.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** The texts of fixed-width elements, whose numbers are little-endian; padding is cut. */
export function fixedTexts(bytes: Uint8Array, element: ElementType): string[] {
  const width = elementBytes(element);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; at += width)
    texts.push(textOf(bytes.subarray(at, at + width), element.kind, true));
  return texts;
}

const REPLACEMENT = 0xfffd;
const isCodePoint = (code: number): boolean => code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);

function textOf(bytes: Uint8Array, kind: ElementType['kind'], littleEndian: boolean): string {
  if (kind === 'bytes') {
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('utf8');
  }
  const view = viewOf(bytes);
  let count = bytes.length / 4;
  while (count > 0 && view.getUint32(4 * (count - 1), true) === 0) count--;
  let text = '';
  for (let index = 0; index < count; index++) {
    const code = view.getUint32(4 * index, littleEndian);
    text += String.fromCodePoint(isCodePoint(code) ? code : REPLACEMENT);
  }
  return text;
}

/** The fields of compound elements, a list per element. Complex numbers and structures in structures are ''. */
export function compoundValues(bytes: Uint8Array, element: ElementType): CompoundValue[][] {
  const rows: CompoundValue[][] = [];
  for (let at = 0; at < bytes.length; at += element.lanes) {
    const row = bytes.subarray(at, at + element.lanes);
    rows.push((element.fields ?? []).map((field) => fieldValue(row, field)));
  }
  return rows;
}

function fieldValue(row: Uint8Array, { type, offsetBytes, shape }: CompoundPart): CompoundValue {
  const sizeBytes = elementBytes(type);
  const valueAt = (index: number): CompoundValue => {
    const from = offsetBytes + index * sizeBytes;
    return singleValue(row.subarray(from, from + sizeBytes), type);
  };
  if (shape.length === 0) return valueAt(0);
  return Array.from({ length: shape.reduce((count, extent) => count * extent, 1) }, (_, index) =>
    valueAt(index),
  );
}

function singleValue(bytes: Uint8Array, { kind, dtype, bigEndian }: ElementType): CompoundValue {
  if (kind === 'bytes' || kind === 'text') return textOf(bytes, kind, !bigEndian);
  if (kind === 'bool') return bytes[0] !== 0;
  if (kind !== 'integer' && kind !== 'float') return '';
  const view = viewOf(bytes);
  const little = !bigEndian;
  switch (dtype) {
    case 'float16':
      return view.getFloat16(0, little);
    case 'float32':
      return view.getFloat32(0, little);
    case 'float64':
      return view.getFloat64(0, little);
    case 'int64':
      return view.getBigInt64(0, little);
    case 'uint64':
      return view.getBigUint64(0, little);
    default: {
      const bits = 8 * itemSizeBytes(dtype);
      const unsigned =
        bits === 8 ? view.getUint8(0) : bits === 16 ? view.getUint16(0, little) : view.getUint32(0, little);
      return dtype.startsWith('u') ? unsigned : (unsigned << (32 - bits)) >> (32 - bits);
    }
  }
}
