import type { PourableBytes } from '../core/byte-pipe.ts';
import type { Region } from '../core/region.ts';
import type { FileLayout, Segment } from '../encoders.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import type { ByteWindow } from '../sources.ts';
import { decodeAhead, type PartialPlane, readPlanePart } from './plane-blocks.ts';
import type { SourceFiles } from './source-files.ts';

/** Where the pixels of a virtual file come from. Regions are those the layout's segments name. */
export interface PixelAccess {
  /** Where the region's bytes lie verbatim in a source file, else undefined. Cheap: asked at every read. */
  window?(region: Region): ByteWindow | undefined;
  /**
   * How the region, whose rows are whole, is read in parts: `zeros` where there is nothing to read, undefined where
   * it can only be read whole. Cheap: asked at every read.
   */
  parts?(region: Region): PartialPlane | 'zeros' | undefined;
  /**
   * Fills `target` with the region's pixels, little-endian, C order. `target` is exactly as long.
   * @throws a typed error that names the file; then nothing of the read is served.
   */
  readPixels(region: Region, target: Uint8Array): void;
}

export interface LayoutReaderOptions {
  readonly layout: FileLayout;
  readonly pixels: PixelAccess;
  /** Names the virtual file in the cache: equal for equal bytes, so it changes when a source does. */
  readonly cacheKey: string;
  readonly planes: ByteCache;
  readonly files: SourceFiles;
}

/**
 * Reads any byte range of a virtual file: one reader for every encoder, synchronous, for a thread that may
 * block. Literal bytes are copied; pixels with a window are read from the source straight into the caller's
 * memory; other pixels are decoded, straight into the caller's memory when the range holds all that is decoded at
 * once, else once into the cache. What lies outside the range is never decoded, where the source can be read in parts.
 */
export class LayoutReader {
  readonly sizeBytes: number;
  readonly #options: LayoutReaderOptions;

  constructor(options: LayoutReaderOptions) {
    this.#options = options;
    this.sizeBytes = options.layout.sizeBytes;
  }

  /**
   * Fills `target` from byte `offsetBytes` of the file.
   * @returns bytes filled: all of `target`, fewer only at the end of the file, 0 beyond it.
   * @throws whatever the source throws; `target` then holds nothing to be served.
   */
  read(offsetBytes: number, target: Uint8Array): number {
    const end = Math.min(offsetBytes + target.length, this.sizeBytes);
    if (end <= offsetBytes) return 0;
    let filled = offsetBytes;
    for (const segment of this.#options.layout.segments(offsetBytes, end - offsetBytes)) {
      const segmentBytes = segment.kind === 'bytes' ? segment.bytes.length : segment.sizeBytes;
      const from = Math.max(offsetBytes, segment.offsetBytes);
      const to = Math.min(end, segment.offsetBytes + segmentBytes);
      if (from >= to) continue;
      if (from !== filled) break;
      this.#fill(segment, from - segment.offsetBytes, target.subarray(from - offsetBytes, to - offsetBytes));
      filled = to;
    }
    if (filled !== end) {
      throw new RangeError(`the layout has a gap at byte ${filled} of ${this.sizeBytes}`);
    }
    return end - offsetBytes;
  }

  /**
   * A range of the file, where no pixel of it has to be decoded or made up; else undefined.
   * @throws whatever the source throws.
   */
  pourable(offsetBytes: number, sizeBytes: number): PourableBytes | undefined {
    const end = Math.min(offsetBytes + sizeBytes, this.sizeBytes);
    const pieces: (Uint8Array | ByteWindow)[] = [];
    let filled = offsetBytes;
    for (const segment of this.#options.layout.segments(offsetBytes, Math.max(0, end - offsetBytes))) {
      const segmentBytes = segment.kind === 'bytes' ? segment.bytes.length : segment.sizeBytes;
      const skipBytes = Math.max(offsetBytes, segment.offsetBytes) - segment.offsetBytes;
      const takenBytes = Math.min(end - segment.offsetBytes, segmentBytes) - skipBytes;
      if (takenBytes <= 0) continue;
      if (segment.offsetBytes + skipBytes !== filled) return undefined;
      filled += takenBytes;
      if (segment.kind === 'bytes') {
        pieces.push(segment.bytes.subarray(skipBytes, skipBytes + takenBytes));
        continue;
      }
      const window = this.#windowOf(segment);
      if (window === undefined) return undefined;
      const { path } = window;
      pieces.push({ path, offsetBytes: window.offsetBytes + skipBytes, sizeBytes: takenBytes });
    }
    if (pieces.length === 0 || filled !== end) return undefined;
    const { files } = this.#options;
    return {
      sizeBytes: end - offsetBytes,
      pieces: pieces.length,
      pourInto: (pipe) =>
        pieces.every((piece) =>
          piece instanceof Uint8Array ? pipe.bytes(piece) : files.pourWindow(piece, pipe),
        ),
    };
  }

  /**
   * Decodes the planes of a range into the cache, step by step, but for what lies before `passedBytes` of the file by
   * then. @throws whatever the source throws.
   */
  *decodeAhead(offsetBytes: number, sizeBytes: number, passedBytes: () => number): Generator<void> {
    const { layout, pixels, planes } = this.#options;
    for (const segment of layout.segments(offsetBytes, sizeBytes)) {
      if (segment.kind === 'bytes' || this.#windowOf(segment)) continue;
      const plane = pixels.parts?.(segment.region);
      if (plane && plane !== 'zeros')
        yield* decodeAhead(plane, planes, () => passedBytes() - segment.offsetBytes);
    }
  }

  /** Where a segment's pixels lie verbatim. @throws RangeError when the source says another size than the layout. */
  #windowOf(segment: Extract<Segment, { kind: 'pixels' }>): ByteWindow | undefined {
    const window = this.#options.pixels.window?.(segment.region);
    if (window !== undefined && window.sizeBytes !== segment.sizeBytes) {
      throw new RangeError(
        `${window.path}: a window of ${window.sizeBytes} bytes for ${segment.sizeBytes} bytes of pixels`,
      );
    }
    return window;
  }

  #fill(segment: Segment, skipBytes: number, part: Uint8Array): void {
    if (segment.kind === 'bytes') {
      part.set(segment.bytes.subarray(skipBytes, skipBytes + part.length));
      return;
    }
    const { pixels, planes, files } = this.#options;
    const window = this.#windowOf(segment);
    if (window !== undefined) {
      files.readWindow(window, skipBytes, part);
      return;
    }
    const plane = pixels.parts?.(segment.region);
    if (plane === 'zeros') {
      part.fill(0);
      return;
    }
    if (plane) {
      readPlanePart(plane, planes, skipBytes, part);
      return;
    }
    this.#fillWhole(segment, skipBytes, part);
  }

  /** From pixels that can only be decoded together. */
  #fillWhole(segment: Extract<Segment, { kind: 'pixels' }>, skipBytes: number, part: Uint8Array): void {
    const { pixels, planes, cacheKey } = this.#options;
    const key = `${cacheKey}\0${segment.offsetBytes}`;
    let plane = planes.get(key);
    if (plane === undefined) {
      if (part.length === segment.sizeBytes) {
        pixels.readPixels(segment.region, part);
        return;
      }
      plane = new Uint8Array(segment.sizeBytes);
      pixels.readPixels(segment.region, plane);
      planes.set(key, plane);
    }
    part.set(plane.subarray(skipBytes, skipBytes + part.length));
  }
}
