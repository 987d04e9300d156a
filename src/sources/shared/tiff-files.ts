import { createHash } from 'node:crypto';
import { fstatSync, statSync } from 'node:fs';
import { SourceChangedError, UnreadableSourceError } from '../../core/errors.ts';
import { fileIdentity } from '../../core/file-identity.ts';
import { TiffFile } from './tiff-file.ts';
import type { TiffPage } from './tiff-page.ts';

/** Files of a set that are open at once: a set may have thousands. */
const MAX_OPEN = 8;
/** Pages remembered with where their strips or tiles lie, counted by these. */
const MAX_SEGMENTS = 1 << 20;

/** What tells this state of a file from any other. @throws UnreadableSourceError */
export function fileStamp(path: string): string {
  try {
    return fileIdentity(statSync(path, { bigint: true }));
  } catch (cause) {
    throw new UnreadableSourceError(path, 'is not there', { cause });
  }
}

/** One text for the state of several files. */
export const versionOf = (stamps: readonly string[]): string =>
  stamps.length === 1
    ? (stamps[0] ?? '')
    : `${stamps[0]}+${createHash('sha256').update(stamps.slice(1).join()).digest('hex')}`;

/**
 * The files an image is spread over, opened when they are asked for, and as they were when they were added: a file
 * that is another one or has changed since is a SourceChangedError.
 */
export class TiffFiles implements Disposable {
  readonly #paths: string[] = [];
  readonly #stamps: string[] = [];
  /** In order of use, the latest last. */
  readonly #open = new Map<number, TiffFile>();
  readonly #pages = new Map<string, TiffPage>();
  #segments = 0;

  /** @returns the file's number. @throws UnreadableSourceError */
  add(path: string): number {
    const known = this.#paths.indexOf(path);
    if (known >= 0) return known;
    this.#stamps.push(fileStamp(path));
    return this.#paths.push(path) - 1;
  }

  get paths(): readonly string[] {
    return this.#paths;
  }

  get version(): string {
    return versionOf(this.#stamps);
  }

  #changed(path: string): SourceChangedError {
    return new SourceChangedError(path, 'it is no longer the file that was looked at', {
      advice: 'mount it again',
    });
  }

  /**
   * The file, open and as it was when it was added.
   * @throws SourceChangedError, BadTiffError, UnreadableSourceError
   */
  file(number: number): TiffFile {
    const path = this.#paths[number] ?? '';
    const stamp = this.#stamps[number];
    const known = this.#open.get(number);
    if (known) {
      if (fileIdentity(fstatSync(known.fd, { bigint: true })) !== stamp) throw this.#changed(path);
      this.#open.delete(number);
      this.#open.set(number, known);
      return known;
    }
    const file = this.#openChecked(path, stamp);
    for (const [oldest, other] of this.#open) {
      if (this.#open.size < MAX_OPEN) break;
      other[Symbol.dispose]();
      this.#open.delete(oldest);
      this.#forgetPages();
    }
    this.#open.set(number, file);
    return file;
  }

  #openChecked(path: string, stamp: string | undefined): TiffFile {
    let file: TiffFile;
    try {
      file = new TiffFile(path);
    } catch (error) {
      // A file that was a TIFF before has changed, whatever else is wrong with it now.
      if (fileStamp(path) !== stamp) throw this.#changed(path);
      throw error;
    }
    if (fileIdentity(fstatSync(file.fd, { bigint: true })) === stamp) return file;
    file[Symbol.dispose]();
    throw this.#changed(path);
  }

  /** A page by its place in the file's chain. @throws as {@link file} */
  page(number: number, index: number): TiffPage {
    return this.#remembered(this.file(number), `${number} ${index}`, (file) => file.page(index));
  }

  /** A directory below a page: a smaller copy of it. @throws as {@link file}; BadTiffError when there is none */
  pageBelow(number: number, index: number, level: number): TiffPage {
    const above = this.page(number, index);
    return this.#remembered(this.file(number), `${number} ${index} ${level}`, (file) => {
      const offset = above.subIfdOffsets()[level];
      if (offset === undefined) throw above.bad(`page ${index} has no level ${level + 1}`);
      return file.pageAt(offset);
    });
  }

  #remembered(file: TiffFile, key: string, read: (file: TiffFile) => TiffPage): TiffPage {
    const known = this.#pages.get(key);
    if (known) return known;
    const page = read(file);
    this.#segments += page.segmentsAcross * page.segmentsDown * (page.planar ? page.samples : 1) + 64;
    if (this.#segments > MAX_SEGMENTS) this.#forgetPages();
    this.#pages.set(key, page);
    return page;
  }

  /** Pages read on through the file they come from. */
  #forgetPages(): void {
    this.#pages.clear();
    this.#segments = 0;
  }

  [Symbol.dispose](): void {
    for (const file of this.#open.values()) file[Symbol.dispose]();
    this.#open.clear();
    this.#forgetPages();
  }
}
