import type { TiffPage } from './tiff-structure.ts';

/**
 * `rows` pieces of `sizeBytes` each: piece r lies at `fileOffset + r * fileStride` of the file and at
 * `chunkOffset + r * chunkStride` of the decoded chunk number `chunk`.
 */
export interface PixelRun {
  readonly fileOffset: number;
  readonly chunk: number;
  readonly chunkOffset: number;
  readonly sizeBytes: number;
  readonly rows: number;
  readonly fileStride: number;
  readonly chunkStride: number;
}

/**
 * Pure: where the pixels of an uncompressed page lie. Chunk numbers start at `firstChunk`: one chunk for the
 * page, or one per sample when the samples lie in planes of their own (PlanarConfiguration 2).
 */
export function pixelRuns(page: TiffPage, itemSizeBytes: number, firstChunk: number): PixelRun[] {
  const isPlanar = page.planarConfiguration === 2 && page.samplesPerPixel > 1;
  const pixelBytes = itemSizeBytes * (isPlanar ? 1 : page.samplesPerPixel);
  const rowBytes = page.width * pixelBytes;
  const planes = isPlanar ? page.samplesPerPixel : 1;
  const perPlane = page.offsets.length / planes;
  const runs: PixelRun[] = [];
  page.offsets.forEach((fileOffset, index) => {
    const chunk = firstChunk + Math.floor(index / perPlane);
    const within = index % perPlane;
    if (page.tile) {
      const across = Math.ceil(page.width / page.tile.width);
      const x = (within % across) * page.tile.width;
      const y = Math.floor(within / across) * page.tile.height;
      runs.push({
        fileOffset,
        chunk,
        chunkOffset: y * rowBytes + x * pixelBytes,
        sizeBytes: Math.min(page.tile.width, page.width - x) * pixelBytes,
        rows: Math.min(page.tile.height, page.height - y),
        fileStride: page.tile.width * pixelBytes,
        chunkStride: rowBytes,
      });
      return;
    }
    const firstRow = within * page.rowsPerStrip;
    const sizeBytes = Math.min(page.rowsPerStrip, page.height - firstRow) * rowBytes;
    const run = { fileOffset, chunk, chunkOffset: firstRow * rowBytes, sizeBytes };
    const last = runs.at(-1);
    if (last && last.chunk === chunk && last.fileOffset + last.sizeBytes === fileOffset) {
      runs[runs.length - 1] = { ...last, sizeBytes: last.sizeBytes + sizeBytes };
      return;
    }
    runs.push({ ...run, rows: 1, fileStride: 0, chunkStride: 0 });
  });
  return runs;
}

/** Pieces sorted by their place in the file, none overlapping another: the map from file to chunks. */
export interface PixelMap {
  readonly starts: Float64Array;
  readonly sizes: Float64Array;
  readonly chunks: Uint32Array;
  readonly chunkOffsets: Float64Array;
  /** Bytes of the file that lie before piece i and in no piece: where its gap lies in the sidecar. */
  readonly gapsBefore: Float64Array;
}

/** Pure: expands runs into a map. A piece that overlaps an earlier one is dropped: the earlier one gives its bytes. */
export function pixelMap(runs: readonly PixelRun[], itemSizeBytes: number): PixelMap {
  const pieces: [start: number, size: number, chunk: number, chunkOffset: number][] = [];
  for (const run of runs) {
    for (let row = 0; row < run.rows; row++) {
      pieces.push([
        run.fileOffset + row * run.fileStride,
        run.sizeBytes,
        run.chunk,
        run.chunkOffset + row * run.chunkStride,
      ]);
    }
  }
  pieces.sort((a, b) => a[0] - b[0]);
  const kept: typeof pieces = [];
  let end = 0;
  for (const [start, size, chunk, chunkOffset] of pieces) {
    // Cut to whole elements, so that a byte-swapped piece stays one.
    const skip = start < end ? Math.ceil((end - start) / itemSizeBytes) * itemSizeBytes : 0;
    if (skip >= size) continue;
    kept.push([start + skip, size - skip, chunk, chunkOffset + skip]);
    end = start + size;
  }
  const gapsBefore = new Float64Array(kept.length + 1);
  let position = 0;
  let gaps = 0;
  kept.forEach(([start, size], index) => {
    gaps += start - position;
    gapsBefore[index] = gaps;
    position = start + size;
  });
  gapsBefore[kept.length] = gaps;
  return {
    starts: Float64Array.from(kept, (piece) => piece[0]),
    sizes: Float64Array.from(kept, (piece) => piece[1]),
    chunks: Uint32Array.from(kept, (piece) => piece[2]),
    chunkOffsets: Float64Array.from(kept, (piece) => piece[3]),
    gapsBefore,
  };
}

/** A range of the file and where its bytes come from. */
export type ByteOrigin =
  | {
      readonly kind: 'gap';
      readonly fileOffset: number;
      readonly sizeBytes: number;
      readonly gapOffset: number;
    }
  | {
      readonly kind: 'pixels';
      readonly fileOffset: number;
      readonly sizeBytes: number;
      readonly chunk: number;
      /** Where the piece starts in the chunk, and how far into the piece the range starts. */
      readonly chunkOffset: number;
      readonly skip: number;
    };

/** Pure: the origins of `[offsetBytes, offsetBytes + sizeBytes)`, gapless and in order. */
export function* origins(map: PixelMap, offsetBytes: number, sizeBytes: number): Generator<ByteOrigin> {
  const end = offsetBytes + sizeBytes;
  let index = firstPieceEndingAfter(map, offsetBytes);
  let at = offsetBytes;
  while (at < end) {
    const start = map.starts[index] ?? Number.POSITIVE_INFINITY;
    if (at < start) {
      const to = Math.min(start, end);
      const pieceEnd = index > 0 ? (map.starts[index - 1] ?? 0) + (map.sizes[index - 1] ?? 0) : 0;
      const gapsBeforeHere = index > 0 ? (map.gapsBefore[index - 1] ?? 0) : 0;
      yield { kind: 'gap', fileOffset: at, sizeBytes: to - at, gapOffset: gapsBeforeHere + at - pieceEnd };
      at = to;
      continue;
    }
    const to = Math.min(start + (map.sizes[index] ?? 0), end);
    yield {
      kind: 'pixels',
      fileOffset: at,
      sizeBytes: to - at,
      chunk: map.chunks[index] ?? 0,
      chunkOffset: map.chunkOffsets[index] ?? 0,
      skip: at - start,
    };
    at = to;
    index++;
  }
}

function firstPieceEndingAfter(map: PixelMap, offset: number): number {
  let low = 0;
  let high = map.starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((map.starts[middle] ?? 0) + (map.sizes[middle] ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Copies bytes `[skip, skip + target.length)` of a piece that starts at `chunkOffset` of `chunk`; with
 * `swapBytes` above 1 the file holds each element of so many bytes in the reverse order.
 */
export function copyPixels(
  chunk: Uint8Array,
  chunkOffset: number,
  skip: number,
  swapBytes: number,
  target: Uint8Array,
): void {
  if (swapBytes <= 1) {
    target.set(chunk.subarray(chunkOffset + skip, chunkOffset + skip + target.length));
    return;
  }
  for (let index = 0; index < target.length; index++) {
    const at = skip + index;
    const within = at % swapBytes;
    target[index] = chunk[chunkOffset + at - within + (swapBytes - 1 - within)] ?? 0;
  }
}
