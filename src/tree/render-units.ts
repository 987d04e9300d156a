import { LRUCache } from 'lru-cache';
import type { FileLayout } from '../encoders.ts';

const MAX_KNOWN_LAYOUTS = 64;

/** Bytes of a rendered file that are decoded together. */
export interface RenderUnit {
  /** Different from those of other files. */
  readonly name: string;
  readonly startBytes: number;
  readonly endBytes: number;
}

/**
 * Which parts of rendered files are decoded together, so that whoever hands out reads can have one thread do all of
 * one part. Cheap: asked at every read.
 */
export class RenderUnits {
  readonly #layouts = new LRUCache<number, FileLayout>({ max: MAX_KNOWN_LAYOUTS });
  readonly #findLayout: (node: number) => FileLayout | undefined;

  constructor(findLayout: (node: number) => FileLayout | undefined) {
    this.#findLayout = findLayout;
  }

  /** The unit that a byte lies in: all of the file where nothing is known of its parts. */
  at(node: number, offsetBytes: number): RenderUnit {
    const layout = this.#layoutOf(node);
    const segment = layout && offsetBytes < layout.sizeBytes ? layout.segments(offsetBytes, 1)[0] : undefined;
    if (!segment) return { name: `${node}`, startBytes: 0, endBytes: Number.POSITIVE_INFINITY };
    const { offsetBytes: startBytes } = segment;
    const sizeBytes = segment.kind === 'bytes' ? segment.bytes.length : segment.sizeBytes;
    return { name: `${node}:${startBytes}`, startBytes, endBytes: startBytes + sizeBytes };
  }

  #layoutOf(node: number): FileLayout | undefined {
    const known = this.#layouts.get(node);
    if (known) return known;
    let layout: FileLayout | undefined;
    try {
      layout = this.#findLayout(node);
    } catch {
      // Whoever reads the file gets the error, and tells of it.
      return undefined;
    }
    if (layout) this.#layouts.set(node, layout);
    return layout;
  }

  /** Files may be put together otherwise now. */
  clear(): void {
    this.#layouts.clear();
  }
}
