import { BadZarrError } from '../core/errors.ts';
import { allocate, bytesOf, itemSizeBytes } from '../core/nd-array.ts';
import { type ElementType, elementBytes } from './element.ts';
import { asArray, shown } from './json.ts';

const SPECIAL: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

const INTEGER_BITS = { 1: 8, 2: 16, 4: 32, 8: 64 } as const;

/**
 * One element of fill value, little-endian. Zarr v2: number, `"NaN"`, `"Infinity"`, base64 for byte strings, text;
 * null says "undefined", for which zarr-python 3 gives zero, and so does this. Zarr v3: also `"0x7fc00000"`, the bits
 * of a float, and `[real, imaginary]`.
 * @throws BadZarrError when the value does not fit the type.
 */
export function parseFillValue(value: unknown, element: ElementType, path: string): Uint8Array {
  const bad = (): BadZarrError =>
    new BadZarrError(path, `the fill value ${shown(value)} does not fit ${element.dtype}`);
  const bytes = new Uint8Array(elementBytes(element));
  if (value === null || value === undefined || element.kind === 'string') return bytes;
  if (element.kind === 'compound') {
    if (value === 0) return bytes;
    const packed = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
    if (packed?.length !== bytes.length) throw bad();
    bytes.set(packed);
    return bytes;
  }
  if (element.kind === 'bytes' || element.kind === 'text') {
    // AnnData and numpy leave a plain 0 for text.
    if (value === 0) return bytes;
    if (typeof value !== 'string') throw bad();
    const text =
      element.kind === 'bytes'
        ? Buffer.from(value, 'base64')
        : Buffer.from(Uint32Array.from(value, (letter) => letter.codePointAt(0) ?? 0).buffer);
    if (text.length > bytes.length) throw bad();
    bytes.set(text);
    return bytes;
  }
  const itemBytes = itemSizeBytes(element.dtype);
  const parts = element.kind === 'complex' ? (asArray(value) ?? [value, 0]) : [value];
  if (parts.length !== element.lanes) throw bad();
  parts.forEach((part, lane) => {
    const item = numberBytes(part, element);
    if (!item) throw bad();
    bytes.set(item, lane * itemBytes);
  });
  return bytes;
}

/** The fill value of text of variable length: '' where none is said. @throws BadZarrError when it is no text. */
export function parseFillText(value: unknown, path: string): string {
  if (value === null || value === undefined || value === 0 || value === false) return '';
  if (typeof value === 'string') return value;
  throw new BadZarrError(path, `the fill value ${shown(value)} is no text`);
}

function numberBytes(value: unknown, { dtype, kind }: ElementType): Uint8Array | undefined {
  if (kind === 'bool') {
    if (value !== true && value !== false && value !== 0 && value !== 1) return undefined;
    return Uint8Array.of(value ? 1 : 0);
  }
  if (kind === 'integer') return integerBytes(value, dtype.startsWith('u'), itemSizeBytes(dtype));
  if (typeof value === 'string' && /^0x[0-9a-fA-F]+$/.test(value)) {
    const digits = value.slice(2);
    const bits = digits.length === 2 * itemSizeBytes(dtype) ? Buffer.from(digits, 'hex') : undefined;
    return bits?.reverse();
  }
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'bigint'
        ? Number(value)
        : typeof value === 'string' && Object.hasOwn(SPECIAL, value)
          ? SPECIAL[value]
          : undefined;
  if (number === undefined) return undefined;
  const item = allocate(dtype, [1]);
  if (typeof item.data[0] === 'number') (item.data as Float64Array)[0] = number;
  return bytesOf(item);
}

function integerBytes(value: unknown, unsigned: boolean, itemBytes: number): Uint8Array | undefined {
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isInteger(value))) return undefined;
  const bits = INTEGER_BITS[itemBytes === 1 || itemBytes === 2 || itemBytes === 4 ? itemBytes : 8];
  const whole = BigInt(value);
  const wrapped = unsigned ? BigInt.asUintN(bits, whole) : BigInt.asIntN(bits, whole);
  if (wrapped !== whole) return undefined;
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, whole));
  return bytes.subarray(0, itemBytes);
}
