import { explain, FsRefusal } from '../../core/errors.ts';
import {
  AS_IT_IS,
  type CatalogFamily,
  type CatalogFile,
  type CatalogZarr,
  isMeasured,
  type SourceOptions,
} from '../../model/indexed-source.ts';
import type {
  ImageItem,
  OpenSource,
  SourceCatalog,
  SourceItem,
  TableFamilyItem,
  TableItem,
} from '../../sources.ts';
import { SourceImageZarr } from '../ngff/source-image.ts';
import type { CatalogEncoders } from './catalog-encoders.ts';
import { CatalogPaths, type ChangedSpelling } from './catalog-paths.ts';
import { imageFiles } from './image-files.ts';
import { emptyNames } from './member-names.ts';
import { isSmall, lateNames, lateRows, measureFiles } from './source-measures.ts';
import { isEven, sparseFile, tableFile } from './table-blocks.ts';

/** Files and folders of one OME-Zarr. */
const MAX_ZARR_ENTRIES = 2 ** 32;

/** The files a source is shown as, and what can't be shown. */
export interface SourceFiles {
  readonly files: readonly CatalogFile[];
  readonly families: readonly CatalogFamily[];
  readonly zarrs: readonly CatalogZarr[];
  readonly refused: readonly { readonly path: string; readonly message: string }[];
  readonly changed: readonly ChangedSpelling[];
}

/** One way to show an item. */
interface Shape {
  readonly view: 'arrays' | 'tables';
  readonly encoder: string;
  /** What the file's name has behind the item's. */
  readonly extension: string;
  /** @throws FsRefusal when the format can't hold it. */
  readonly sizeBytes: () => number;
}

/** Lays out the files of a catalog; of small tables reads what their sizes can't be told without. */
export class CatalogFiles {
  readonly #encoders: CatalogEncoders;
  readonly #options: SourceOptions;
  readonly #rootName: string;
  readonly #open: () => OpenSource;
  readonly #paths = new CatalogPaths();
  readonly #files: CatalogFile[] = [];
  readonly #families: CatalogFamily[] = [];
  readonly #zarrs: CatalogZarr[] = [];
  readonly #refused: { path: string; message: string }[] = [];

  private constructor(
    encoders: CatalogEncoders,
    options: SourceOptions,
    rootName: string,
    open: () => OpenSource,
  ) {
    this.#encoders = encoders;
    this.#options = options;
    this.#rootName = rootName;
    this.#open = open;
  }

  /**
   * @param rootName what the source's root is called where it is itself an item.
   * @param open the source, opened when it is first asked for.
   */
  static of(
    catalog: SourceCatalog,
    encoders: CatalogEncoders,
    rootName: string,
    open: () => OpenSource,
    options: SourceOptions = {},
  ): SourceFiles {
    const made = new CatalogFiles(encoders, options, rootName, open);
    for (const [number, item] of catalog.items.entries()) made.#add(item, number);
    return {
      files: made.#files,
      families: made.#families,
      zarrs: made.#zarrs,
      refused: made.#refused,
      changed: made.#paths.changed,
    };
  }

