import { BadTiffError, CancelledError } from '../../core/errors.ts';
import type { Dtype } from '../../core/nd-array.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import type { TiffDirectory, TiffLook } from './tiff-look.ts';

/** Pages of one file that are looked at. */
const MAX_PAGES = 10_000_000;

/** What pages have in common. */
interface PageKind {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly dtype: Dtype | undefined;
  readonly isReduced: boolean;
}

/** The pages of a TIFF, as their directories describe them. */
export class PageTable {
  /** What ended the chain before its time, where something did: the pages before it count. */
  fault: BadTiffError | undefined;
  readonly #kinds: PageKind[] = [];
  readonly #kindNumbers = new Map<string, number>();
  readonly #pages: number[] = [];

  get count(): number {
    return this.#pages.length;
  }

  add({ width, height, samples, dtype, isReduced }: TiffDirectory): void {
    const key = `${width} ${height} ${samples} ${dtype} ${isReduced}`;
    let kind = this.#kindNumbers.get(key);
    if (kind === undefined) {
      kind = this.#kinds.push({ width, height, samples, dtype, isReduced }) - 1;
      this.#kindNumbers.set(key, kind);
    }
    this.#pages.push(kind);
  }

  #kind(page: number): PageKind | undefined {
    return this.#kinds[this.#pages[page] ?? -1];
  }

  /** Samples of a pixel; 0 for a page that is not there. */
  samples(page: number): number {
    return this.#kind(page)?.samples ?? 0;
  }

  /** Extent and type of a page of one sample; undefined for any other and where there is none. */
  shape(page: number): PlaneShape | undefined {
    const kind = this.#kind(page);
    if (kind?.samples !== 1 || kind.dtype === undefined) return undefined;
    const { width, height, dtype } = kind;
    return width > 0 && height > 0 ? { width, height, dtype } : undefined;
  }

  /** Numbers of the pages that are no smaller copies of others. */
  *fullPages(): Generator<number> {
    for (let page = 0; page < this.count; page += 1) if (!this.#kind(page)?.isReduced) yield page;
  }
}

/**
 * Looks at every page of a TIFF; `each` is told them in their order, before the next is read.
 * @throws BadTiffError when not even the first can be read, UnreadableSourceError, CancelledError
 */
export async function readPages(
  look: TiffLook,
  signal: AbortSignal,
  each: (directory: TiffDirectory, page: number) => void = () => undefined,
): Promise<PageTable> {
  const pages = new PageTable();
  try {
    for await (const directory of look.directories()) {
      if (signal.aborted) throw new CancelledError('looking at the pages of a TIFF was cancelled');
      if (pages.count >= MAX_PAGES) throw look.bad(`it has more than ${MAX_PAGES} pages`);
      each(directory, pages.count);
      pages.add(directory);
    }
  } catch (error) {
    if (!(error instanceof BadTiffError) || pages.count === 0) throw error;
    pages.fault = error;
  }
  return pages;
}
