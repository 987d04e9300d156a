import { countDecoded } from '../../core/decode-count.ts';
import { UnsupportedTiffError } from '../../core/errors.ts';
import { itemSizeBytes } from '../../core/nd-array.ts';
import { TAG } from '../../core/tiff-tags.ts';
import type { PlaneBox } from '../../sources.ts';
import { readExactly } from './tiff-bytes.ts';
import { decodeCcittSegment } from './tiff-ccitt.ts';
import { decompressInto, mostBytesPerStoredByte } from './tiff-decompress.ts';
import { decodeJpegSegment } from './tiff-jpeg.ts';
import { checkLerc, decodeLercSegment } from './tiff-lerc.ts';
import type { TiffPage } from './tiff-page.ts';
import {
  reverseBits,
  swapBytes,
  swapTriples,
  undoFloatingPoint,
  undoHorizontal,
  unpackBits,
} from './tiff-predictor.ts';
import type { SegmentTable } from './tiff-segments.ts';

/** The rows and columns of a page that are wanted. */
export interface PageBox extends PlaneBox {
  /** Of samples in planes of their own: those that are wanted; all unless given. */
  readonly planes?: { readonly first: number; readonly count: number };
}

/** Sizes above this must be plausible for the bytes stored; below it memory is no concern. */
const SMALL_BYTES = 32 * 1024 * 1024;
/** Larger pages and strips aren't read whole. */
const LARGEST_BYTES = 2 ** 32;
/** Strips whose gaps add up to less than this are read from the file in one piece. */
const GAP_BYTES = 64 * 1024;
/** Memory for stored bytes that a thread keeps between reads. */
const KEPT_STORED_BYTES = 8 * 1024 * 1024;
let storedBytes = new Uint8Array(0);
/** Stored bytes read from the file at once. */
const RUN_BYTES = 32 * 1024 * 1024;

const JPEG = 7;
const LERC = 34887;
const isCcitt = (compression: number): boolean => compression >= 2 && compression <= 4;

/** Memory that holds chance bytes: only for what is filled to the last byte or thrown away. */
function unfilled(sizeBytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer);
}

/**
 * The whole page as little-endian bytes in C order, `page.shape` of `page.dtype`; samples as stored.
 * @param into memory of exactly `page.sizeBytes` to decode into; fresh memory when it is absent. After an
 *   error it holds nothing of worth.
 * @throws BadTiffError, UnsupportedTiffError, UnreadableSourceError; RangeError when `into` has another size.
 */
export function decodePlane(fd: number, page: TiffPage, into?: Uint8Array): Uint8Array {
  if (into !== undefined && into.length !== page.sizeBytes) {
    throw new RangeError(`${page.path} has ${page.sizeBytes} bytes of pixels, not ${into.length}`);
  }
  const offset = page.contiguousOffset();
  if (offset !== undefined) {
    const bytes = into ?? unfilled(page.sizeBytes);
    readExactly(fd, page.path, bytes, bytes.length, offset);
    countDecoded(bytes.length);
    if (!page.littleEndian) swapBytes(bytes, page.bitsPerSample / 8);
    return bytes;
  }
  const box = { y: 0, x: 0, height: page.height, width: page.width };
  // Predictors work on items, which must lie where items may lie.
  if (into === undefined || into.byteOffset % itemSizeBytes(page.dtype) === 0) {
    return decodeBox(fd, page, box, into);
  }
  into.set(decodeBox(fd, page, box));
  return into;
}

/**
 * A box of the page, decoding only the strips or tiles it touches: little-endian, C order, shape
 * `[height, width]`, `[height, width, samples]` or `[samples, height, width]`. The box lies inside the page.
 * @param into memory of exactly that size, aligned for the dtype; fresh memory when it is absent.
 * @throws BadTiffError, UnsupportedTiffError, UnreadableSourceError
 */
