import type { PourableBytes } from '../core/byte-pipe.ts';
import type { Region } from '../core/region.ts';
import type { FileLayout, Segment } from '../encoders.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import type { ByteWindow } from '../sources.ts';
import { decodeAhead, type PartialPlane, readPlanePart } from './plane-blocks.ts';
import type { SourceFiles } from './source-files.ts';

/** Where the pixels of a virtual file come from. Regions are those the layout's segments name or ask for. */
export interface PixelAccess {
  /** Where the region's bytes lie verbatim in a source file, else undefined. Cheap: asked at every read. */
  window?(region: Region): ByteWindow | undefined;
  /**
   * How the region, whose rows are whole, is read in parts: `zeros` where there is nothing to read, undefined where
   * it can only be read whole. Cheap: asked at every read.
   */
  parts?(region: Region): PartialPlane | 'zeros' | undefined;
  /** Rows of a plane, where the others take whole planes only; any region unless set. */
  readonly planeHeight?: number;
  /** Tells a region's pixels from those that their file held before it changed; absent where `cacheKey` does. */
  version?(region: Region): string;
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

/** Names a piece of a file in the cache that can only be made whole. */
export const wholeKey = (file: string, version: string | undefined, offsetBytes: number): string =>
  `${file}\0${offsetBytes}\0${version ?? ''}`;

/**
 * Reads any byte range of a virtual file: one reader for every encoder, synchronous, for a thread that may
 * block. Literal bytes are copied; pixels with a window are read from the source straight into the caller's
 * memory; other pixels are decoded, straight into the caller's memory when the range holds all that is decoded at
 * once, else once into the cache. What lies outside the range is never decoded, where the source can be read in parts; what is made of pixels
 * is made once into the cache.
 */
export class LayoutReader {
  readonly layout: FileLayout;
  readonly #options: LayoutReaderOptions;

  constructor(options: LayoutReaderOptions) {
    this.#options = options;
    this.layout = options.layout;
  }

  /**
   * Fills `target` from byte `offsetBytes` of the file.
   * @returns bytes filled: all of `target`, fewer only at the end of the file, 0 beyond it.
   * @throws whatever the source throws; `target` then holds nothing to be served.
   */
  read(offsetBytes: number, target: Uint8Array): number {
    const end = Math.min(offsetBytes + target.length, this.layout.sizeBytes);
    if (end <= offsetBytes) return 0;
    let filled = offsetBytes;
    for (const segment of this.layout.segments(offsetBytes, end - offsetBytes)) {
      const segmentBytes = segment.kind === 'bytes' ? segment.bytes.length : segment.sizeBytes;
      const from = Math.max(offsetBytes, segment.offsetBytes);
      const to = Math.min(end, segment.offsetBytes + segmentBytes);
      if (from >= to) continue;
      if (from !== filled) break;
      this.#fill(segment, from - segment.offsetBytes, target.subarray(from - offsetBytes, to - offsetBytes));
      filled = to;
    }
    if (filled !== end) {
      throw new RangeError(`the layout has a gap at byte ${filled} of ${this.layout.sizeBytes}`);
    }
    return end - offsetBytes;
  }

  /**
   * A range of the file, where no pixel of it has to be decoded or made up; else undefined.
   * @throws whatever the source throws.
   */
  pourable(offsetBytes: number, sizeBytes: number): PourableBytes | undefined {
    const end = Math.min(offsetBytes + sizeBytes, this.layout.sizeBytes);
    const pieces: (Uint8Array | ByteWindow)[] = [];
    let filled = offsetBytes;
    for (const segment of this.layout.segments(offsetBytes, Math.max(0, end - offsetBytes))) {
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
      const window =
        segment.kind === 'pixels' ? this.#windowOf(segment.region, segment.sizeBytes) : undefined;
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
      if (segment.kind !== 'pixels' || this.#windowOf(segment.region, segment.sizeBytes)) continue;
      const plane = pixels.parts?.(segment.region);
      if (plane && plane !== 'zeros')
        yield* decodeAhead(plane, planes, () => passedBytes() - segment.offsetBytes);
    }
  }

  /** Whether pixels that are decoded for a byte of the file cost no more in another thread than in this one. */
  isExactAt(offsetBytes: number): boolean {
    const [segment] = this.layout.segments(offsetBytes, 1);
    if (segment?.kind !== 'pixels') return false;
    const plane = this.#options.pixels.parts?.(segment.region);
    return plane !== undefined && plane !== 'zeros' && plane.isExact === true;
  }

  /** Where a region's pixels lie verbatim. @throws RangeError when the source says another size than the layout. */
  #windowOf(region: Region, sizeBytes: number): ByteWindow | undefined {
    const window = this.#options.pixels.window?.(region);
    if (window !== undefined && window.sizeBytes !== sizeBytes) {
      throw new RangeError(
        `${window.path}: a window of ${window.sizeBytes} bytes for ${sizeBytes} bytes of pixels`,
      );
    }
    return window;
  }

  #fill(segment: Segment, skipBytes: number, part: Uint8Array): void {
    if (segment.kind === 'bytes') {
      part.set(segment.bytes.subarray(skipBytes, skipBytes + part.length));
      return;
    }
    if (segment.kind === 'derived') {
      this.#fillWhole(segment, skipBytes, part);
      return;
    }
    const { pixels, planes, files } = this.#options;
    const window = this.#windowOf(segment.region, segment.sizeBytes);
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
  #fillWhole(segment: Exclude<Segment, { kind: 'bytes' }>, skipBytes: number, part: Uint8Array): void {
    const { pixels, planes, cacheKey } = this.#options;
    const key = wholeKey(cacheKey, pixels.version?.(segment.region), segment.offsetBytes);
    let made = planes.get(key);
    if (made === undefined) {
      if (segment.kind === 'derived') made = this.#derive(segment);
      else if (part.length === segment.sizeBytes) {
        pixels.readPixels(segment.region, part);
        return;
      } else {
        made = planes.take(segment.sizeBytes);
        pixels.readPixels(segment.region, made);
      }
      planes.set(key, made);
    }
    part.set(made.subarray(skipBytes, skipBytes + part.length));
    planes.served(key, part.length);
  }

  /** @throws RangeError when the piece isn't as long as the layout says. */
  #derive(segment: Extract<Segment, { kind: 'derived' }>): Uint8Array {
    const { planeHeight } = this.#options.pixels;
    // What is decoded on the way must not be taken for the piece.
    const offsetBytes = -1 - segment.offsetBytes;
    const made = segment.derive((region, target) => {
      const [t = 0, c = 0, z = 0, y = 0] = region.start;
      const rows = region.shape[3] ?? 1;
      const width = region.shape[4] ?? 1;
      const whole = { kind: 'pixels', offsetBytes, sizeBytes: target.length, region } as const;
      if (planeHeight === undefined || rows === planeHeight) {
        this.#fill(whole, 0, target);
        return;
      }
      const rowBytes = target.length / rows;
      const plane = { start: [t, c, z, 0, 0], shape: [1, 1, 1, planeHeight, width] };
      this.#fill({ ...whole, sizeBytes: rowBytes * planeHeight, region: plane }, y * rowBytes, target);
    });
    if (made.length !== segment.sizeBytes)
      throw new RangeError(`${made.length} bytes were made for a piece of ${segment.sizeBytes}`);
    return made;
  }
}
