import type { Dtype } from '../../core/nd-array.ts';
import { type Hdf5Bytes, Hdf5Cursor, NotUnderstood } from './hdf5-bytes.ts';
import { type HeaderMessage, MESSAGE, readObjectHeader, sharedIn } from './hdf5-object-header.ts';

/** How a number lies in its bytes. */
export interface NumberLayout {
  readonly dtype: Dtype;
  readonly isBigEndian: boolean;
  /** Bits of the value and of what lies below it; undefined when the value fills its bytes. */
  readonly bits?: { readonly offset: number; readonly precision: number };
}

const INTEGERS: Readonly<Record<number, readonly [Dtype, Dtype]>> = {
  1: ['uint8', 'int8'],
  2: ['uint16', 'int16'],
  4: ['uint32', 'int32'],
  8: ['uint64', 'int64'],
};

/** Sign, exponent and mantissa of IEEE 754 binary16, 32 and 64: location and size of each, and the bias. */
const FLOATS: Readonly<Record<number, { readonly dtype: Dtype; readonly parts: readonly number[] }>> = {
  2: { dtype: 'float16', parts: [15, 10, 5, 0, 10, 15] },
  4: { dtype: 'float32', parts: [31, 23, 8, 0, 23, 127] },
  8: { dtype: 'float64', parts: [63, 52, 11, 0, 52, 1023] },
};

/** A datatype message's content, wherever it stands. @throws NotUnderstood */
export function datatypeBody(file: Hdf5Bytes, message: HeaderMessage, depth = 0): Buffer {
  if (!message.isShared) return message.body;
  if (depth > 4) throw new NotUnderstood('a type that is shared in a circle');
  const named = readObjectHeader(file, sharedIn(file, message.body)).find(
    ({ type }) => type === MESSAGE.datatype,
  );
  if (named === undefined) throw new NotUnderstood('a shared type that is not there');
  return datatypeBody(file, named, depth + 1);
}

/**
 * The layout of a number, of an enumeration's number or of those of an array type (HDF5 File Format Specification 3.0, IV.A.2.d, classes 0, 1,
 * 8 and 10), undefined for any other class. @throws NotUnderstood for a number that no dtype holds exactly.
 */
export function numberLayout(
  body: Buffer,
  widths: { offsetBytes: number; lengthBytes: number },
): NumberLayout | undefined {
  const cursor = new Hdf5Cursor(body, widths);
  const classAndVersion = cursor.u8();
  const version = classAndVersion >> 4;
  const typeClass = classAndVersion & 15;
  const flags = cursor.unsigned(3);
  const sizeBytes = cursor.u32();
  if (version < 1 || version > 5) throw new NotUnderstood(`datatype version ${version}`);
  if (typeClass === 10) {
    const rank = cursor.u8();
    // Up to version 2, reserved bytes and a permutation that nobody uses.
    cursor.skip(version <= 2 ? 3 + 8 * rank : 4 * rank);
    return numberLayout(body.subarray(cursor.at), widths);
  }
  // An enumeration's base type comes first.
  if (typeClass === 8) return numberLayout(body.subarray(cursor.at), widths);
  if (typeClass === 0) return integerLayout(cursor, flags, sizeBytes);
  if (typeClass === 1) return floatLayout(cursor, flags, sizeBytes);
  return undefined;
}

function integerLayout(cursor: Hdf5Cursor, flags: number, sizeBytes: number): NumberLayout {
  const dtypes = INTEGERS[sizeBytes];
  const offset = cursor.u16();
  const precision = cursor.u16();
  // Padding bits of one are not read back by anybody alike.
  if (dtypes === undefined || precision === 0 || offset + precision > 8 * sizeBytes)
    throw new NotUnderstood(`integers of ${sizeBytes} bytes, ${precision} bits at ${offset}`);
  const isWhole = offset === 0 && precision === 8 * sizeBytes;
  return {
    dtype: flags & 0x08 ? dtypes[1] : dtypes[0],
    isBigEndian: (flags & 1) !== 0 && sizeBytes > 1,
    ...(isWhole ? {} : { bits: { offset, precision } }),
  };
}

function floatLayout(cursor: Hdf5Cursor, flags: number, sizeBytes: number): NumberLayout {
  const float = FLOATS[sizeBytes];
  const offset = cursor.u16();
  const precision = cursor.u16();
  const [exponentAt, exponentBits, mantissaAt, mantissaBits] = [
    cursor.u8(),
    cursor.u8(),
    cursor.u8(),
    cursor.u8(),
  ];
  const bias = cursor.u32();
  const signAt = (flags >> 8) & 0xff;
  const parts = [signAt, exponentAt, exponentBits, mantissaAt, mantissaBits, bias];
  const impliedLeadingOne = ((flags >> 4) & 3) === 2;
  const isVax = (flags & 0x40) !== 0;
  const isIeee =
    float?.parts.every((part, index) => part === parts[index]) === true &&
    impliedLeadingOne &&
    !isVax &&
    offset === 0 &&
    precision === 8 * sizeBytes;
  if (float === undefined || !isIeee)
    throw new NotUnderstood(`floating-point numbers of ${sizeBytes} bytes that are not IEEE 754`);
  return { dtype: float.dtype, isBigEndian: (flags & 1) !== 0 };
}

/** Widens numbers of fewer bits, little-endian and of `sizeBytes` each, to whole values in place. */
export function widenBits(
  bytes: Uint8Array,
  sizeBytes: number,
  isSigned: boolean,
  { offset, precision }: { readonly offset: number; readonly precision: number },
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = 8 * sizeBytes;
  for (let at = 0; at + sizeBytes <= bytes.length; at += sizeBytes) {
    let value = 0n;
    for (let index = sizeBytes - 1; index >= 0; index--)
      value = (value << 8n) | BigInt(bytes[at + index] ?? 0);
    value >>= BigInt(offset);
    value = isSigned ? BigInt.asIntN(precision, value) : BigInt.asUintN(precision, value);
    value = BigInt.asUintN(width, value);
    if (sizeBytes === 1) view.setUint8(at, Number(value));
    else if (sizeBytes === 2) view.setUint16(at, Number(value), true);
    else if (sizeBytes === 4) view.setUint32(at, Number(value), true);
    else view.setBigUint64(at, value, true);
  }
}
