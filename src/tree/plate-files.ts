import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { PlateIndex } from '../model/plate-index.ts';
import { directoryPath, nameAt } from '../model/plate-lookup.ts';
import type { TreeAttributes } from './tree.ts';

/** The plate's own files on disk: where they lie and how large they are, looked at once. */
export class PlateFiles {
  readonly #index: PlateIndex;
  /** Absolute paths of directories, by number, made when first needed. */
  readonly #folders: string[] = [];

  constructor(index: PlateIndex) {
    this.#index = index;
  }

  absolutePath(file: number): string {
    const { rootPath, files } = this.#index;
    const directory = files.directories[file] ?? 0;
    const folder = (this.#folders[directory] ??= join(rootPath, directoryPath(this.#index, directory)));
    return `${folder}/${nameAt(files.names, file)}`;
  }

  isKnown(file: number): boolean {
    return (this.#index.files.sizeBytes[file] ?? -1) >= 0;
  }

  /** @throws the system's error when the file is gone. */
  attributes(file: number): TreeAttributes {
    const { sizeBytes, mtimeMs } = this.#index.files;
    if (!this.isKnown(file)) this.refresh(file);
    return { directory: false, sizeBytes: sizeBytes[file] ?? 0, mtimeMs: mtimeMs[file] ?? 0, live: false };
  }

  /** Looks at a file again. @throws the system's error when it is gone. */
  refresh(file: number): void {
    const stat = statSync(this.absolutePath(file));
    this.#index.files.mtimeMs[file] = stat.mtimeMs;
    this.#index.files.sizeBytes[file] = stat.size;
  }
}
