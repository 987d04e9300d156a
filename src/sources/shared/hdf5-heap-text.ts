import { BadHdf5Error } from '../../core/errors.ts';
import { elementCount } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import { ByteLru } from './byte-lru.ts';
import { type Hdf5Bytes, Hdf5Cursor, NotUnderstood } from './hdf5-bytes.ts';
import { ChunkReader } from './hdf5-chunk-reader.ts';
import type { Hdf5Dataset } from './hdf5-dataset.ts';
import { TYPE_CLASS } from './hdf5-element.ts';
import type { LibraryType } from './hdf5-library.ts';

/** Collections of texts that are kept of one dataset; most have 4 KiB. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** Length and number of a text, beside the address of its collection. */
const LENGTH_BYTES = 4;
const NUMBER_BYTES = 4;
const ALIGNMENT_BYTES = 8;
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

type Collection = ReadonlyMap<number, Uint8Array>;

const isHeapText = ({ type, vlen }: LibraryType): boolean => vlen && type === TYPE_CLASS.text;

/** How many texts of varying length an element is made of; undefined where anything else is in it. */
export function heapFields(type: LibraryType): number | undefined {
  if (isHeapText(type)) return 1;
  const members = type.compound_type?.members;
  return members?.every(isHeapText) ? members.length : undefined;
}

/** The objects of a collection of the global heap by their numbers (HDF5 File Format Specification 3.0, III.E). */
function readCollection(file: Hdf5Bytes, address: number): Collection {
  const headBytes = 8 + file.lengthBytes;
  const head = file.block(address, headBytes);
  head.expect('GCOL');
  if (head.u8() !== 1) throw new NotUnderstood('a collection of a later version');
  head.skip(3);
  const sizeBytes = head.length();
  if (sizeBytes < headBytes) throw new NotUnderstood('a collection without objects');
  const cursor = file.block(address, sizeBytes);
  cursor.skip(headBytes);
  const objects = new Map<number, Uint8Array>();
  while (cursor.left >= headBytes) {
    const number = cursor.u16();
    cursor.skip(6);
    const length = cursor.length();
    // Number 0 is the free space at the end.
    if (number === 0) break;
    objects.set(number, cursor.slice(length));
    cursor.skip(Math.min(cursor.left, (ALIGNMENT_BYTES - (length % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES));
  }
  return objects;
}

/**
 * Texts of varying length, or records of nothing else, read without the HDF5 library: chunks hold the length, collection and number of each (HDF5
 * File Format Specification 3.0, IV.B, variable-length data).
 */
export class HeapTexts {
  readonly #file: Hdf5Bytes;
  readonly #dataset: Hdf5Dataset;
  readonly #chunks: ChunkReader;
  readonly #fields: number;
  readonly #elementBytes: number;
  readonly #collections = new ByteLru<Collection>(KEPT_BYTES);

  /** @throws NotUnderstood when the library has to read this dataset; BadHdf5Error, UnreadableSourceError */
  constructor(dataset: Hdf5Dataset) {
    const { storage, file, shape, innerRank, base } = dataset;
    if (storage?.layout.kind !== 'chunked' || file.bytes === undefined)
      throw new NotUnderstood('texts that lie elsewhere');
    const fields = heapFields(base);
    if (fields === undefined || innerRank > 0) throw new NotUnderstood('no plain texts');
    this.#file = file.bytes;
    this.#dataset = dataset;
    this.#fields = fields;
    this.#elementBytes = fields * (LENGTH_BYTES + file.bytes.offsetBytes + NUMBER_BYTES);
    if (storage.layout.elementBytes !== this.#elementBytes)
      throw new NotUnderstood(`elements of ${storage.layout.elementBytes} bytes`);
    // Read as bytes, which are one more axis.
    const asBytes = { ...dataset, shape: [...shape, this.#elementBytes], innerRank: 1 };
    this.#chunks = new ChunkReader(file.bytes, asBytes, storage, storage.layout, 1);
  }

  /** The texts of a region, which lies inside, in C order, those of one element together. @throws BadHdf5Error, UnreadableSourceError */
  read({ start, shape }: Region): string[] {
    const count = elementCount(shape);
    const places = Buffer.alloc(count * this.#elementBytes);
    try {
      if (count > 0)
        this.#chunks.read({ start: [...start, 0], shape: [...shape, this.#elementBytes] }, places);
      const cursor = new Hdf5Cursor(places, this.#file);
      return Array.from({ length: count * this.#fields }, () => this.#text(cursor));
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
      throw this.#bad(error.message);
    }
  }

  #text(cursor: Hdf5Cursor): string {
    const lengthBytes = cursor.u32();
    const address = cursor.address();
    const number = cursor.u32();
    if (lengthBytes === 0) return '';
    const collection = this.#collections.getOrMake(
      String(address),
      (objects) => [...objects.values()].reduce((sum, { length }) => sum + length, 0),
      () => readCollection(this.#file, address),
    );
    const bytes = collection.get(number);
    if (bytes === undefined || bytes.length < lengthBytes)
      throw this.#bad(`no text ${number} of ${lengthBytes} bytes in the collection at ${address}`);
    const text = bytes.subarray(0, lengthBytes);
    const nul = text.indexOf(0);
    return UTF8.decode(nul < 0 ? text : text.subarray(0, nul));
  }

  #bad(detail: string): BadHdf5Error {
    return new BadHdf5Error(this.#dataset.file.path, `${this.#dataset.at}: ${detail}`);
  }
}