export function decodeBox(fd: number, page: TiffPage, box: PageBox, into?: Uint8Array): Uint8Array {
  const itemBytes = itemSizeBytes(page.dtype);
  checkDecodable(page);
  const contiguous = page.planar ? undefined : page.contiguousOffset();
  if (contiguous !== undefined) {
    const rows = readRows(fd, page, contiguous, box);
    if (into === undefined) return rows;
    into.set(rows);
    return into;
  }
  const table = page.table();
  const pixelBytes = page.samplesTogether * itemBytes;
  const firstPlane = page.planar ? (box.planes?.first ?? 0) : 0;
  const planes = page.planar ? (box.planes?.count ?? page.samples) : 1;
  const planeBytes = box.height * box.width * pixelBytes;
  checkPlausible(page, table, planes * planeBytes);
  const target = into ?? unfilled(planes * planeBytes);

  const rowBytes = page.segmentRowBytes;
  const inPlace =
    page.byteAligned && box.x === 0 && box.width === page.width && page.segmentWidth === page.width;
  let scratch: Uint8Array | undefined;
  for (const { plane, down, across, stored } of storedSegments(fd, page, table, box, {
    first: firstPlane,
    count: planes,
  })) {
    const rows = page.segmentRows(down);
    const top = down * page.segmentHeight;
    const fromRow = Math.max(top, box.y) - top;
    const toRow = Math.min(top + rows, box.y + box.height) - top;
    const wholeInside = fromRow === 0 && toRow === rows;
    const mostBytes = rowBytes * page.segmentHeight;
    if (inPlace && wholeInside) {
      const at = (plane - firstPlane) * planeBytes + (top - box.y) * rowBytes;
      decodeSegment(page, stored, target.subarray(at, at + rows * rowBytes), mostBytes);
      continue;
    }
    scratch ??= new Uint8Array(mostBytes);
    const segment = scratch.subarray(0, rows * rowBytes);
    decodeSegment(page, stored, segment, mostBytes);
    const left = across * page.segmentWidth;
    const fromColumn = Math.max(left, box.x) - left;
    const toColumn = Math.min(left + page.segmentWidth, box.x + box.width) - left;
    const columns = toColumn - fromColumn;
    for (let row = fromRow; row < toRow; row++) {
      const at =
        (plane - firstPlane) * planeBytes +
        ((top + row - box.y) * box.width + left + fromColumn - box.x) * pixelBytes;
      if (page.byteAligned) {
        const start = row * rowBytes + fromColumn * pixelBytes;
        target.set(segment.subarray(start, start + columns * pixelBytes), at);
      } else {
        const items = columns * page.samplesTogether;
        const skip = fromColumn * page.samplesTogether;
        unpackBits(
          segment,
          row * rowBytes,
          skip,
          items,
          page.bitsPerSample,
          itemView(target, itemBytes),
          at / itemBytes,
        );
      }
    }
  }
  return target;
}

/** The box from an uncompressed run, reading only its rows. */
function readRows(fd: number, page: TiffPage, runOffset: number, box: PageBox): Uint8Array<ArrayBuffer> {
  const pixelBytes = page.samples * itemSizeBytes(page.dtype);
  const rowBytes = page.width * pixelBytes;
  const rows = unfilled(box.height * rowBytes);
  readExactly(fd, page.path, rows, rows.length, runOffset + box.y * rowBytes);
  countDecoded(rows.length);
  if (!page.littleEndian) swapBytes(rows, page.bitsPerSample / 8);
  if (box.width === page.width) return rows;
  const target = unfilled(box.height * box.width * pixelBytes);
  for (let row = 0; row < box.height; row++) {
    const start = row * rowBytes + box.x * pixelBytes;
    target.set(rows.subarray(start, start + box.width * pixelBytes), row * box.width * pixelBytes);
  }
  return target;
}

function itemView(bytes: Uint8Array, itemBytes: number): Uint8Array | Uint16Array | Uint32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  if (itemBytes === 1) return bytes;
  return itemBytes === 2
    ? new Uint16Array(buffer, byteOffset, byteLength / 2)
    : new Uint32Array(buffer, byteOffset, byteLength / 4);
}

