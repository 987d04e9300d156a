/**
 * Byte shuffle of Blosc 1 (c-blosc, `shuffle.c`): byte k of every element, then byte k+1 of every element …
 * The kernels are WebAssembly SIMD, assembled here so that no binary lies in the repository: per 16 elements
 * T vectors are loaded, de-interleaved log2(T) times with `i8x16.shuffle`, and stored to the T byte planes.
 */

/** What is used of the WebAssembly API, which Node has but its type package leaves to the DOM's. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer };
};

const V128 = 0x7b;
const I32 = 0x7f;
const EVENS = Array.from({ length: 16 }, (_, lane) => 2 * lane);
const ODDS = EVENS.map((lane) => lane + 1);
const ZIP_LOW = Array.from({ length: 16 }, (_, lane) => (lane >> 1) + (lane & 1 ? 16 : 0));
const ZIP_HIGH = ZIP_LOW.map((lane) => lane + 8);

/** Parameters of every kernel: source, target, elements (a multiple of 16), elements between two byte planes. */
const SOURCE = 0;
const TARGET = 1;
const COUNT = 2;
const PLANE_STRIDE = 3;
const DONE = 4;
const FIRST_VECTOR = 5;

function leb(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return bytes;
}

const get = (local: number): number[] => [0x20, ...leb(local)];
const set = (local: number): number[] => [0x21, ...leb(local)];
const constant = (value: number): number[] => [0x41, ...leb(value)];
const ADD = 0x6a;
const MULTIPLY = 0x6c;

class Kernel {
  readonly code: number[] = [];
  private vectors = 0;

  vector(): number {
    return FIRST_VECTOR + this.vectors++;
  }

  mix(a: number, b: number, lanes: readonly number[]): number {
    const result = this.vector();
    this.code.push(...get(a), ...get(b), 0xfd, 0x0d, ...lanes, ...set(result));
    return result;
  }

  load(address: readonly number[], offsetBytes: number): number {
    const result = this.vector();
    this.code.push(...address, 0xfd, 0x00, 0x00, ...leb(offsetBytes), ...set(result));
    return result;
  }

  store(address: readonly number[], offsetBytes: number, vector: number): void {
    this.code.push(...address, ...get(vector), 0xfd, 0x0b, 0x00, ...leb(offsetBytes));
  }

  deinterleave(vectors: readonly number[]): number[] {
    if (vectors.length === 1) return [...vectors];
    const evens: number[] = [];
    const odds: number[] = [];
    for (let index = 0; index < vectors.length; index += 2) {
      const [a = 0, b = 0] = vectors.slice(index, index + 2);
      evens.push(this.mix(a, b, EVENS));
      odds.push(this.mix(a, b, ODDS));
    }
    const even = this.deinterleave(evens);
    const odd = this.deinterleave(odds);
    return even.flatMap((vector, index) => [vector, odd[index] ?? 0]);
  }

  interleave(planes: readonly number[]): number[] {
    if (planes.length === 1) return [...planes];
    const even = this.interleave(planes.filter((_, index) => index % 2 === 0));
    const odd = this.interleave(planes.filter((_, index) => index % 2 === 1));
    return even.flatMap((vector, index) => [
      this.mix(vector, odd[index] ?? 0, ZIP_LOW),
      this.mix(vector, odd[index] ?? 0, ZIP_HIGH),
    ]);
  }

  /** The function body: the collected code repeated for every 16 elements. */
  body(): number[] {
    const loop = [
      ...[0x02, 0x40, 0x03, 0x40], // block, loop
      ...[...get(DONE), ...get(COUNT), 0x4f, 0x0d, 0x01], // br_if 1 (done >= count, unsigned)
      ...this.code,
      ...[...get(DONE), ...constant(16), ADD, ...set(DONE)],
      ...[0x0c, 0x00, 0x0b, 0x0b], // br 0, end, end
    ];
    const locals = [0x02, 0x01, I32, ...leb(this.vectors), V128];
    const bytes = [...locals, ...loop, 0x0b];
    return [...leb(bytes.length), ...bytes];
  }
}

