import type { Dtype } from '../core/nd-array.ts';
import type { ImageInfo } from './image.ts';

/** Where in a source something stands: its names from the source's root, joined with `/`, as the source spells them. */
export type ItemPath = string;

/**
 * Pixels that are an image: shown as TIFF, OME-TIFF and OME-Zarr. `image.shape` has all five axes; what the source
 * lacks is of extent 1, and samples of a colour image are channels. Reads name regions of these five axes.
 */
export interface ImageItem {
  readonly kind: 'image';
  readonly path: ItemPath;
  readonly image: ImageInfo;
  /** The smallest piece that is decoded at once, in the five axes. */
  readonly chunkShape: readonly number[];
  /** The same image at lower resolutions, largest first, this one left out. */
  readonly levels: readonly ImageLevel[];
}

export interface ImageLevel {
  readonly path: ItemPath;
  readonly shape: readonly [t: number, c: number, z: number, y: number, x: number];
  readonly chunkShape: readonly number[];
}

/** Numbers that may be no image: shown as NPY. Images are listed as arrays, too. Axes as stored. */
export interface ArrayItem {
  readonly kind: 'array';
  readonly path: ItemPath;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly chunkShape: readonly number[];
}

/** What a column's cells hold. Numbers of `dtype`; text; or text of a few categories. */
export interface TableColumn {
  readonly name: string;
  readonly type: Dtype | 'text' | 'boolean';
}

/** Rows of named columns: shown as CSV and TSV. */
export interface TableItem {
  readonly kind: 'table';
  readonly path: ItemPath;
  readonly rowCount: number;
  readonly columns: readonly TableColumn[];
}

/** A sparse matrix of two axes: shown as MTX. */
export interface SparseItem {
  readonly kind: 'sparse';
  readonly path: ItemPath;
  readonly shape: readonly [rows: number, columns: number];
  readonly dtype: Dtype;
  /** Stored entries, explicit zeros among them. */
  readonly entryCount: number;
}

/** Many tables of one kind, one per member (a gene, a cell), each made when it is read. */
export interface TableFamilyItem {
  readonly kind: 'family';
  readonly path: ItemPath;
  readonly memberCount: number;
  readonly rowCount: number;
  readonly columns: readonly TableColumn[];
}

/** A text whose bytes are known: attributes as JSON, and what else a source holds that is short. */
export interface TextItem {
  readonly kind: 'text';
  /** With its extension. */
  readonly path: ItemPath;
  readonly text: string;
}

export type SourceItem = ImageItem | ArrayItem | TableItem | SparseItem | TableFamilyItem | TextItem;

/** What a file or store holds, found without reading pixels. Plain data: it crosses threads and is kept in caches. */
export interface SourceCatalog {
  /** What it was recognised as, for people: `BigDataViewer HDF5`, `AnnData 0.8 (HDF5)`. */
  readonly title: string;
  readonly items: readonly SourceItem[];
  /** Groups of a store of something else that are AnnData: what is below them is read as such. */
  readonly annDataGroups?: readonly ItemPath[];
  /**
   * Pixels lie in files of chunks, at which every read looks that touches them (`OpenSource.filesOf`), but for those of
   * `annDataGroups`.
   */
  readonly hasChunkFiles?: boolean;
  /** The folder that links did not lead out of, and must not when it is opened; absent where there are no links. */
  readonly root?: string;
  /** What can't be shown, and why: a filter that nobody can decode, a link out of the folder. */
  readonly warnings: readonly { readonly path: ItemPath; readonly message: string }[];
  /**
   * Another text once the source has changed: made of device, inode, size and time of change of the files that
   * describe it. A driver opens a catalog only while its version holds.
   */
  readonly version?: string;
}
