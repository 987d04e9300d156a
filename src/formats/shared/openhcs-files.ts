import type { IndexOptions } from '../../formats.ts';
import { type ChunkGrid, placeOfName } from '../../model/chunk-grid.ts';
import { planeGroups } from '../../model/plane-groups.ts';
import type { PlateWarning } from '../../model/plate.ts';
import { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { type ArrayFileMetadata, isArrayMetadataName, readArrayMetadata } from '../../zarr/array-metadata.ts';
import { decodedShape } from '../../zarr/decoded-shape.ts';
import { chunkGridOf } from './chunk-folder.ts';
import { leftOut } from './left-out.ts';
import { tiffExtension } from './metaxpress-name.ts';
import { isOpenHcsFileName, openHcsFileName } from './openhcs-file.ts';
import { joinPath } from './plate-path.ts';
import { type WalkedDirectory, walkPlate } from './plate-walk.ts';
import { WalkAside } from './walk-aside.ts';

const ZARR_NAMES: ReadonlySet<string> = new Set(['.zgroup', '.zattrs', '.zarray', '.zmetadata', 'zarr.json']);

/** Descriptions of arrays that are kept at a time. */
const MAX_KEPT_ARRAYS = 4096;

/** The file that describes a Zarr array. */
export interface ArrayFile {
  /** Path of the array's folder below the plate's root. */
  readonly folder: string;
  /** `.zarray` or `zarr.json` */
  readonly name: string;
  /** The builder's number. */
  readonly file: number;
}

/** Everything that lies in a plate of OpenHCS, sorted as the walk comes to it. */
export class OpenHcsFiles {
  readonly builder: PlateIndexBuilder;
  readonly arrays: ArrayFile[] = [];
  readonly #root: string;
  /** Numbers of the TIFFs by name, by path of their folder. */
  readonly #images = new Map<string, Map<string, number>>();
  readonly #metadata = new Map<string, number>();
  readonly #grids = new Map<string, ChunkGrid>();
  readonly #taken = new Set<number>();
  readonly #arrayMetadata = new Map<string, ArrayFileMetadata>();
  readonly #aside = new WalkAside();

  private constructor(root: string, builder: PlateIndexBuilder) {
    this.#root = root;
    this.builder = builder;
  }

  /** @throws UnreadableSourceError when the root can't be listed; CancelledError */
  static async walk(root: string, options: IndexOptions, signal: AbortSignal): Promise<OpenHcsFiles> {
    let files: OpenHcsFiles | undefined;
    let directories = 0;
    const enter = ({ path, directories: all }: WalkedDirectory): readonly string[] => {
      const grid = files === undefined ? undefined : files.#grids.get(path);
      return grid ? all.filter((name) => placeOfName(grid, 0, name) === undefined) : all;
    };
    for await (const directory of walkPlate(root, signal, options, enter)) {
      files ??= new OpenHcsFiles(root, new PlateIndexBuilder(root, directory));
      const number =
        directories === 0 ? 0 : files.builder.addDirectory(directory.parent, directory.name, directory);
      directories += 1;
      files.#sort(number, directory);
      options.onProgress?.({ files: files.builder.fileCount, directories });
    }
    if (!files) throw new Error('the walk yields the root or throws');
    return files;
  }

  #sort(number: number, directory: WalkedDirectory): void {
    const { path, files } = directory;
    const { builder } = this;
    const grid = chunkGridOf(joinPath(this.#root, path), directory);
    if (grid) {
      builder.addChunkFolder(number, grid);
      this.#grids.set(path, grid);
    }
    let images: Map<string, number> | undefined;
    for (const name of files) {
      if (grid?.steps.length === 1 && placeOfName(grid, 0, name) !== undefined) continue;
      if (ZARR_NAMES.has(name) || isOpenHcsFileName(name)) {
        const file = builder.addFile(number, name, 'metadata');
        this.#metadata.set(joinPath(path, name), file);
        if (isArrayMetadataName(name)) this.arrays.push({ folder: path, name, file });
      } else {
        const reason = leftOut(name, path);
        const file = builder.addFile(number, name, reason);
        if (reason === 'junk' || tiffExtension(name) === '') continue;
        if (!images) this.#images.set(path, (images = new Map()));
        images.set(name, file);
      }
    }
    this.#aside.add(directory);
  }

  /** Name of the metadata file in the plate's own folder. */
  get documentName(): string | undefined {
    return openHcsFileName((name) => this.#metadata.has(name));
  }

  /** The builder's number of a TIFF of the plate. */
  imageAt(path: string): number | undefined {
    const cut = path.lastIndexOf('/');
    return this.#images.get(path.slice(0, Math.max(0, cut)))?.get(path.slice(cut + 1));
  }

  /** The builder's number of a metadata file. */
  metadataAt(path: string): number | undefined {
    return this.#metadata.get(path);
  }

  /** Says that a metadata file of the plate was read: the index is good while it stays as it is. */
  addEvidence(
    path: string,
    { sizeBytes, mtimeMs }: { readonly sizeBytes: number; readonly mtimeMs: number },
  ): void {
    const file = this.#metadata.get(path);
    if (file !== undefined) this.builder.addEvidence(file, sizeBytes, mtimeMs);
  }

  /** What the metadata file of an array says. @throws UnreadableSourceError, BadZarrError, UnsupportedZarrError */
  arrayMetadata(path: string): ArrayFileMetadata {
    const known = this.#arrayMetadata.get(path);
    if (known) return known;
    const metadata = readArrayMetadata(joinPath(this.#root, path));
    if (this.#arrayMetadata.size >= MAX_KEPT_ARRAYS) this.#arrayMetadata.clear();
    this.#arrayMetadata.set(path, metadata);
    this.addEvidence(path, metadata);
    const file = this.#metadata.get(path);
    const groups = planeGroups(metadata.shape, decodedShape(metadata));
    if (file !== undefined && groups) this.builder.addPlaneGroups(file, groups);
    return metadata;
  }

  /** Says that a file has planes. @returns whether it is the first time. */
  take(file: number): boolean {
    if (this.#taken.has(file)) return false;
    this.#taken.add(file);
    return true;
  }

  /** Paths of the images that have no plane, but for thumbnails and those in and below the given folders. */
  *leftImages(apart: readonly string[]): Generator<string> {
    const isApart = (path: string): boolean =>
      apart.some((folder) => path === folder || path.startsWith(`${folder}/`));
    for (const [folder, images] of this.#images) {
      if (isApart(folder)) continue;
      for (const [name, file] of images)
        if (!this.#taken.has(file) && leftOut(name, folder) === 'other') yield joinPath(folder, name);
    }
  }

  /** What the walk had to leave aside. */
  warnings(): PlateWarning[] {
    return this.#aside.warnings();
  }
}