const planeAddress = (base: number, plane: number): number[] => [
  ...[...get(base), ...get(DONE), ADD],
  ...[...get(PLANE_STRIDE), ...constant(plane), MULTIPLY, ADD],
];
const elementAddress = (base: number, typeSizeBytes: number): number[] => [
  ...[...get(base), ...get(DONE), ...constant(typeSizeBytes), MULTIPLY, ADD],
];

function shuffleBody(typeSizeBytes: number): number[] {
  const kernel = new Kernel();
  const vectors = Array.from({ length: typeSizeBytes }, (_, index) =>
    kernel.load(elementAddress(SOURCE, typeSizeBytes), 16 * index),
  );
  kernel.deinterleave(vectors).forEach((vector, plane) => {
    kernel.store(planeAddress(TARGET, plane), 0, vector);
  });
  return kernel.body();
}

function unshuffleBody(typeSizeBytes: number): number[] {
  const kernel = new Kernel();
  const planes = Array.from({ length: typeSizeBytes }, (_, plane) =>
    kernel.load(planeAddress(SOURCE, plane), 0),
  );
  kernel.interleave(planes).forEach((vector, index) => {
    kernel.store(elementAddress(TARGET, typeSizeBytes), 16 * index, vector);
  });
  return kernel.body();
}

const section = (id: number, bytes: readonly number[]): number[] => [id, ...leb(bytes.length), ...bytes];
const text = (value: string): number[] => [...leb(value.length), ...Buffer.from(value)];

const TYPE_SIZES = [2, 4, 8] as const;
type ShuffledTypeSize = (typeof TYPE_SIZES)[number];
const PAGE_BYTES = 65_536;

/** Bytes of one shuffled block at most: source and target lie side by side in the kernel's memory. */
export const MAX_BLOCK_BYTES = 262_144;

type KernelFunction = (source: number, target: number, count: number, planeStride: number) => void;

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const names = TYPE_SIZES.flatMap((size) => [`shuffle${size}`, `unshuffle${size}`]);
  const bodies = TYPE_SIZES.flatMap((size) => [...shuffleBody(size), ...unshuffleBody(size)]);
  const pages = (2 * MAX_BLOCK_BYTES) / PAGE_BYTES;
  const exported = [
    ...leb(names.length + 1),
    ...[...text('memory'), 0x02, 0x00],
    ...names.flatMap((name, index) => [...text(name), 0x00, ...leb(index)]),
  ];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [0x01, 0x60, 0x04, I32, I32, I32, I32, 0x00]),
    ...section(3, [...leb(names.length), ...names.map(() => 0x00)]),
    ...section(5, [0x01, 0x00, ...leb(pages)]),
    ...section(7, exported),
    ...section(10, [...leb(names.length), ...bodies]),
  ]);
}

/** Elements `first … count`, one by one. */
function unshuffleElements(
  block: Uint8Array,
  typeSizeBytes: number,
  count: number,
  first: number,
  output: Uint8Array,
): void {
  for (let byte = 0; byte < typeSizeBytes; byte++) {
    const plane = byte * count;
    for (let element = first; element < count; element++) {
      output[element * typeSizeBytes + byte] = block[plane + element] ?? 0;
    }
  }
}

/** The kernels of one thread. */
export class ByteShuffle {
  private readonly memory: Buffer;
  private readonly functions: Map<string, KernelFunction>;

