import type { CatalogFamily, CatalogFile, IndexedSource } from '../../model/indexed-source.ts';
import type { SourceImageZarr } from '../ngff/source-image.ts';

export interface ItemNode {
  readonly node: number;
  /** As {@link TreeEntry.cookie}. */
  readonly cookie: number;
  readonly name: string;
  /** In the mount. */
  readonly path: string;
  readonly source: IndexedSource;
  readonly file: Pick<
    CatalogFile,
    'item' | 'encoder' | 'sizeBytes' | 'rowOffsets' | 'known' | 'part' | 'level'
  >;
  /** Which member of a family. */
  readonly member?: number;
  /** Set for what stands in an OME-Zarr, and for its folder: which place in it. */
  readonly inZarr?: { readonly zarr: SourceImageZarr; readonly ordinal: number };
}

export interface FolderNode {
  readonly node: number;
  readonly cookie: number;
  readonly name: string;
  /** In the mount. */
  readonly path: string;
  readonly parent: FolderNode | undefined;
  /** Absent for the mount's root where several sources are mounted. */
  readonly source?: IndexedSource;
  readonly children: (FolderNode | ItemNode)[];
  readonly byName: Map<string, FolderNode | ItemNode>;
  readonly family?: { readonly family: CatalogFamily; readonly firstNode: number };
}

/** Whether a finished render of a file is worth keeping: all but texts and documents, which cost nothing to make. */
export function isKeepable({ source, file, inZarr }: ItemNode): boolean {
  if (inZarr) return inZarr.zarr.chunkSource(inZarr.ordinal) !== undefined;
  return source.catalog.items[file.item]?.kind !== 'text';
}

export const isFolderNode = (node: FolderNode | ItemNode): node is FolderNode => 'children' in node;
