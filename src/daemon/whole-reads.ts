import { LRUCache } from 'lru-cache';

export interface WholeReadsParts {
  /** Size of a file that may be kept as it is read; undefined for every other. */
  readonly sizeOf: (node: number) => number | undefined;
  readonly limitBytes: number;
  /** Told once, until the file is read from its beginning again. */
  readonly onWhole: (node: number) => void;
}

/** What was asked for of one file, block by block. */
interface Asked {
  readonly blocks: Uint8Array;
  left: number;
}

/** As much as the kernel reads ahead at least. */
const BLOCK_BYTES = 128 * 1024;
/** Of smaller files the way to open them costs more than their bytes do. */
const MIN_FILE_BYTES = 1024 * 1024;
const MAX_FILES = 256;
/** The rest may be what a program skips: a footer, planes at the end. */
const WHOLE_SHARE = 0.95;

/** Sees which rendered files are read whole, by one program or by several together. */
export class WholeReads {
  readonly #parts: WholeReadsParts;
  /** `null` for files that are not to be looked at. */
  readonly #asked = new LRUCache<number, Asked | { readonly isOut: true }>({ max: MAX_FILES });

  constructor(parts: WholeReadsParts) {
    this.#parts = parts;
  }

  noted(node: number, offsetBytes: number, sizeBytes: number): void {
    const asked = this.#asked.get(node) ?? this.#begin(node);
    if ('isOut' in asked || sizeBytes <= 0) return;
    const { blocks } = asked;
    const end = Math.min(blocks.length, Math.ceil((offsetBytes + sizeBytes) / BLOCK_BYTES));
    for (let block = Math.floor(offsetBytes / BLOCK_BYTES); block < end; block++) {
      if (blocks[block] !== 0) continue;
      blocks[block] = 1;
      asked.left--;
    }
    if (asked.left > 0) return;
    this.#asked.delete(node);
    this.#parts.onWhole(node);
  }

  #begin(node: number): Asked | { readonly isOut: true } {
    const sizeBytes = this.#parts.sizeOf(node) ?? 0;
    const count = Math.ceil(sizeBytes / BLOCK_BYTES);
    const begun =
      sizeBytes < MIN_FILE_BYTES || sizeBytes > this.#parts.limitBytes
        ? ({ isOut: true } as const)
        : { blocks: new Uint8Array(count), left: Math.ceil(count * WHOLE_SHARE) };
    this.#asked.set(node, begun);
    return begun;
  }

  /** Nodes may stand for other files. */
  clear(): void {
    this.#asked.clear();
  }
}