/** Decompresses one segment and undoes its predictor, leaving little-endian samples. */
function decodeSegment(page: TiffPage, stored: Uint8Array, target: Uint8Array, mostBytes: number): void {
  if (page.compression === JPEG) {
    decodeJpegSegment(page, stored, target);
    return;
  }
  if (page.compression === LERC) {
    decodeLercSegment(page, stored, target);
    return;
  }
  if (page.fillOrder === 2) reverseBits(stored);
  if (isCcitt(page.compression)) {
    decodeCcittSegment(page, stored, target);
    return;
  }
  decompressInto(page.path, page.compression, stored, target, mostBytes);
  countDecoded(target.length);
  const itemBytes = page.bitsPerSample / 8;
  // Three bytes are in the file's order, as libtiff has it; other odd widths run on from bit to bit.
  if (itemBytes === 3 && page.littleEndian) swapTriples(target);
  if (page.predictor === 3) {
    undoFloatingPoint(target, page.segmentRowBytes, page.samplesTogether, itemBytes);
    return;
  }
  if (!page.littleEndian && page.byteAligned) swapBytes(target, itemBytes);
  if (page.predictor === 2 && (itemBytes === 1 || itemBytes === 2 || itemBytes === 4 || itemBytes === 8)) {
    undoHorizontal(target, page.segmentRowBytes, page.samplesTogether, itemBytes);
  }
}

/** @throws UnsupportedTiffError naming tag and value when the page's pixels can't be decoded. */
export function checkDecodable(page: TiffPage): void {
  mostBytesPerStoredByte(page.path, page.compression);
  page.refuseSubsampling();
  const { predictor, compression } = page;
  if (compression === JPEG && (page.bitsPerSample !== 8 || page.sampleFormat !== 1)) {
    throw new UnsupportedTiffError(
      page.path,
      `tag ${TAG.bitsPerSample} has value ${page.bitsPerSample} with JPEG (tag ${TAG.compression})`,
    );
  }
  if (compression === LERC) checkLerc(page);
  if (isCcitt(compression)) checkCcitt(page);
  if (predictor === 1) return;
  const refuse = (why: string): never => {
    throw new UnsupportedTiffError(page.path, `tag ${TAG.predictor} has value ${predictor}${why}`);
  };
  if (predictor !== 2 && predictor !== 3) refuse('');
  // Readers disagree whether a predictor counts without LZW, deflate or zstd.
  if ([1, 32773, JPEG, LERC].includes(compression) || isCcitt(compression)) {
    refuse(` with compression ${compression} (tag ${TAG.compression})`);
  }
  if (!page.byteAligned) refuse(` with ${page.bitsPerSample} bits per sample (tag ${TAG.bitsPerSample})`);
  if (predictor === 3 && page.sampleFormat !== 3) refuse(` on integers (tag ${TAG.sampleFormat})`);
}

/** @throws UnsupportedTiffError for what is no black and white image, and for rows that aren't compressed. */
function checkCcitt(page: TiffPage): void {
  if (page.bitsPerSample !== 1 || page.samplesTogether !== 1) {
    throw new UnsupportedTiffError(
      page.path,
      `tag ${TAG.compression} has value ${page.compression} with ${page.samplesTogether} samples of ${page.bitsPerSample} bits`,
    );
  }
  if ((page.faxOptions & 2) !== 0) {
    const tag = page.compression === 4 ? TAG.t6Options : TAG.t4Options;
    throw new UnsupportedTiffError(
      page.path,
      `tag ${tag} has value ${page.faxOptions}: rows that aren't compressed`,
    );
  }
}

