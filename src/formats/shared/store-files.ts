import { statSync } from 'node:fs';
import type { IndexOptions } from '../../formats.ts';
import { type ChunkGrid, placeOfName } from '../../model/chunk-grid.ts';
import type { ExclusionReason, PlateWarning } from '../../model/plate.ts';
import { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { chunkGridOf } from './chunk-folder.ts';
import { joinPath } from './plate-path.ts';
import { type WalkedDirectory, walkPlate } from './plate-walk.ts';
import { WalkAside } from './walk-aside.ts';

/** Files that describe Zarr nodes. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  '.zgroup',
  '.zattrs',
  '.zarray',
  '.zmetadata',
  'zarr.json',
]);

/** The folders of a Zarr store and what lies in them, gathered for an index. */
export class StoreFiles {
  readonly builder: PlateIndexBuilder;
  readonly #aside = new WalkAside();
  /** Names of the folders in the root and in the folders in it. */
  readonly #folders = new Map<string, readonly string[]>();
  /** Numbers of the files that describe Zarr nodes, by path below the root. */
  readonly #metadata = new Map<string, number>();

  /** Numbers of the files in the root. */
  readonly #rootFiles = new Map<string, number>();
  /** Of the folders whose chunks are left out, by path. */
  readonly #grids = new Map<string, ChunkGrid>();

  private constructor(builder: PlateIndexBuilder) {
    this.builder = builder;
  }

  /** @throws UnreadableSourceError when the root can't be listed; CancelledError */
  static async walk(root: string, options: IndexOptions, signal: AbortSignal): Promise<StoreFiles> {
    let files: StoreFiles | undefined;
    let directories = 0;
    const { leaveOut = [] } = options;
    const enter = ({ path, directories: all }: WalkedDirectory): readonly string[] => {
      if (path === '' && leaveOut.length > 0) return all.filter((name) => !leaveOut.includes(name));
      const grid = files === undefined ? undefined : files.#grids.get(path);
      return grid ? all.filter((name) => placeOfName(grid, 0, name) === undefined) : all;
    };
    for await (const directory of walkPlate(root, signal, options, enter)) {
      files ??= new StoreFiles(new PlateIndexBuilder(root, directory));
      const number =
        directories === 0 ? 0 : files.builder.addDirectory(directory.parent, directory.name, directory);
      directories += 1;
      files.#sort(root, number, directory);
      options.onProgress?.({ files: files.builder.fileCount, directories });
    }
    if (!files) throw new Error('the walk yields the root or throws');
    return files;
  }

  #sort(root: string, number: number, directory: WalkedDirectory): void {
    const { path, files, directories } = directory;
    const grid = chunkGridOf(`${root}/${path}`, directory);
    if (grid) {
      this.builder.addChunkFolder(number, grid);
      this.#grids.set(path, grid);
    }
    if (!path.includes('/')) this.#folders.set(path, directories);
    const inTables = /(?:^|\/)(?:labels|tables)(?:\/|$)/.test(path);
    const isChunk = (name: string): boolean =>
      grid?.steps.length === 1 && placeOfName(grid, 0, name) !== undefined;
    for (const name of files) {
      if (isChunk(name)) continue;
      const isMetadata = METADATA_NAMES.has(name);
      const reason: ExclusionReason = isMetadata || inTables ? 'metadata' : 'other';
      const file = this.builder.addFile(number, name, reason);
      if (isMetadata) this.#metadata.set(joinPath(path, name), file);
      if (number === 0) this.#rootFiles.set(name, file);
    }
    this.#aside.add(directory);
  }

  /** What the walk had to leave aside. */
  get warnings(): PlateWarning[] {
    return this.#aside.warnings();
  }

  /** The names of the folders in the root (`''`) or in one of its folders. */
  foldersIn(path: string): readonly string[] {
    return this.#folders.get(path) ?? [];
  }

  /** The builder's number of a metadata file. */
  numberOf(path: string): number | undefined {
    return this.#metadata.get(path);
  }

  /**
   * Tells that the index was drawn from the files in the root, which may change in place, and from everything that
   * describes Zarr nodes: of each no more than `most`.
   */
  addOwnEvidence(root: string, most: number): void {
    for (const files of [this.#rootFiles, this.#metadata])
      for (const [path, file] of [...files].slice(0, most)) {
        const stat = statSync(`${root}/${path}`, { bigint: true, throwIfNoEntry: false });
        if (stat) this.builder.addEvidence(file, Number(stat.size), Number(stat.mtimeNs) / 1e6);
      }
  }

  /** Tells which files the index was drawn from. */
  addEvidence(read: ReadonlyMap<string, { readonly sizeBytes: number; readonly mtimeMs: number }>): void {
    for (const [path, { sizeBytes, mtimeMs }] of read) {
      const file = this.#metadata.get(path);
      if (file !== undefined) this.builder.addEvidence(file, sizeBytes, mtimeMs);
    }
  }
}
