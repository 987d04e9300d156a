import { BadZarrError } from '../core/errors.ts';
import {
  allocate,
  bytesOf,
  type Dtype,
  fromBytes,
  itemSizeBytes,
  type TypedArray,
} from '../core/nd-array.ts';
import { swapItems } from './codec/swap-items.ts';
import { bufferOf, type CodecStep, room } from './codec-step.ts';

/** Numbers of one type in memory, as a filter's configuration names them. */
interface Values {
  readonly dtype: Dtype;
  readonly bigEndian: boolean;
}

const isBig = (data: TypedArray): data is BigInt64Array | BigUint64Array =>
  data instanceof BigInt64Array || data instanceof BigUint64Array;

/** A filter from values of one type to values of another, item by item. */
function valueStep(
  name: string,
  decoded: Values,
  encoded: Values,
  convert: (from: TypedArray, to: TypedArray) => void,
): CodecStep {
  const inBytes = itemSizeBytes(encoded.dtype);
  const outBytes = itemSizeBytes(decoded.dtype);
  return {
    name,
    encodedBytes: (sizeBytes) => (sizeBytes / outBytes) * inBytes,
    decode(bytes, { path, maxBytes }) {
      if (bytes.length % inBytes !== 0)
        throw new BadZarrError(path, `${bytes.length} bytes are no ${encoded.dtype} values`);
      if (encoded.bigEndian) swapItems(bytes, inBytes);
      const count = bytes.length / inBytes;
      if (count * outBytes > maxBytes)
        throw new BadZarrError(path, `${name} decodes to ${count * outBytes} bytes`);
      const target = allocate(decoded.dtype, [count]);
      convert(fromBytes(encoded.dtype, [count], bytes).data, target.data);
      const result = bytesOf(target);
      if (decoded.bigEndian) swapItems(bufferOf(result), outBytes);
      return result;
    },
  };
}

/** Copies values, cast as C casts them. */
function cast(from: TypedArray, to: TypedArray): void {
  if (isBig(to))
    for (let i = 0; i < to.length; i++) {
      const value = from[i] ?? 0;
      to[i] = typeof value === 'bigint' ? value : BigInt(Number.isFinite(value) ? Math.trunc(value) : 0);
    }
  else for (let i = 0; i < to.length; i++) to[i] = Number(from[i] ?? 0);
}

/** numcodecs' Delta: differences of neighbours; sums wrap around as the type does. */
export function deltaStep(decoded: Values, encoded: Values): CodecStep {
  return valueStep('delta', decoded, encoded, (from, to) => {
    if (isBig(to)) {
      let sum = 0n;
      for (let i = 0; i < to.length; i++) {
        const value = from[i] ?? 0n;
        to[i] = sum + (typeof value === 'bigint' ? value : BigInt(Math.trunc(value)));
        sum = to[i] ?? 0n;
      }
      return;
    }
    let sum = 0;
    for (let i = 0; i < to.length; i++) {
      to[i] = sum + Number(from[i] ?? 0);
      sum = to[i] ?? 0;
    }
  });
}

/** numcodecs' FixedScaleOffset: `encoded / scale + offset`, in float32 where the encoded values are, else float64. */
export function scaleOffsetStep(decoded: Values, encoded: Values, scale: number, offset: number): CodecStep {
  const round: (value: number) => number =
    encoded.dtype === 'float32'
      ? Math.fround
      : encoded.dtype === 'float16'
        ? Math.f16round
        : (value) => value;
  return valueStep('fixedscaleoffset', decoded, encoded, (from, to) => {
    const values = new Float64Array(to.length);
    for (let i = 0; i < to.length; i++) values[i] = round(round(Number(from[i] ?? 0) / scale) + offset);
    cast(values, to);
  });
}

/** numcodecs' AsType and Quantize: another type of number, nothing else to undo. */
export function castStep(name: string, decoded: Values, encoded: Values): CodecStep {
  return valueStep(name, decoded, encoded, cast);
}

/** numcodecs' BitRound: what was rounded stays rounded. */
export const BITROUND: CodecStep = {
  name: 'bitround',
  encodedBytes: (decodedBytes) => decodedBytes,
  decode: (encoded) => encoded,
};

/** numcodecs' PackBits: how many bits of the last byte are unused, then eight booleans to a byte, highest bit first. */
export const PACKBITS: CodecStep = {
  name: 'packbits',
  encodedBytes: (decodedBytes) => 1 + Math.ceil(decodedBytes / 8),
  decode(encoded, expected) {
    const count = (encoded.length - 1) * 8 - (encoded[0] ?? 0);
    if (encoded.length < 1 || (encoded[0] ?? 0) > 7 || count < 0 || count > expected.maxBytes)
      throw new BadZarrError(expected.path, 'damaged packbits');
    const output = room(count, expected);
    for (let bit = 0; bit < count; bit++)
      output[bit] = ((encoded[1 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1;
    return output;
  },
};
