import { HookFailedError } from '../../core/errors.ts';
import type { NumberDtype } from './pixel-types.ts';

/** WebAssembly SIMD opcodes (core specification 2.0, 5.4.9), after the 0xFD prefix. */
interface LaneOperations {
  readonly min: number;
  readonly max: number;
}

const LANES: Partial<Record<NumberDtype, LaneOperations>> = {
  int8: { min: 0x76, max: 0x78 },
  uint8: { min: 0x77, max: 0x79 },
  int16: { min: 0x96, max: 0x98 },
  uint16: { min: 0x97, max: 0x99 },
  int32: { min: 0xb6, max: 0xb8 },
  uint32: { min: 0xb7, max: 0xb9 },
  // pmin and pmax: a comparison and a selection, so a value always comes out as it went in
  float32: { min: 0xea, max: 0xeb },
  float64: { min: 0xf6, max: 0xf7 },
};

const OP = {
  loop: 0x03,
  end: 0x0b,
  brIf: 0x0d,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  i32Const: 0x41,
  i32LessUnsigned: 0x49,
  i32Add: 0x6a,
  simd: 0xfd,
  v128Load: 0x00,
  v128Store: 0x0b,
} as const;
const TYPE = { i32: 0x7f, v128: 0x7b, func: 0x60, empty: 0x40 } as const;
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const VECTOR_BYTES = 16;
const WASM_HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

function unsignedLeb(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return bytes;
}

const section = (id: number, body: readonly number[]): number[] => [id, ...unsignedLeb(body.length), ...body];
const name = (text: string): number[] => [text.length, ...Buffer.from(text, 'ascii')];

/**
 * Function body that computes the median of `offsets.length` (odd) vectors by forgetful selection: hold just
 * over half of the samples, sort the least to the front and the greatest to the back, forget both (neither can
 * be the median), take in the next sample, until one is left. Only min and max, every lane at once.
 * Parameters: address of the window's first pixel, address of the output, end of the output.
 */
function functionBody(offsets: readonly number[], lanes: LaneOperations): number[] {
  const [windowAt, outAt, outEnd] = [0, 1, 2];
  const sampleCount = offsets.length;
  const heldCount = (sampleCount >> 1) + 2;
  const local = (held: number): number => 3 + held;
  const spare = local(heldCount);
  const code: number[] = [];
  const get = (index: number): number => code.push(OP.localGet, ...unsignedLeb(index));
  const set = (index: number): number => code.push(OP.localSet, ...unsignedLeb(index));
  const simd = (opcode: number): number => code.push(OP.simd, ...unsignedLeb(opcode));
  const load = (sample: number, into: number): void => {
    get(windowAt);
    simd(OP.v128Load);
    code.push(0, ...unsignedLeb(offsets[sample] ?? 0));
    set(into);
  };
  const order = (low: number, high: number): void => {
    get(low);
    get(high);
    simd(lanes.min);
    set(spare);
    get(low);
    get(high);
    simd(lanes.max);
    set(high);
    get(spare);
    set(low);
  };

  code.push(OP.loop, TYPE.empty);
  let held = Array.from({ length: heldCount }, (_, index) => local(index));
  held.forEach((into, sample) => {
    load(sample, into);
  });
  let next = heldCount;
  const at = (index: number): number => held[index] ?? spare;
  while (held.length > 1) {
    const count = held.length;
    const half = (count + 1) >> 1;
    for (let i = 0; i < count >> 1; i++) order(at(i), at(count - 1 - i));
    for (let i = 1; i < half; i++) order(at(0), at(i));
    for (let i = count - 2; i >= count - half; i--) order(at(i), at(count - 1));
    const freed = at(0);
    held = held.slice(1, -1);
    if (next < sampleCount) {
      load(next++, freed);
      held.push(freed);
    }
  }
  get(outAt);
  get(at(0));
  simd(OP.v128Store);
  code.push(0, 0);
  get(windowAt);
  code.push(OP.i32Const, VECTOR_BYTES, OP.i32Add);
  set(windowAt);
  get(outAt);
  code.push(OP.i32Const, VECTOR_BYTES, OP.i32Add, OP.localTee, outAt);
  get(outEnd);
  code.push(OP.i32LessUnsigned, OP.brIf, 0, OP.end, OP.end);
  return [1, ...unsignedLeb(heldCount + 1), TYPE.v128, ...code];
}

/**
 * A module exporting `medianRow(window, out, outEnd)`: the median of the footprint at every pixel of a row, 16
 * bytes of pixels at a time. `offsets` are the byte offsets of the footprint's pixels (an odd number, at least
 * 3) from the window's first pixel in the padded image; `out` advances by 16 until it reaches `outEnd`.
 */
export function medianNetwork(offsets: readonly number[], dtype: NumberDtype): WebAssembly.Module {
  const lanes = LANES[dtype];
  if (lanes === undefined) throw new HookFailedError(`there is no median network for ${dtype}`);
  const body = functionBody(offsets, lanes);
  const minimumPages = 1;
  return new WebAssembly.Module(
    Uint8Array.from([
      ...WASM_HEADER,
      ...section(SECTION.type, [1, TYPE.func, 3, TYPE.i32, TYPE.i32, TYPE.i32, 0]),
      ...section(SECTION.import, [1, ...name('env'), ...name('memory'), 2, 0, minimumPages]),
      ...section(SECTION.function, [1, 0]),
      ...section(SECTION.export, [1, ...name('medianRow'), 0, 0]),
      ...section(SECTION.code, [1, ...unsignedLeb(body.length), ...body]),
    ]),
  );
}
