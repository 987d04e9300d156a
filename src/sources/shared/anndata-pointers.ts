import type { Dtype } from '../../core/nd-array.ts';
import { unsupported } from './anndata-column.ts';
import { badElement, type Indices, numberArray, readIndices } from './anndata-values.ts';
import type { ByteLru } from './byte-lru.ts';
import type { Hierarchy, NodePath } from './hierarchy.ts';

/** Pointers read at once. */
const BLOCK = 65_536;
/** Rows (columns) of a matrix: all pointers are looked at before the first is believed. */
const MAX_MAJORS = 2 ** 29;

/**
 * Where each row (or column) of a compressed matrix begins in its entries: `indptr`, one more than there are rows.
 * Read in blocks; checked as a whole, once, before the first is believed.
 */
export class Pointers {
  readonly #tree: Hierarchy;
  readonly #path: NodePath;
  readonly #dtype: Dtype;
  readonly #kept: ByteLru<unknown>;
  readonly #majorCount: number;
  readonly #entryCount: number;
  #isChecked = false;
  /** The block looked at last: neighbours are asked for one after the other. */
  #last: { block: number; pointers: Indices } | undefined;

  /** @throws BadMetadataError when there are not as many as rows and one. */
  constructor(
    tree: Hierarchy,
    path: NodePath,
    kept: ByteLru<unknown>,
    { majorCount, entryCount }: { readonly majorCount: number; readonly entryCount: number },
  ) {
    const { shape, dtype } = numberArray(tree, path);
    if (shape.length !== 1 || shape[0] !== majorCount + 1)
      throw badElement(tree, path, `has shape [${shape}], not [${majorCount + 1}]`);
    if (majorCount > MAX_MAJORS)
      throw unsupported(tree, path, `pointers of ${majorCount} lines, more than ${MAX_MAJORS}`);
    this.#tree = tree;
    this.#path = path;
    this.#dtype = dtype;
    this.#kept = kept;
    this.#majorCount = majorCount;
    this.#entryCount = entryCount;
  }

  /** Pointer `index`, 0 … majorCount. @throws BadMetadataError when they don't grow from 0 to the entries' number. */
  at(index: number): number {
    if (!this.#isChecked) this.#check();
    const block = Math.floor(index / BLOCK);
    if (this.#last?.block !== block) this.#last = { block, pointers: this.#block(block) };
    return this.#last.pointers[index % BLOCK] ?? 0;
  }

  /** The row that entry `entry` belongs to. */
  majorOf(entry: number): number {
    let low = 0;
    let high = this.#majorCount;
    while (low + 1 < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.at(middle) <= entry) low = middle;
      else high = middle;
    }
    return low;
  }

  #read(block: number): Indices {
    const first = block * BLOCK;
    const count = Math.min(BLOCK, this.#majorCount + 1 - first);
    return readIndices(this.#tree, this.#path, this.#dtype, { first, count, end: this.#entryCount + 1 });
  }

  #block(block: number): Indices {
    return this.#kept.getOrMake(
      `pointers ${this.#path} ${block}`,
      (pointers) => (pointers as Indices).byteLength,
      () => this.#read(block),
    ) as Indices;
  }

  #check(): void {
    let last = 0;
    for (let block = 0; block * BLOCK <= this.#majorCount; block += 1) {
      const pointers = this.#read(block);
      if (block === 0 && pointers[0] !== 0)
        throw badElement(this.#tree, this.#path, `element 0 is ${pointers[0]}, not 0`);
      for (const [at, pointer] of pointers.entries()) {
        if (pointer < last)
          throw badElement(
            this.#tree,
            this.#path,
            `element ${block * BLOCK + at} is ${pointer}, less than ${last} before it`,
          );
        last = pointer;
      }
    }
    if (last !== this.#entryCount)
      throw badElement(this.#tree, this.#path, `ends at ${last}, but there are ${this.#entryCount} entries`);
    this.#isChecked = true;
  }
}