/** Refuses sizes no stored data can back, before memory is taken for them. */
function checkPlausible(page: TiffPage, table: SegmentTable, wantedBytes: number): void {
  const most = mostBytesPerStoredByte(page.path, page.compression);
  const fullBytes = page.segmentRowBytes * page.segmentHeight;
  if (wantedBytes > LARGEST_BYTES || fullBytes > LARGEST_BYTES || page.segmentRowBytes > 2 ** 27) {
    throw new UnsupportedTiffError(
      page.path,
      `an image of ${page.width} by ${page.height} pixels in strips or tiles of ${page.segmentWidth} by ${page.segmentHeight}`,
    );
  }
  // One byte of packed 1-bit samples unpacks to eight.
  const unpacked = page.byteAligned ? 1 : 8;
  if (wantedBytes > SMALL_BYTES && wantedBytes > page.fileSizeBytes * most * unpacked) {
    throw implausible(page, `${wantedBytes} bytes of pixels`);
  }
  if (fullBytes > SMALL_BYTES) {
    for (const sizeBytes of table.sizesBytes) {
      if (page.segmentRowBytes > sizeBytes * most || (page.tiled && fullBytes > sizeBytes * most)) {
        throw implausible(page, `a strip or tile of ${fullBytes} bytes in ${sizeBytes}`);
      }
    }
    const longest = table.sizesBytes.reduce((a, b) => Math.max(a, b), 0);
    if (fullBytes > longest * most) throw implausible(page, `strips of ${fullBytes} bytes in ${longest}`);
  }
}

function implausible(page: TiffPage, what: string): Error {
  return page.bad(`claims ${what}, more than a file of ${page.fileSizeBytes} bytes can hold`);
}

interface StoredSegment {
  readonly plane: number;
  readonly down: number;
  readonly across: number;
  readonly stored: Uint8Array;
}

/** The stored bytes of every segment the box touches; neighbours in the file come with one read. */
function* storedSegments(
  fd: number,
  page: TiffPage,
  table: SegmentTable,
  box: PageBox,
  planes: { readonly first: number; readonly count: number },
): Generator<StoredSegment> {
  const { segmentsAcross, segmentsDown } = page;
  const firstDown = Math.floor(box.y / page.segmentHeight);
  const lastDown = Math.ceil((box.y + box.height) / page.segmentHeight);
  const firstAcross = Math.floor(box.x / page.segmentWidth);
  const lastAcross = Math.ceil((box.x + box.width) / page.segmentWidth);
  const most = page.compression === 1 ? page.segmentRowBytes * page.segmentHeight : Number.POSITIVE_INFINITY;
  const wanted: number[] = [];
  for (let plane = planes.first; plane < planes.first + planes.count; plane++) {
    for (let down = firstDown; down < lastDown; down++) {
      for (let across = firstAcross; across < lastAcross; across++) {
        wanted.push((plane * segmentsDown + down) * segmentsAcross + across);
      }
    }
  }
  const offsetOf = (at: number) => table.offsets[wanted[at] ?? 0] ?? 0;
  const sizeOf = (at: number) => Math.min(table.sizesBytes[wanted[at] ?? 0] ?? 0, most);
  // Most reads are of planes of one size, one after the other.
  let buffer = storedBytes;
  for (let from = 0; from < wanted.length; ) {
    const start = offsetOf(from);
    let end = start + sizeOf(from);
    let to = from + 1;
    for (; to < wanted.length; to++) {
      const offset = offsetOf(to);
      if (offset < end || offset > end + GAP_BYTES || offset + sizeOf(to) - start > RUN_BYTES) break;
      end = offset + sizeOf(to);
    }
    if (buffer.length < end - start) {
      buffer = new Uint8Array(end - start);
      if (buffer.length <= KEPT_STORED_BYTES) storedBytes = buffer;
    }
    readExactly(fd, page.path, buffer, end - start, start);
    for (let at = from; at < to; at++) {
      const index = wanted[at] ?? 0;
      const inPlane = index % (segmentsAcross * segmentsDown);
      const offset = offsetOf(at) - start;
      yield {
        plane: Math.floor(index / (segmentsAcross * segmentsDown)),
        down: Math.floor(inPlane / segmentsAcross),
        across: inPlane % segmentsAcross,
        stored: buffer.subarray(offset, offset + sizeOf(at)),
      };
    }
    from = to;
  }
}