  constructor() {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()));
    const { memory } = instance.exports;
    if (!(memory instanceof WebAssembly.Memory)) throw new TypeError('shuffle kernel has no memory');
    this.memory = Buffer.from(memory.buffer);
    this.functions = new Map(
      Object.entries(instance.exports).filter(
        (entry): entry is [string, KernelFunction] => typeof entry[1] === 'function',
      ),
    );
  }

  /**
   * Shuffles one block of at most {@link MAX_BLOCK_BYTES}. The result is a view of the kernel's memory, valid
   * until the next call.
   */
  shuffle(block: Uint8Array, typeSizeBytes: number): Buffer {
    const target = this.memory.subarray(MAX_BLOCK_BYTES, MAX_BLOCK_BYTES + block.length);
    const kernel = this.kernel('shuffle', typeSizeBytes);
    const count = Math.floor(block.length / typeSizeBytes);
    const fast = kernel ? count - (count % 16) : 0;
    this.memory.set(block, 0);
    kernel?.(0, MAX_BLOCK_BYTES, fast, count);
    for (let element = fast; element < count; element++) {
      for (let byte = 0; byte < typeSizeBytes; byte++) {
        target[byte * count + element] = block[element * typeSizeBytes + byte] ?? 0;
      }
    }
    target.set(block.subarray(count * typeSizeBytes), count * typeSizeBytes);
    return target;
  }

  /** Where the next block for {@link unshuffle} is to be put, so that it needs no copy. */
  input(sizeBytes: number): Buffer {
    return this.memory.subarray(0, sizeBytes);
  }

  /** Inverse of {@link shuffle} on the block that was put into {@link input}. */
  unshuffle(sizeBytes: number, typeSizeBytes: number, output: Uint8Array): void {
    const block = this.memory.subarray(0, sizeBytes);
    const kernel = this.kernel('unshuffle', typeSizeBytes);
    const count = Math.floor(sizeBytes / typeSizeBytes);
    const fast = kernel ? count - (count % 16) : 0;
    kernel?.(0, MAX_BLOCK_BYTES, fast, count);
    output.set(this.memory.subarray(MAX_BLOCK_BYTES, MAX_BLOCK_BYTES + fast * typeSizeBytes), 0);
    unshuffleElements(block, typeSizeBytes, count, fast, output);
    output.set(block.subarray(count * typeSizeBytes), count * typeSizeBytes);
  }

  /** Inverse of {@link shuffle} on a block of any size, which stays as it is. */
  unshuffleFrom(block: Uint8Array, typeSizeBytes: number, output: Uint8Array): void {
    if (block.length <= MAX_BLOCK_BYTES) {
      this.memory.set(block, 0);
      this.unshuffle(block.length, typeSizeBytes, output);
      return;
    }
    const count = Math.floor(block.length / typeSizeBytes);
    const kernel = this.kernel('unshuffle', typeSizeBytes);
    // The kernel's memory holds so many elements at a time.
    const step = MAX_BLOCK_BYTES / typeSizeBytes;
    let done = 0;
    for (; kernel && count - done >= 16; ) {
      const piece = Math.min(step, count - done);
      const elements = piece - (piece % 16);
      for (let byte = 0; byte < typeSizeBytes; byte++) {
        const start = byte * count + done;
        this.memory.set(block.subarray(start, start + elements), byte * elements);
      }
      kernel(0, MAX_BLOCK_BYTES, elements, elements);
      const end = MAX_BLOCK_BYTES + elements * typeSizeBytes;
      output.set(this.memory.subarray(MAX_BLOCK_BYTES, end), done * typeSizeBytes);
      done += elements;
    }
    unshuffleElements(block, typeSizeBytes, count, done, output);
    output.set(block.subarray(count * typeSizeBytes), count * typeSizeBytes);
  }

  private kernel(name: 'shuffle' | 'unshuffle', typeSizeBytes: number): KernelFunction | undefined {
    const known: ShuffledTypeSize | undefined = TYPE_SIZES.find((size) => size === typeSizeBytes);
    return known === undefined ? undefined : this.functions.get(`${name}${known}`);
  }
}

let kernels: ByteShuffle | undefined;
/** This thread's kernels, made when first asked for. */
export function byteShuffle(): ByteShuffle {
  kernels ??= new ByteShuffle();
  return kernels;
}
