import { BLOSC_BLOCK_WASM } from './blosc-block.generated.ts';

const PAGE_BYTES = 65_536;
/** What the kernels may write past the end of an area. */
const SLACK_BYTES = 64;
/** Above AssemblyScript's own bottom of the memory. */
const TABLE_AT = 1024;
const TABLE_BYTES = 16_384;
const BLOCK_AT = TABLE_AT + TABLE_BYTES + SLACK_BYTES;
/** A WebAssembly memory can't be made smaller: one that grew past this is dropped by {@link BlockKernels.trim}. */
const KEEP_BYTES = 64 * 1024 * 1024;

type Kernel = (...parameters: number[]) => number;

let compiled: WebAssembly.Module | undefined;

const areaBytes = (sizeBytes: number): number => Math.ceil(sizeBytes / SLACK_BYTES + 1) * SLACK_BYTES;

/**
 * The kernels of one thread: byte shuffle and LZ4 of one Blosc block after the other, in WebAssembly. Their memory
 * holds a block, the same shuffled, the same decoded again, and the packed bytes.
 */
export class BlockKernels {
  #memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
  #bytes = Buffer.from(this.#memory.buffer);
  #kernels = this.#instantiate();
  #shuffledAt = 0;
  #decodedAt = 0;
  #packedAt = 0;

  /**
   * Makes room for blocks of `blockBytes`, and returns where their packed bytes are to lie, which is valid until the
   * next call. @throws RangeError when the machine has no room.
   */
  reserve(blockBytes: number, packedBytes: number): Buffer {
    this.#shuffledAt = BLOCK_AT + areaBytes(blockBytes);
    this.#decodedAt = this.#shuffledAt + areaBytes(blockBytes);
    this.#packedAt = this.#decodedAt + areaBytes(blockBytes);
    const missingBytes = this.#packedAt + areaBytes(packedBytes) - this.#bytes.length;
    if (missingBytes > 0) {
      this.#memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
      this.#bytes = Buffer.from(this.#memory.buffer);
    }
    return this.#bytes.subarray(this.#packedAt, this.#packedAt + packedBytes);
  }

  /**
   * Packs a block to `position` of the packed bytes, where it takes at most its size and 4 bytes per stream, decodes
   * it again and compares.
   * @returns the bytes written, undefined when they don't decode to the block.
   */
  pack(block: Uint8Array, typeSizeBytes: number, streams: number, position: number): number | undefined {
    const { packBlock, unpackBlock, isEqual } = this.#kernels;
    const shuffledAt = this.#shuffledAt;
    const decodedAt = this.#decodedAt;
    const at = this.#packedAt + position;
    const sizeBytes = block.length;
    this.#bytes.set(block, BLOCK_AT);
    const written = packBlock(BLOCK_AT, sizeBytes, typeSizeBytes, streams, shuffledAt, TABLE_AT, at);
    const isGood =
      unpackBlock(at, written, typeSizeBytes, streams, shuffledAt, decodedAt, sizeBytes) === 1 &&
      isEqual(BLOCK_AT, decodedAt, sizeBytes) === 1;
    return isGood ? written : undefined;
  }

  /** Decodes the block whose packed bytes are `packed` into `target`; false when it is damaged. */
  unpack(packed: Uint8Array, typeSizeBytes: number, streams: number, target: Uint8Array): boolean {
    const { unpackBlock } = this.#kernels;
    const shuffledAt = this.#shuffledAt;
    this.#bytes.set(packed, this.#packedAt);
    const sizeBytes = target.length;
    const packedAt = this.#packedAt;
    if (unpackBlock(packedAt, packed.length, typeSizeBytes, streams, shuffledAt, BLOCK_AT, sizeBytes) !== 1)
      return false;
    target.set(this.#bytes.subarray(BLOCK_AT, BLOCK_AT + sizeBytes));
    return true;
  }

  /** Gives memory back that an unusually large chunk needed. What {@link reserve} returned is void. */
  trim(): void {
    if (this.#bytes.length <= KEEP_BYTES) return;
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
    this.#bytes = Buffer.from(this.#memory.buffer);
    this.#kernels = this.#instantiate();
  }

  #instantiate(): Readonly<Record<'packBlock' | 'unpackBlock' | 'isEqual', Kernel>> {
    compiled ??= new WebAssembly.Module(Buffer.from(BLOSC_BLOCK_WASM, 'base64'));
    const { exports } = new WebAssembly.Instance(compiled, { env: { memory: this.#memory } });
    const kernel = (name: string): Kernel => {
      const exported = exports[name];
      if (typeof exported !== 'function') throw new TypeError(`the kernel ${name} is missing`);
      return exported as Kernel;
    };
    return { packBlock: kernel('packBlock'), unpackBlock: kernel('unpackBlock'), isEqual: kernel('isEqual') };
  }
}
