import type { ByteCache } from '../memory/byte-cache.ts';
import type { PlaneBlock, PlaneBox } from '../sources.ts';

/** A plane that can be read in parts, row by row and block by block. */
export interface PartialPlane {
  /** Names the plane's pixels in the cache: another one when its file changes. */
  readonly key: string;
  readonly height: number;
  readonly width: number;
  readonly itemBytes: number;
  /** What is decoded at once, to be kept by whoever reads a part of it; absent where the driver keeps it. */
  readonly block?: PlaneBlock;
  /** Whether any rows cost little more than they hold, whichever thread reads them. */
  readonly isExact?: boolean;
  /** Fills `into`, exactly as long, with a box's pixels. */
  readBox(box: PlaneBox, into: Uint8Array): void;
}

/**
 * Fills `part` with a plane's bytes from `skipBytes` on, decoding only the blocks that hold them. Rows of blocks that
 * the range holds whole are decoded straight into `part`; of others each block is decoded once, into the cache.
 * @throws what `readBox` throws; `part` then holds nothing to be served.
 */
export function readPlanePart(
  plane: PartialPlane,
  cache: ByteCache,
  skipBytes: number,
  part: Uint8Array,
): void {
  const { height, width, itemBytes, block } = plane;
  const rowBytes = width * itemBytes;
  const bandHeight = block?.height ?? 1;
  const end = skipBytes + part.length;
  for (let at = skipBytes; at < end; ) {
    const top = Math.floor(at / rowBytes / bandHeight) * bandHeight;
    const bottom = Math.min(height, top + bandHeight);
    const wholeBottom =
      at === top * rowBytes ? undecodedTo(plane, cache, top, Math.floor(end / rowBytes)) : top;
    if (wholeBottom > top) {
      const to = wholeBottom * rowBytes;
      const rows = part.subarray(at - skipBytes, to - skipBytes);
      plane.readBox({ y: top, x: 0, height: wholeBottom - top, width }, rows);
      at = to;
      continue;
    }
    const to = Math.min(end, bottom * rowBytes);
    const rest = part.subarray(at - skipBytes, to - skipBytes);
    if (block) fillFromBlocks(plane, block, cache, top, at, rest);
    else fillFromRow(plane, at, rest);
    at = to;
  }
}

/** The row down to which, from `top` on, rows of blocks lie whole above `endRow` and none is in the cache. */
function undecodedTo(
  { key, height, block }: PartialPlane,
  cache: ByteCache,
  top: number,
  endRow: number,
): number {
  if (!block) return Math.min(height, endRow);
  let bottom = top;
  while (bottom < height) {
    const next = Math.min(height, bottom + block.height);
    if (next > endRow || cache.get(blockKey(key, bottom, 0))) break;
    bottom = next;
  }
  return bottom;
}

const blockKey = (plane: string, top: number, across: number): string => `${plane}\0${top}\0${across}`;

/** A part of one row, where the driver keeps what it decodes. */
function fillFromRow(plane: PartialPlane, at: number, part: Uint8Array): void {
  const { width, itemBytes } = plane;
  const rowBytes = width * itemBytes;
  const y = Math.floor(at / rowBytes);
  const from = at - y * rowBytes;
  const x = Math.floor(from / itemBytes);
  const columns = Math.ceil((from + part.length) / itemBytes) - x;
  const row = new Uint8Array(columns * itemBytes);
  plane.readBox({ y, x, height: 1, width: columns }, row);
  part.set(row.subarray(from - x * itemBytes, from - x * itemBytes + part.length));
}

/** A part of one row of blocks, from the blocks that it touches. */
function fillFromBlocks(
  plane: PartialPlane,
  block: PlaneBlock,
  cache: ByteCache,
  top: number,
  at: number,
  part: Uint8Array,
): void {
  const { width, itemBytes } = plane;
  const rowBytes = width * itemBytes;
  const end = at + part.length;
  const firstRow = Math.floor(at / rowBytes);
  const lastRow = Math.floor((end - 1) / rowBytes);
  const isOneRow = firstRow === lastRow;
  const blockBytes = block.width * itemBytes;
  const firstAcross = isOneRow ? Math.floor((at - firstRow * rowBytes) / blockBytes) : 0;
  const lastAcross = isOneRow
    ? Math.floor((end - 1 - firstRow * rowBytes) / blockBytes)
    : Math.ceil(width / block.width) - 1;
  for (let across = firstAcross; across <= lastAcross; across++) {
    const left = across * blockBytes;
    const right = Math.min(rowBytes, left + blockBytes);
    const isWide = left === 0 && right === rowBytes;
    let bytes: Uint8Array | undefined;
    let servedBytes = 0;
    for (let row = firstRow; row <= lastRow; row++) {
      const from = Math.max(at, row * rowBytes + left);
      // Rows of a strip follow each other as they do in the range.
      const to = isWide ? end : Math.min(end, row * rowBytes + right);
      if (from >= to) continue;
      bytes ??= blockOf(plane, block, cache, top, across, lastAcross - firstAcross + 1);
      const source = (row - top) * (right - left) + (from - row * rowBytes - left);
      part.set(bytes.subarray(source, source + to - from), from - at);
      servedBytes += to - from;
      if (isWide) break;
    }
    cache.served(blockKey(plane.key, top, across), servedBytes);
  }
}

function blockOf(
  plane: PartialPlane,
  block: PlaneBlock,
  cache: ByteCache,
  top: number,
  across: number,
  inTurn = 1,
): Uint8Array {
  const key = blockKey(plane.key, top, across);
  const kept = cache.get(key);
  if (kept) return kept;
  const x = across * block.width;
  const height = Math.min(block.height, plane.height - top);
  const width = Math.min(block.width, plane.width - x);
  const bytes = cache.take(height * width * plane.itemBytes);
  plane.readBox({ y: top, x, height, width }, bytes);
  cache.set(key, bytes, inTurn * block.height * block.width * plane.itemBytes);
  return bytes;
}

/**
 * Decodes a plane into the cache, a row of blocks per step, but for rows above which `passedBytes` of the plane were read
 * by then. Nothing to do where its driver keeps what it decodes.
 */
export function* decodeAhead(
  plane: PartialPlane,
  cache: ByteCache,
  passedBytes: () => number,
): Generator<void> {
  const { key, height, width, itemBytes, block } = plane;
  if (!block) return;
  for (let top = 0; top < height; top += block.height) {
    const bottom = Math.min(height, top + block.height);
    if (bottom * width * itemBytes <= passedBytes() || cache.get(blockKey(key, top, 0))) continue;
    for (let across = 0; across * block.width < width; across++) blockOf(plane, block, cache, top, across);
    yield;
  }
}
