import { stat } from 'node:fs/promises';
import { CancelledError, PlateFsError, UnreadableSourceError } from '../../core/errors.ts';
import type { IndexOptions } from '../../formats.ts';
import type { ExclusionReason } from '../../model/plate.ts';
import { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { joinPath } from './plate-path.ts';
import { type WalkedDirectory, walkPlate } from './plate-walk.ts';
import { WalkAside } from './walk-aside.ts';

/** What a file is by its name: an image waits for what the metadata says of it. */
export type Sorting = ExclusionReason | 'image';

/** A file of the plate: its path below the root and its number in the builder. */
export interface SurveyedFile {
  readonly path: string;
  readonly file: number;
}

/** Every file of a plate, before the metadata is asked what its images are. */
export class PlateSurvey {
  readonly root: string;
  readonly builder: PlateIndexBuilder;
  /** Path below the root → file number. */
  readonly images = new Map<string, number>();
  readonly metadata: SurveyedFile[] = [];
  readonly #aside = new WalkAside();

  constructor(root: string, directory: WalkedDirectory) {
    this.root = root;
    this.builder = new PlateIndexBuilder(root, directory);
  }

  take(number: number, directory: WalkedDirectory, sort: (name: string, folder: string) => Sorting): void {
    const { path, files } = directory;
    for (const name of files) {
      const sorting = sort(name, path);
      const file = this.builder.addFile(number, name, sorting === 'image' ? 'other' : sorting);
      if (sorting === 'image') this.images.set(joinPath(path, name), file);
      if (sorting === 'metadata') this.metadata.push({ path: joinPath(path, name), file });
    }
    this.#aside.add(directory);
  }

  /** The metadata files right in the plate's folder whose names end so, in order. */
  metadataNamed(ending: string): SurveyedFile[] {
    return this.metadata.filter(({ path }) => !path.includes('/') && path.toLowerCase().endsWith(ending));
  }

  /**
   * Lets a metadata file be read and marks it as evidence. What can't be read or understood is a warning that
   * ends with `rule`, and undefined.
   * @throws CancelledError
   */
  async consult<T>(
    { path, file }: SurveyedFile,
    read: (absolutePath: string) => Promise<T>,
    rule: string,
  ): Promise<T | undefined> {
    const absolute = `${this.root}/${path}`;
    try {
      this.builder.addEvidence(file, ...(await sizeAndTime(absolute)));
      return await read(absolute);
    } catch (error) {
      if (error instanceof CancelledError || !(error instanceof PlateFsError)) throw error;
      const message = error.message.replaceAll(`${this.root}/`, '');
      this.builder.addWarning({ kind: 'bad-metadata', message, files: [path], rule });
      return undefined;
    }
  }

  /** Tells what the walk had to leave aside. */
  warn(): void {
    for (const warning of this.#aside.warnings()) this.builder.addWarning(warning);
  }
}

async function sizeAndTime(path: string): Promise<[sizeBytes: number, mtimeMs: number]> {
  try {
    const { size, mtimeNs } = await stat(path, { bigint: true });
    return [Number(size), Number(mtimeNs) / 1e6];
  } catch (cause) {
    throw new UnreadableSourceError(path, "can't be read", { cause, advice: 'check its permissions' });
  }
}

/**
 * Walks a plate and sorts its files by their names.
 * @throws CancelledError, UnreadableSourceError when the root can't be listed.
 */
export async function surveyPlate(
  root: string,
  options: IndexOptions,
  signal: AbortSignal,
  sort: (name: string, folder: string) => Sorting,
): Promise<PlateSurvey> {
  let survey: PlateSurvey | undefined;
  let directories = 0;
  for await (const directory of walkPlate(root, signal, options)) {
    survey ??= new PlateSurvey(root, directory);
    const number =
      directories === 0 ? 0 : survey.builder.addDirectory(directory.parent, directory.name, directory);
    directories += 1;
    survey.take(number, directory, sort);
    options.onProgress?.({ files: survey.builder.fileCount, directories });
  }
  if (!survey) throw new Error('the walk yields the root or throws');
  survey.warn();
  return survey;
}
