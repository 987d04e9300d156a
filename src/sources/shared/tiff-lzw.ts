import { TIFF_LZW_WASM } from './tiff-lzw.generated.ts';

const PAGE_BYTES = 65_536;
/** More than the longest string has: it grows by a byte per entry of a table of 4096. */
const STRING_BYTES = 4096;
/** The kernel reads and writes whole vectors. */
const SLACK_BYTES = 64;
const STORED_BYTES = 128 * 1024;
const OUTPUT_BYTES = 512 * 1024;
/** From here on the end of a table is a good place to stop: what was written is still in the CPU's cache then. */
const REST_BYTES = 128 * 1024;

/** Above what AssemblyScript keeps from 1024 on. */
const TABLE_AT = 2048;
/** The table has one entry more than there are codes: it is full only then. */
const LITERALS_AT = TABLE_AT + 4104 * 8;
const STORED_AT = LITERALS_AT + 256 + SLACK_BYTES;
const OUTPUT_AT = STORED_AT + STORED_BYTES + SLACK_BYTES + STRING_BYTES;
const KEPT_AT = OUTPUT_AT + OUTPUT_BYTES + STRING_BYTES + SLACK_BYTES;

const STARVED = 1;
const ENDED = 2;
const IMPOSSIBLE = 3;

type KernelName = 'place' | 'begin' | 'outputEnd' | 'dropUsedBytes' | 'reuseEnd' | 'reuse' | 'decode';
type Kernel = Readonly<Record<KernelName, (...parameters: number[]) => number>>;

/**
 * This thread's decoder in WebAssembly. Stored bytes and output pass through its memory in parts: whatever the size of
 * a strip, this is less than a MiB, and 8 MiB for a strip whose table holds strings of thousands of bytes.
 */
class LzwDecoder {
  readonly #memory = new WebAssembly.Memory({ initial: Math.ceil(KEPT_AT / PAGE_BYTES) });
  readonly #kernel: Kernel;
  #bytes = new Uint8Array(this.#memory.buffer);

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(TIFF_LZW_WASM, 'base64'));
    const instance = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.#kernel = instance.exports as unknown as Kernel;
    this.#kernel.place(TABLE_AT, LITERALS_AT, OUTPUT_AT, KEPT_AT);
  }

  /** As {@link decodeLzw}. */
  decode(source: Uint8Array, target: Uint8Array): number {
    const kernel = this.#kernel;
    kernel.begin();
    let takenBytes = this.#take(source, 0);
    let storedBytes = takenBytes;
    let filledBytes = 0;
    while (filledBytes < target.length) {
      const leftBytes = target.length - filledBytes;
      const limit = OUTPUT_AT + Math.min(OUTPUT_BYTES, leftBytes);
      const why = kernel.decode(STORED_AT, storedBytes, OUTPUT_AT + REST_BYTES, limit);
      if (why === IMPOSSIBLE) return -1;
      if (why === STARVED && takenBytes < source.length) {
        const from = takenBytes - storedBytes + kernel.dropUsedBytes();
        storedBytes = this.#take(source, from);
        takenBytes = from + storedBytes;
        continue;
      }
      const madeBytes = Math.min(leftBytes, kernel.outputEnd() - OUTPUT_AT);
      target.set(this.#bytes.subarray(OUTPUT_AT, OUTPUT_AT + madeBytes), filledBytes);
      filledBytes += madeBytes;
      if (why === STARVED || why === ENDED) break;
      this.#grow(kernel.reuseEnd() + SLACK_BYTES);
      kernel.reuse();
    }
    return filledBytes;
  }

  /** @returns how many bytes from there on are now the stored ones. */
  #take(source: Uint8Array, from: number): number {
    const part = source.subarray(from, from + STORED_BYTES);
    this.#bytes.set(part, STORED_AT);
    return part.length;
  }

  #grow(sizeBytes: number): void {
    const missingBytes = sizeBytes - this.#bytes.length;
    if (missingBytes <= 0) return;
    this.#memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
    this.#bytes = new Uint8Array(this.#memory.buffer);
  }
}

let decoder: LzwDecoder | undefined;

/**
 * TIFF's LZW (TIFF 6.0 section 13: most significant bit first, codes widen one entry early).
 * @returns bytes written, fewer than `target` holds when the stream ends early; -1 for a code that can't be.
 */
export function decodeLzw(source: Uint8Array, target: Uint8Array): number {
  decoder ??= new LzwDecoder();
  return decoder.decode(source, target);
}
