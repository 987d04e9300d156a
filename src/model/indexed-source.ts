import type { ImagePart } from './image-parts.ts';
import type { MountDefinition } from './mount-definition.ts';
import type { PlateWarning } from './plate.ts';
import type { NameTable } from './plate-index.ts';
import type { Profile } from './profile.ts';
import type { SourceCatalog } from './source-catalog.ts';

/**
 * A file or store that is no plate, and the files it is shown as. Plain data, part of an index: it crosses threads, is
 * handed down from daemon to daemon and kept in caches.
 */
export interface IndexedSource {
  /** Its name below the index's root, and the folder of the mount it is shown in; '' where it is all that is mounted. */
  readonly name: string;
  /** Path, or an URL, as its driver takes it. */
  readonly path: string;
  /** Nothing outside this folder is opened for it. */
  readonly root: string;
  /** A folder of files, not one file. */
  readonly isFolder: boolean;
  /** Id of the driver that reads it. */
  readonly driver: string;
  /** Differs as soon as what it holds may differ. */
  readonly version: string;
  /**
   * By item: of pixels that lie in files of chunks, differs as soon as they are described otherwise; undefined of all
   * else. Absent for what is no folder.
   */
  readonly itemVersions?: readonly (string | undefined)[];
  readonly mtimeMs: number;
  readonly catalog: SourceCatalog;
  readonly files: readonly CatalogFile[];
  readonly families: readonly CatalogFamily[];
  readonly zarrs: readonly CatalogZarr[];
  readonly warnings: readonly PlateWarning[];
}

/** What a mount asks of the files that sources are shown as. */
export interface SourceOptions {
  /** The program that the mount is for. */
  readonly profile?: Profile;
  /** What float64 pixels are shown as; as they are unless set. */
  readonly float64As?: 'float32';
}

/** What a mount's options say of images. */
export function shownFor({ profile, float64 }: MountDefinition['options']): SourceOptions {
  return {
    ...(profile === undefined ? {} : { profile }),
    ...(float64 === 'float32' ? { float64As: float64 } : {}),
  };
}

/** A source's version, and what its driver takes it by. */
export const fullVersion = ({ version, catalog }: IndexedSource): string =>
  `${version}:${catalog.version ?? ''}`;

/** What was mounted that is no plate. */
export type SourceScope =
  /** One file; the index's root is the folder it lies in. */
  | { readonly kind: 'file'; readonly name: string }
  /** A folder that is one store. */
  | { readonly kind: 'store' }
  /** What an URL names; there are no files. */
  | { readonly kind: 'url' }
  /**
   * A folder with several. `plates` are names in it of plates, which have indexes of their own; `refused` those of
   * plates that can't be shown as such, and why.
   */
  | {
      readonly kind: 'folder';
      readonly plates: readonly string[];
      readonly refused?: readonly { readonly name: string; readonly why: string }[];
    }
  /** Several that a mount definition names: there is nothing in the root but them, and each is a part of its own. */
  | { readonly kind: 'list' };

/** A file that is made of one item when it is read. */
export interface CatalogFile {
  /** Below the source's folder of the mount: `stacks/s00/0.ome.tif`. */
  readonly path: string;
  /** Place in the catalog's items. */
  readonly item: number;
  /** Id of the encoder; {@link AS_IT_IS} for a text. */
  readonly encoder: string;
  /** Of a table with `rowOffsets` that of its header; else that of the file. */
  readonly sizeBytes: number;
  /**
   * Of a table whose rows have different lengths: where every {@link ROWS_PER_BLOCK}th begins, counted from the first,
   * and behind the last the length of all. In shared memory.
   */
  readonly rowOffsets?: Float64Array;
  /**
   * Of what only reading tells (`rowOffsets`, names of a family's members): one number in shared memory, 0 until that
   * is filled in. Absent where nothing has to be read.
   */
  readonly known?: Int32Array;
  /** Of an image that is not in one file: which part of it. */
  readonly part?: ImagePart;
  /** Of a file that shows an image at a lower resolution: which of its levels. */
  readonly level?: number;
}

/** A folder with a file per member of a family of tables. */
export interface CatalogFamily extends CatalogFile {
  /** Names of the files without their extension, sorted bytewise, in shared memory; nothing until they are known. */
  readonly names: NameTable;
  /** Which member each name stands for. In shared memory. */
  readonly members: Uint32Array;
  readonly extension: string;
}

/** A folder that shows an image as OME-Zarr. */
export interface CatalogZarr {
  /** As {@link CatalogFile.path}. */
  readonly path: string;
  readonly item: number;
}

/** Whether all of a file is known; else it has to be measured first. */
export const isMeasured = ({ known }: Pick<CatalogFile, 'known'>): boolean =>
  known === undefined || Atomics.load(known, 0) !== 0;

/** Size of a file that is measured. */
export const measuredBytes = ({
  sizeBytes,
  rowOffsets,
}: Pick<CatalogFile, 'sizeBytes' | 'rowOffsets'>): number => sizeBytes + (rowOffsets?.at(-1) ?? 0);

/** In `CatalogFile.encoder`: the file is the item's text. */
export const AS_IT_IS = 'text';

/** Rows of a table that are written at once. */
export const ROWS_PER_BLOCK = 512;
