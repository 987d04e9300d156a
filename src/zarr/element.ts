import { UnsupportedZarrError } from '../core/errors.ts';
import { asObject } from '../core/json-text.ts';
import { type Dtype, itemSizeBytes } from '../core/nd-array.ts';
import { asArray, asInteger, asString, shown } from './json.ts';

/**
 * What one element of an array is made of. Complex numbers and fixed-width text are several numbers of one dtype
 * (real and imaginary part; bytes; code points): the array then has one more axis, `lanes` long.
 */
export interface ElementType {
  readonly dtype: Dtype;
  /** Numbers per element; 1 for plain numbers. */
  readonly lanes: number;
  readonly bigEndian: boolean;
  /** `string` is text or bytes of variable length, which is no array of numbers; `compound` its bytes. */
  readonly kind: 'bool' | 'integer' | 'float' | 'complex' | 'bytes' | 'text' | 'string' | 'compound';
  /** Of a compound element. */
  readonly fields?: readonly CompoundPart[];
}

/** A named part of a compound element. */
export interface CompoundPart {
  readonly name: string;
  readonly type: ElementType;
  readonly offsetBytes: number;
  /** Extents of a part that is itself an array; [] for a single value. */
  readonly shape: readonly number[];
}

/** Text of variable length. */
const STRING: ElementType = { dtype: 'uint8', lanes: 1, bigEndian: false, kind: 'string' };

/** Longest fixed-width text, in characters; largest compound element, in bytes. */
const MAX_LANES = 65_536;

/** Bytes of one element. */
export function elementBytes({ dtype, lanes }: ElementType): number {
  return itemSizeBytes(dtype) * lanes;
}

const V2_NUMBERS: Readonly<Record<string, readonly [Dtype, ElementType['kind'], number]>> = {
  b1: ['uint8', 'bool', 1],
  i1: ['int8', 'integer', 1],
  i2: ['int16', 'integer', 1],
  i4: ['int32', 'integer', 1],
  i8: ['int64', 'integer', 1],
  u1: ['uint8', 'integer', 1],
  u2: ['uint16', 'integer', 1],
  u4: ['uint32', 'integer', 1],
  u8: ['uint64', 'integer', 1],
  f2: ['float16', 'float', 1],
  f4: ['float32', 'float', 1],
  f8: ['float64', 'float', 1],
  c8: ['float32', 'complex', 2],
  c16: ['float64', 'complex', 2],
};

/**
 * Reads a numpy type string as Zarr v2 writes it (`<u2`, `|b1`, `>f4`, `|S7`, `<U13`, `<M8[ns]`; Zarr v2 spec,
 * "Data type encoding"), or a list of fields. Dates and time differences are the int64 that stores them; objects are
 * text, of which the filters tell more.
 * @throws UnsupportedZarrError for raw types.
 */
export function parseV2Dtype(value: unknown, path: string): ElementType {
  if (Array.isArray(value)) return parseCompound(value, path, 0);
  const text = asString(value);
  if (text === '|O') return STRING;
  const match = text === undefined ? null : /^([<>|=])([a-zA-Z])(\d{1,9})(?:\[\w+\])?$/.exec(text);
  const refuse = (): never => {
    throw new UnsupportedZarrError(path, `data type ${shown(value)}`);
  };
  if (!match) return refuse();
  const [, order = '', letter = '', digits = ''] = match;
  const bigEndian = order === '>';
  const size = Number(digits);
  if ((letter === 'M' || letter === 'm') && size === 8)
    return { dtype: 'int64', lanes: 1, bigEndian, kind: 'integer' };
  if (letter === 'S' || letter === 'U') {
    if (size < 1 || size > MAX_LANES) return refuse();
    return letter === 'S'
      ? { dtype: 'uint8', lanes: size, bigEndian: false, kind: 'bytes' }
      : { dtype: 'uint32', lanes: size, bigEndian, kind: 'text' };
  }
  const known = V2_NUMBERS[`${letter}${size}`];
  if (!known) return refuse();
  const [dtype, kind, lanes] = known;
  return { dtype, kind, lanes, bigEndian: bigEndian && itemSizeBytes(dtype) > 1 };
}

/** Structured types inside one another, and fields of one. */
const MAX_COMPOUND_DEPTH = 4;
const MAX_FIELDS = 1024;

