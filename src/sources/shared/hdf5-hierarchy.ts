import { BadHdf5Error } from '../../core/errors.ts';
import type { Region } from '../../core/region.ts';
import type { ByteWindow } from '../../sources.ts';
import { readAttributes } from './hdf5-attributes.ts';
import { type Hdf5Dataset, lookAtDataset } from './hdf5-dataset.ts';
import { Hdf5File } from './hdf5-file.ts';
import { prepareHdf5 } from './hdf5-library.ts';
import { type FoundNode, Hdf5Links } from './hdf5-links.ts';
import { NumberReader } from './hdf5-read.ts';
import { readCompounds, readTexts } from './hdf5-read-values.ts';
import type {
  ArrayFacts,
  Attributes,
  ChildList,
  ChildNode,
  CompoundValue,
  Hierarchy,
  NodePath,
} from './hierarchy.ts';

/** Datasets whose facts and chunk indexes are kept. */
const KEPT_DATASETS = 4096;

/** An HDF5 file as a tree of groups and arrays. */
export class Hdf5Hierarchy implements Hierarchy {
  readonly format = 'hdf5';
  readonly links: Hdf5Links;
  readonly #datasets = new Map<string, Hdf5Dataset>();
  readonly #readers = new Map<string, NumberReader>();

  private constructor(links: Hdf5Links) {
    this.links = links;
  }

  /** Loads the HDF5 library, once per thread; {@link open} needs it. */
  static prepare(): Promise<void> {
    return prepareHdf5();
  }

  /**
   * Opens a file. Links are followed to files that lie in its folder and under `root`.
   * @throws UnreadableSourceError, BadHdf5Error; SourceBusyError while another program is writing it.
   */
  static open(path: string, root: string): Hdf5Hierarchy {
    return new Hdf5Hierarchy(new Hdf5Links(Hdf5File.open(path), root));
  }

  get file(): string {
    return this.links.file.path;
  }

  get openFiles(): readonly string[] {
    return this.links.files.map(({ path }) => path);
  }

  /** @throws SourceChangedError when a file is no longer what was opened. */
  checkUnchanged(): void {
    for (const file of this.links.files) file.checkUnchanged();
  }

  kindOf(path: NodePath): 'group' | 'array' | undefined {
    const found = this.links.find(path);
    return found.kind === 'group' || found.kind === 'array' ? found.kind : undefined;
  }

  #group(path: NodePath): FoundNode {
    const found = this.links.find(path);
    if (found.kind === 'group') return found;
    throw new BadHdf5Error(this.file, `there is no group ${path}`);
  }

  children(path: NodePath, limit: number): ChildList {
    const children: ChildNode[] = [];
    for (const name of this.links.names(this.#group(path))) {
      const kind = this.kindOf(path === '' ? name : `${path}/${name}`);
      if (kind === undefined) continue;
      if (children.length >= limit) return { children, isCut: true };
      children.push({ name, kind });
    }
    return { children, isCut: false };
  }

  attributes(path: NodePath): Attributes {
    const found = this.links.find(path);
    if (found.kind !== 'group' && found.kind !== 'array')
      throw new BadHdf5Error(this.file, `there is nothing at ${path}`);
    return readAttributes(found.file, found.at).attributes;
  }

  /** What is known of an array. @throws BadHdf5Error when there is none. */
  dataset(path: NodePath): Hdf5Dataset {
    const known = this.#datasets.get(path);
    if (known !== undefined) return known;
    const found = this.links.find(path);
    if (found.kind !== 'array') throw new BadHdf5Error(this.file, `there is no dataset ${path}`);
    const dataset = lookAtDataset(this.links, found);
    if (this.#datasets.size >= KEPT_DATASETS) this.#datasets.clear();
    this.#datasets.set(path, dataset);
    return dataset;
  }

  arrayFacts(path: NodePath): ArrayFacts {
    const { shape, type, chunkShape, unreadable } = this.dataset(path);
    return unreadable === undefined ? { shape, type, chunkShape } : { shape, type, chunkShape, unreadable };
  }

  /** The reader of an array of numbers. @throws RangeError when it holds something else; UnsupportedHdf5Error */
  numbers(path: NodePath): NumberReader {
    const known = this.#readers.get(path);
    if (known !== undefined) return known;
    const dataset = this.dataset(path);
    const { kind } = dataset.type;
    if (kind !== 'number' && kind !== 'boolean' && kind !== 'enum')
      throw new RangeError(`${this.file}:${path} holds no numbers`);
    const reader = new NumberReader(dataset);
    if (this.#readers.size >= KEPT_DATASETS) this.#readers.clear();
    this.#readers.set(path, reader);
    return reader;
  }

  readRegion(path: NodePath, region: Region, target: Uint8Array): void {
    this.checkUnchanged();
    this.numbers(path).read(region, target);
    // A program that wrote meanwhile may have moved what was being read.
    this.checkUnchanged();
  }

  /** Where a region's bytes lie verbatim: little-endian, in one run. @throws what `readRegion` throws */
  window(path: NodePath, region: Region): ByteWindow | undefined {
    this.checkUnchanged();
    return this.numbers(path).window(region);
  }

  readText(path: NodePath, region: Region): readonly string[] {
    this.checkUnchanged();
    const texts = readTexts(this.dataset(path), region);
    this.checkUnchanged();
    return texts;
  }

  readCompound(path: NodePath, first: number, count: number): readonly (readonly CompoundValue[])[] {
    this.checkUnchanged();
    const rows = readCompounds(this.dataset(path), { start: [first], shape: [count] });
    this.checkUnchanged();
    return rows;
  }

  [Symbol.dispose](): void {
    this.links[Symbol.dispose]();
  }
}