  #add(item: SourceItem, number: number): void {
    switch (item.kind) {
      case 'text':
        this.#addText(item.path, item.text, number);
        break;
      case 'family':
        this.#addFamily(item, number);
        break;
      case 'table':
        this.#addTable(item, number);
        break;
      case 'image':
        this.#addImage(item, number);
        this.#addZarr(item, number);
        break;
      default:
        this.#addShapes(item.path, this.#shapesOf(item), number);
    }
  }

  /** Adds what the formats can hold; the names of one item differ in their extensions alone. */
  #addShapes(itemPath: string, shapes: readonly Shape[], number: number): void {
    const held: { shape: Shape; sizeBytes: number }[] = [];
    for (const shape of shapes) {
      try {
        held.push({ shape, sizeBytes: shape.sizeBytes() });
      } catch (error) {
        if (!(error instanceof FsRefusal)) throw error;
        this.#refused.push({
          path: itemPath,
          message: `can't be shown as ${shape.extension}: ${explain(error)}`,
        });
      }
    }
    const [first] = held;
    if (!first) return;
    const extensions = held.map(({ shape }) => shape.extension);
    const paths = this.#paths.give(first.shape.view, itemPath, this.#rootName, extensions);
    for (const [place, { shape, sizeBytes }] of held.entries())
      this.#files.push({
        path: paths[place] ?? '',
        item: number,
        encoder: shape.encoder,
        sizeBytes,
      });
  }

  #addImage(item: ImageItem, number: number): void {
    const { files, refused } = imageFiles(item, this.#encoders.images, this.#options);
    this.#refused.push(...refused.map((message) => ({ path: item.path, message })));
    for (const view of ['stacks', 'images', 'previews'] as const) {
      const shown = files.filter((file) => file.view === view);
      if (shown.length === 0) continue;
      const endings = shown.map(({ ending }) => ending);
      const paths = this.#paths.give(view, item.path, this.#rootName, endings);
      for (const [place, { view: _, ending: __, ...file }] of shown.entries())
        this.#files.push({ ...file, path: paths[place] ?? '', item: number });
    }
  }

  #shapesOf(item: Extract<SourceItem, { kind: 'array' | 'sparse' }>): Shape[] {
    const { arrays, sparse } = this.#encoders;
    switch (item.kind) {
      case 'array':
        return [...arrays.values()].map((encoder) => ({
          view: 'arrays',
          encoder: encoder.id,
          extension: encoder.extension,
          sizeBytes: () => encoder.layout({ ...item, name: item.path }).sizeBytes,
        }));
      case 'sparse':
        return [...sparse.values()].map((encoder) => ({
          view: 'tables',
          encoder: encoder.id,
          extension: encoder.extension,
          sizeBytes: () => sparseFile(item, encoder).sizeBytes,
        }));
    }
  }

  #addZarr(item: ImageItem, number: number): void {
    if (item.image.shape.includes(0)) return;
    const { entryCount } = new SourceImageZarr(item, '0.4');
    if (entryCount > MAX_ZARR_ENTRIES) {
      this.#refused.push({
        path: item.path,
        message: `can't be shown as OME-Zarr: it would have ${entryCount} files and folders`,
      });
      return;
    }
    const [path = ''] = this.#paths.give('ome-zarr', item.path, this.#rootName, ['.ome.zarr']);
    this.#zarrs.push({ path, item: number });
  }

  #addText(itemPath: string, text: string, number: number): void {
    const [path = ''] = this.#paths.give('tables', itemPath, this.#rootName, ['']);
    this.#files.push({ path, item: number, encoder: AS_IT_IS, sizeBytes: Buffer.byteLength(text) });
  }

  #addTable(item: TableItem, number: number): void {
    const encoders = [...this.#encoders.tables.values()];
    const extensions = encoders.map(({ extension }) => extension);
    const paths = this.#paths.give('tables', item.path, this.#rootName, extensions);
    const files = encoders.map((encoder, place): CatalogFile => {
      const at = { path: paths[place] ?? '', item: number, encoder: encoder.id };
      return isEven(item)
        ? { ...at, sizeBytes: tableFile(item, encoder, undefined).sizeBytes }
        : { ...at, sizeBytes: encoder.header(item.columns).length, ...lateRows(item.rowCount) };
    });
    this.#measureSmall(item, files);
    this.#files.push(...files);
  }

  /** A folder of tables, as CSV alone. */
  #addFamily(item: TableFamilyItem, number: number): void {
    const encoder = this.#encoders.tables.get('csv');
    if (!encoder || item.memberCount === 0) return;
    const [path = ''] = this.#paths.give('tables', item.path, this.#rootName, ['']);
    const at = { path, item: number, encoder: encoder.id, extension: encoder.extension };
    const names = emptyNames(item.memberCount);
    // Text cells of a family are the same in every member, so that one tells the size of all.
    const family: CatalogFamily = isEven(item)
      ? { ...at, ...names, sizeBytes: tableFile(item, encoder, undefined, 0).sizeBytes, ...lateNames() }
      : { ...at, ...names, sizeBytes: encoder.header(item.columns).length, ...lateRows(item.rowCount) };
    this.#measureSmall(item, [family]);
    this.#families.push(family);
  }

  #measureSmall(item: TableItem | TableFamilyItem, files: readonly CatalogFile[]): void {
    if (!isSmall(item) || files.every(isMeasured)) return;
    for (const _ of measureFiles(item, files, this.#encoders, (work) => work(this.#open())));
    for (const { known } of files) if (known) Atomics.store(known, 0, 1);
  }
}
