import { dirname } from 'node:path';
import { BadZarrError, UnreadableSourceError, UnsupportedZarrError } from '../../core/errors.ts';
import { elementCount } from '../../core/nd-array.ts';
import { isInside, type Region } from '../../core/region.ts';
import { type ArrayMetadata, parseArrayMetadata } from '../../zarr/array-metadata.ts';
import { contiguousStrides } from '../../zarr/box.ts';
import { parseChunkLayout } from '../../zarr/chunk-layout.ts';
import type { ElementType as ZarrElement } from '../../zarr/element.ts';
import { shown } from '../../zarr/json.ts';
import { joinKey, type ZarrNode, ZarrNodes } from '../../zarr/node.ts';
import { forEachChunk } from '../../zarr/read-chunk.ts';
import { chunksInStore, type ZarrStore } from '../../zarr/store.ts';
import { readTextBox } from '../../zarr/text-chunk.ts';
import type {
  ArrayFacts,
  Attributes,
  ChildList,
  ChildNode,
  CompoundValue,
  ElementType,
  Hierarchy,
} from './hierarchy.ts';
import { compoundValues, fixedTexts } from './zarr-element-values.ts';
import { ZarrLayout } from './zarr-planes.ts';
import { storeAt } from './zarr-store-at.ts';

/** Texts of one read: they are in memory all at once. */
const MAX_TEXTS = 2 ** 24;
/** Arrays whose metadata is remembered. */
const MAX_KNOWN_ARRAYS = 4096;

/** Opens a store as groups and arrays. Links out of `root` aren't followed. @throws UnreadableSourceError */
export function openZarrHierarchy(path: string, root: string = dirname(path)): ZarrHierarchy {
  return new ZarrHierarchy(storeAt(path, root));
}

/** A Zarr store as groups, arrays and attributes. */
export class ZarrHierarchy implements Hierarchy {
  readonly format = 'zarr';
  readonly file: string;
  readonly nodes: ZarrNodes;
  readonly #store: ZarrStore;
  readonly #arrays = new Map<string, ArrayMetadata>();

  /** Takes over `store`. */
  constructor(store: ZarrStore) {
    this.#store = store;
    this.file = store.location;
    this.nodes = new ZarrNodes(store);
  }

  kindOf(path: string): 'group' | 'array' | undefined {
    return this.nodes.node(path)?.kind;
  }

  children(path: string, limit: number): ChildList {
    if (this.#node(path).kind !== 'group') throw this.#none(path, 'is no group');
    const children: ChildNode[] = [];
    for (const name of this.nodes.children(path)) {
      const kind = this.#kindOfChild(joinKey(path, name));
      if (kind === undefined) continue;
      if (children.length === limit) return { children, isCut: true };
      children.push({ name, kind });
    }
    return { children, isCut: this.nodes.listing(path)?.isCut === true };
  }

  /** One damaged node must not hide its neighbours: it counts as an array, and whoever reads it is told. */
  #kindOfChild(path: string): 'group' | 'array' | undefined {
    try {
      return this.kindOf(path);
    } catch (error) {
      if (error instanceof BadZarrError) return 'array';
      throw error;
    }
  }

  attributes(path: string): Attributes {
    // A JSON document holds nothing but such values.
    return this.#node(path).attributes as Attributes;
  }

  arrayFacts(path: string): ArrayFacts {
    try {
      const { shape, chunkShape, element } = this.metadata(path);
      return { shape, chunkShape, type: typeOf(element) };
    } catch (error) {
      if (!(error instanceof UnsupportedZarrError)) throw error;
      const { document, documentPath } = this.#node(path);
      const { shape, chunkShape } = parseChunkLayout(document, documentPath);
      const name = shown(document['dtype'] ?? document['data_type']);
      return { shape, chunkShape, type: { kind: 'other', name }, unreadable: error.message };
    }
  }

  readRegion(path: string, region: Region, target: Uint8Array): void {
    const layout = this.layout(path);
    const { element, shape } = layout.metadata;
    if (element.lanes !== 1 || element.kind === 'compound')
      throw new RangeError(`${layout.metadata.path} is no array of numbers`);
    checkRegion(region, shape, path);
    if (target.length !== layout.regionBytes(region))
      throw new RangeError(`[${region.shape}] of ${path} are not ${target.length} bytes`);
    layout.readRegion(region, target);
  }

