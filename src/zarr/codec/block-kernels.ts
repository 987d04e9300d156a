import { BLOSC_BLOCK_WASM } from './blosc-block.generated.ts';

const PAGE_BYTES = 65_536;
/** What the kernels may write past the end of an area. */
const SLACK_BYTES = 64;
/** Above what AssemblyScript keeps from 1024 on: the lanes of `lz4-block.part.as.ts`. */
const TABLE_AT = 2048;
const TABLE_BYTES = 16_384;
const BLOCK_AT = TABLE_AT + TABLE_BYTES + SLACK_BYTES;
/** A WebAssembly memory can't be made smaller: one that grew past this is dropped by {@link BlockKernels.trim}. */
const KEEP_BYTES = 64 * 1024 * 1024;

type Kernel = (...parameters: number[]) => number;
type KernelName = 'packBlock' | 'unpackBlock' | 'isEqual' | 'expand' | 'unshuffle';

let compiled: WebAssembly.Module | undefined;

const areaBytes = (sizeBytes: number): number => Math.ceil(sizeBytes / SLACK_BYTES + 1) * SLACK_BYTES;

/**
 * The kernels of one thread: byte shuffle and LZ4 of one Blosc block after the other, in WebAssembly. Their memory
 * holds a block, the same shuffled, the packed bytes, and when packing the block decoded again.
 */
class BlockKernels {
  #memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
  #bytes = Buffer.from(this.#memory.buffer);
  #kernels = this.#instantiate();
  #shuffledAt = 0;
  #decodedAt = 0;
  #packedAt = 0;

  /**
   * Makes room to {@link pack} blocks of `blockBytes`, and returns where their packed bytes are to lie, which is
   * valid until the next call that makes room. @throws RangeError when the machine has no room.
   */
  reservePacked(blockBytes: number, packedBytes: number): Buffer {
    this.#shuffledAt = BLOCK_AT + areaBytes(blockBytes);
    this.#decodedAt = this.#shuffledAt + areaBytes(blockBytes);
    this.#packedAt = this.#decodedAt + areaBytes(blockBytes);
    this.#grow(this.#packedAt + areaBytes(packedBytes));
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

  /**
   * Makes room for a shuffled block of `blockBytes`, for streams of at most `streamBytes` to {@link expand} into it,
   * and for what {@link unshuffle} makes of it when `isUnshuffled`. Returns where the block is to lie, which is
   * valid until the next call that makes room.
   * @throws RangeError when the machine has no room.
   */
  reserveShuffled(blockBytes: number, streamBytes: number, isUnshuffled: boolean): Buffer {
    this.#shuffledAt = BLOCK_AT;
    this.#packedAt = this.#shuffledAt + areaBytes(blockBytes);
    this.#decodedAt = this.#packedAt + areaBytes(streamBytes);
    this.#grow(this.#decodedAt + (isUnshuffled ? areaBytes(blockBytes) : 0));
    return this.#bytes.subarray(this.#shuffledAt, this.#shuffledAt + blockBytes);
  }

  /**
   * Expands a raw LZ4 block to bytes `from … from + sizeBytes` of the shuffled block; what follows them is undefined
   * then. @returns false when the LZ4 block is damaged or does not fill them exactly.
   */
  expand(stream: Uint8Array, from: number, sizeBytes: number): boolean {
    this.#bytes.set(stream, this.#packedAt);
    return this.#kernels.expand(this.#packedAt, stream.length, this.#shuffledAt + from, sizeBytes) === 1;
  }

  /** Undoes the byte shuffle of the shuffled block, which is as long as `target`. */
  unshuffle(typeSizeBytes: number, target: Uint8Array): void {
    const sizeBytes = target.length;
    this.#kernels.unshuffle(this.#shuffledAt, this.#decodedAt, sizeBytes, typeSizeBytes);
    target.set(this.#bytes.subarray(this.#decodedAt, this.#decodedAt + sizeBytes));
  }

  /** Gives memory back that an unusually large block needed. What the calls that make room returned is void. */
  trim(): void {
    if (this.#bytes.length <= KEEP_BYTES) return;
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
    this.#bytes = Buffer.from(this.#memory.buffer);
    this.#kernels = this.#instantiate();
  }

  #grow(sizeBytes: number): void {
    const missingBytes = sizeBytes - this.#bytes.length;
    if (missingBytes <= 0) return;
    this.#memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
    this.#bytes = Buffer.from(this.#memory.buffer);
  }

  #instantiate(): Readonly<Record<KernelName, Kernel>> {
    compiled ??= new WebAssembly.Module(Buffer.from(BLOSC_BLOCK_WASM, 'base64'));
    const { exports } = new WebAssembly.Instance(compiled, { env: { memory: this.#memory } });
    const kernel = (name: KernelName): Kernel => {
      const exported = exports[name];
      if (typeof exported !== 'function') throw new TypeError(`the kernel ${name} is missing`);
      return exported as Kernel;
    };
    return {
      packBlock: kernel('packBlock'),
      unpackBlock: kernel('unpackBlock'),
      isEqual: kernel('isEqual'),
      expand: kernel('expand'),
      unshuffle: kernel('unshuffle'),
    };
  }
}

let kernels: BlockKernels | undefined;
/** This thread's kernels, made when first asked for. */
export function blockKernels(): BlockKernels {
  kernels ??= new BlockKernels();
  return kernels;
}
