import { LRUCache } from 'lru-cache';
import type { FileLayout } from '../encoders.ts';

/** Of a thread. A stack of a hundred planes has 25 kB of it, an OME-TIFF of ten thousand some megabytes. */
const MAX_KNOWN_BYTES = 8 * 1024 * 1024;
/** What a layout takes beside its literal bytes: objects that describe the image. */
const LEAST_BYTES = 4096;

/** Memory that a layout takes, roughly: most of it is what the file begins with. */
export function layoutBytes(layout: FileLayout): number {
  const [first] = layout.sizeBytes > 0 ? layout.segments(0, 1) : [];
  return LEAST_BYTES + (first?.kind === 'bytes' ? first.bytes.length : 0);
}

/** What was made of layouts, by node, least recently used first out. One that is larger than all of it stays as well. */
export function layoutCache<T extends object>(layoutOf: (made: T) => FileLayout): LRUCache<number, T> {
  return new LRUCache({
    maxSize: MAX_KNOWN_BYTES,
    sizeCalculation: (made) => Math.min(layoutBytes(layoutOf(made)), MAX_KNOWN_BYTES / 2),
  });
}

/** How rendered files are laid out, remembered: it is asked at every read. */
export class KnownLayouts {
  readonly #layouts = layoutCache<FileLayout>((layout) => layout);
  readonly #find: (node: number) => FileLayout | undefined;

  /** @param find undefined for a file of which nothing is known before it is read; may throw. */
  constructor(find: (node: number) => FileLayout | undefined) {
    this.#find = find;
  }

  of(node: number): FileLayout | undefined {
    const known = this.#layouts.get(node);
    if (known) return known;
    let layout: FileLayout | undefined;
    try {
      layout = this.#find(node);
    } catch {
      // Whoever reads the file gets the error, and tells of it.
      return undefined;
    }
    if (layout) this.#layouts.set(node, layout);
    return layout;
  }

  /**
   * Fills `target` from a file where all of the range is literal bytes: headers, documents.
   * @returns bytes filled, fewer only at the end of the file; undefined where the range is empty or has to be put together.
   */
  readLiteral(node: number, offsetBytes: number, target: Uint8Array): number | undefined {
    const layout = this.of(node);
    const end = Math.min(offsetBytes + target.length, layout?.sizeBytes ?? 0);
    if (!layout || end <= offsetBytes) return undefined;
    // Mostly it is the end of a header that is followed by pixels: then nothing else has to be looked at.
    if (layout.segments(end - 1, 1).some(({ kind }) => kind !== 'bytes')) return undefined;
    let filled = offsetBytes;
    for (const segment of layout.segments(offsetBytes, end - offsetBytes)) {
      if (segment.kind !== 'bytes') return undefined;
      const skipBytes = filled - segment.offsetBytes;
      const part = segment.bytes.subarray(skipBytes, skipBytes + end - filled);
      target.set(part, filled - offsetBytes);
      filled += part.length;
    }
    return filled === end ? end - offsetBytes : undefined;
  }

  /** Files may be put together otherwise now. */
  clear(): void {
    this.#layouts.clear();
  }
}