  readText(path: string, region: Region): readonly string[] {
    const metadata = this.metadata(path);
    const { element, shape } = metadata;
    checkRegion(region, shape, path);
    if (elementCount(region.shape) > MAX_TEXTS)
      throw new UnsupportedZarrError(
        metadata.path,
        `[${region.shape}] texts at once are more than ${MAX_TEXTS}`,
      );
    if (element.kind === 'bytes' || element.kind === 'text')
      return fixedTexts(this.#elements(path, region), element);
    if (element.kind !== 'string') throw new RangeError(`${metadata.path} is no array of text`);
    const texts = new Array<string>(elementCount(region.shape)).fill(metadata.fillText ?? '');
    const open = chunksInStore(this.#store, path);
    const target = { bytes: NO_BYTES, offset: 0, strides: contiguousStrides(region.shape) };
    forEachChunk({ ...region, target }, metadata.chunkShape, (position, part) => {
      using bytes = open(metadata.chunkKeys(position), metadata.chain.shard ? 'parts' : 'whole');
      if (bytes) readTextBox(bytes, metadata.chain, metadata.chunkShape, part, texts);
    });
    return texts;
  }

  readCompound(path: string, first: number, count: number): readonly (readonly CompoundValue[])[] {
    const { element, shape, path: file } = this.metadata(path);
    if (element.kind !== 'compound') throw new RangeError(`${file} has no named fields`);
    const region = { start: [first], shape: [count] };
    checkRegion(region, shape, path);
    return compoundValues(this.#elements(path, region), element);
  }

  /** The bytes of whole elements, lanes and all. */
  #elements(path: string, { start, shape }: Region): Uint8Array {
    const layout = this.layout(path);
    const { lanes } = layout.metadata.element;
    const region = lanes > 1 ? { start: [...start, 0], shape: [...shape, lanes] } : { start, shape };
    const bytes = new Uint8Array(layout.regionBytes(region));
    layout.readRegion(region, bytes);
    return bytes;
  }

  /** An array to be read. @throws UnsupportedZarrError for text of variable length. */
  layout(path: string): ZarrLayout {
    return new ZarrLayout(this.metadata(path), chunksInStore(this.#store, path));
  }

  /** What is said of an array. @throws BadZarrError, UnsupportedZarrError, UnreadableSourceError */
  metadata(path: string): ArrayMetadata {
    const known = this.#arrays.get(path);
    if (known) return known;
    const { kind, document, documentPath } = this.#node(path);
    if (kind !== 'array') throw this.#none(path, 'is no array');
    const metadata = parseArrayMetadata(document, documentPath);
    if (this.#arrays.size >= MAX_KNOWN_ARRAYS) this.#arrays.clear();
    this.#arrays.set(path, metadata);
    return metadata;
  }

  #node(path: string): ZarrNode {
    const node = this.nodes.node(path);
    if (!node) throw this.#none(path, 'is no Zarr group or array');
    return node;
  }

  #none(path: string, detail: string): UnreadableSourceError {
    return new UnreadableSourceError(this.#store.pathOf(path), detail);
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }
}

const NO_BYTES = new Uint8Array(0);

function checkRegion(region: Region, shape: readonly number[], path: string): void {
  if (!isInside(region, shape))
    throw new RangeError(`[${region.start}] + [${region.shape}] is not inside [${shape}] of ${path}`);
}

function typeOf(element: ZarrElement): ElementType {
  const { kind, dtype } = element;
  if (kind === 'bool') return { kind: 'boolean' };
  if (kind === 'integer' || kind === 'float') return { kind: 'number', dtype };
  if (kind === 'complex') return { kind: 'other', name: dtype === 'float32' ? 'complex64' : 'complex128' };
  if (kind !== 'compound') return { kind: 'text' };
  const fields = (element.fields ?? []).map(({ name, type, shape }) => ({
    name,
    type: typeOf(type),
    ...(shape.length > 0 ? { shape } : {}),
  }));
  return { kind: 'compound', fields };
}