/** A list of `[name, type]` or `[name, type, shape]`, without gaps; unnamed raw bytes are padding. */
function parseCompound(list: readonly unknown[], path: string, depth: number): ElementType {
  const refuse = (): never => {
    throw new UnsupportedZarrError(path, `data type ${shown(list)}`);
  };
  if (depth >= MAX_COMPOUND_DEPTH || list.length > MAX_FIELDS) return refuse();
  const fields: CompoundPart[] = [];
  let sizeBytes = 0;
  for (const entry of list) {
    const [name, dtype, extents] = asArray(entry) ?? [];
    const shape = (extents === undefined ? [] : (asArray(extents) ?? [extents])).map((extent) => {
      const number = asInteger(extent);
      return number === undefined || number < 0 ? refuse() : number;
    });
    const count = shape.reduce((product, extent) => product * extent, 1);
    const padding = name === '' ? /^\|V(\d{1,6})$/.exec(asString(dtype) ?? '') : null;
    if (padding) sizeBytes += Number(padding[1]) * count;
    else {
      if (typeof name !== 'string') return refuse();
      const type = Array.isArray(dtype) ? parseCompound(dtype, path, depth + 1) : parseV2Dtype(dtype, path);
      if (type.kind === 'string') return refuse();
      fields.push({ name, type, offsetBytes: sizeBytes, shape });
      sizeBytes += elementBytes(type) * count;
    }
    if (sizeBytes > MAX_LANES) return refuse();
  }
  if (sizeBytes === 0) return refuse();
  return { dtype: 'uint8', lanes: sizeBytes, bigEndian: false, kind: 'compound', fields };
}

const V3_NUMBERS: Readonly<Record<string, readonly [Dtype, ElementType['kind'], number]>> = {
  bool: ['uint8', 'bool', 1],
  int8: ['int8', 'integer', 1],
  int16: ['int16', 'integer', 1],
  int32: ['int32', 'integer', 1],
  int64: ['int64', 'integer', 1],
  uint8: ['uint8', 'integer', 1],
  uint16: ['uint16', 'integer', 1],
  uint32: ['uint32', 'integer', 1],
  uint64: ['uint64', 'integer', 1],
  float16: ['float16', 'float', 1],
  float32: ['float32', 'float', 1],
  float64: ['float64', 'float', 1],
  complex64: ['float32', 'complex', 2],
  complex128: ['float64', 'complex', 2],
  'numpy.datetime64': ['int64', 'integer', 1],
  'numpy.timedelta64': ['int64', 'integer', 1],
};

/**
 * Reads a Zarr v3 data type: a core name, or one of zarr-extensions' `string`, `variable_length_bytes` (in files of
 * zarr-python 3.0 also `bytes`), `fixed_length_utf32`, `null_terminated_bytes` and `numpy.datetime64`. The byte order is the `bytes` codec's.
 * @throws UnsupportedZarrError for structured and raw types.
 */
export function parseV3Dtype(value: unknown, path: string): ElementType {
  const object = asObject(value);
  const name = asString(value) ?? asString(object?.['name']) ?? '';
  const known = Object.hasOwn(V3_NUMBERS, name) ? V3_NUMBERS[name] : undefined;
  if (known) {
    const [dtype, kind, lanes] = known;
    return { dtype, kind, lanes, bigEndian: false };
  }
  if (name === 'string' || name === 'variable_length_bytes' || name === 'bytes') return STRING;
  const lengthBytes = asInteger(asObject(object?.['configuration'])?.['length_bytes']) ?? 0;
  if (
    name === 'fixed_length_utf32' &&
    lengthBytes >= 4 &&
    lengthBytes % 4 === 0 &&
    lengthBytes / 4 <= MAX_LANES
  )
    return { dtype: 'uint32', lanes: lengthBytes / 4, bigEndian: false, kind: 'text' };
  if (name === 'null_terminated_bytes' && lengthBytes >= 1 && lengthBytes <= MAX_LANES)
    return { dtype: 'uint8', lanes: lengthBytes, bigEndian: false, kind: 'bytes' };
  throw new UnsupportedZarrError(path, `data type ${shown(value)}`);
}

/** A type that a codec's configuration names, in either generation's spelling. */
export function parseAnyDtype(value: unknown, path: string): ElementType {
  const text = asString(value) ?? '';
  return Object.hasOwn(V3_NUMBERS, text) ? parseV3Dtype(text, path) : parseV2Dtype(value, path);
}
