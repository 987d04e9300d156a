import { BadTiffError, DamagedBytesError, UnreadableSourceError } from '../core/errors.ts';
import { TAG, typeSizeBytes } from '../core/tiff-tags.ts';

/** Bytes at an offset; throws RangeError past the end of the file. */
export interface ByteReader {
  readonly path: string;
  readonly sizeBytes: number;
  read(offsetBytes: number, target: Uint8Array): void;
}

/** One page (IFD) of a TIFF, as its tags say it (TIFF 6.0; BigTIFF). */
export interface TiffPage {
  readonly width: number;
  readonly height: number;
  readonly bitsPerSample: readonly number[];
  /** 1 unsigned, 2 signed, 3 floating point. */
  readonly sampleFormat: number;
  readonly samplesPerPixel: number;
  readonly compression: number;
  readonly photometric: number;
  readonly planarConfiguration: number;
  readonly fillOrder: number;
  readonly subfileType: number;
  readonly tile: { readonly width: number; readonly height: number } | undefined;
  readonly rowsPerStrip: number;
  readonly offsets: readonly number[];
  readonly byteCounts: readonly number[];
  readonly description: string | undefined;
  readonly software: string | undefined;
  /** Pixels per resolution unit. */
  readonly xResolution: number | undefined;
  readonly yResolution: number | undefined;
  /** 1 none, 2 inch, 3 centimetre; absent means the tag is absent. */
  readonly resolutionUnit: number | undefined;
}

export interface TiffStructure {
  readonly littleEndian: boolean;
  readonly pages: readonly TiffPage[];
  /** Of the whole file. */
  readonly sizeBytes: number;
}

const WANTED: ReadonlySet<number> = new Set(Object.values(TAG));
const MAX_PAGES = 1_000_000;
/** More values than strips of the largest image that is landed; a larger count is damage. */
const MAX_VALUES = 16_000_000;
/** Holds the header, a directory and short tables; larger ones are read in one piece. */
const WINDOW_BYTES = 8192;

/** Whether the bytes start like a TIFF or BigTIFF. */
export function looksLikeTiff(head: Uint8Array): boolean {
  const text = Buffer.from(head.subarray(0, 4)).toString('latin1');
  return text === 'II*\0' || text === 'MM\0*' || text === 'II+\0' || text === 'MM\0+';
}

interface Entry {
  readonly type: number;
  readonly count: number;
  readonly valueOffset: number;
}

class TiffBytes {
  readonly source: ByteReader;
  littleEndian = true;
  private window: Buffer = Buffer.alloc(0);
  private windowStart = 0;

  constructor(source: ByteReader) {
    this.source = source;
  }

  view(offsetBytes: number, sizeBytes: number): DataView {
    const bytes = this.bytes(offsetBytes, sizeBytes);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A view of the window, valid until the next call. */
  bytes(offsetBytes: number, sizeBytes: number): Buffer {
    const start = offsetBytes - this.windowStart;
    if (start < 0 || start + sizeBytes > this.window.length) {
      if (offsetBytes + sizeBytes > this.source.sizeBytes)
        throw new BadTiffError(
          this.source.path,
          `bytes ${offsetBytes}…${offsetBytes + sizeBytes} lie past the end`,
        );
      const length = Math.min(Math.max(sizeBytes, WINDOW_BYTES), this.source.sizeBytes - offsetBytes);
      this.window = Buffer.allocUnsafeSlow(length);
      this.windowStart = offsetBytes;
      this.source.read(offsetBytes, this.window);
      return this.window.subarray(0, sizeBytes);
    }
    return this.window.subarray(start, start + sizeBytes);
  }

  big(view: DataView, offset: number): number {
    const value = view.getBigUint64(offset, this.littleEndian);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BadTiffError(this.source.path, `offset ${value}`);
    return Number(value);
  }
}

/**
 * Reads every page of the main chain and checks that all strips or tiles lie inside the file.
 * @throws BadTiffError naming the file when anything is cut off, loops or contradicts itself.
 */
export function readTiffStructure(source: ByteReader): TiffStructure {
  const file = new TiffBytes(source);
  const { isBig, first } = readHeader(file);
  let next = first;
  const seen = new Set<number>();
  const pages: TiffPage[] = [];
  while (next !== 0) {
    if (seen.has(next)) throw new BadTiffError(source.path, 'its pages form a loop');
    if (pages.length >= MAX_PAGES) throw new BadTiffError(source.path, `more than ${MAX_PAGES} pages`);
    seen.add(next);
    const directory = readDirectory(file, next, isBig);
    pages.push(pageOf(file, directory.entries));
    next = directory.next;
  }
  if (pages.length === 0) throw new BadTiffError(source.path, 'no page');
  return { littleEndian: file.littleEndian, pages, sizeBytes: source.sizeBytes };
}

function readHeader(file: TiffBytes): { isBig: boolean; first: number } {
  const { source } = file;
  const head = Buffer.from(file.bytes(0, Math.min(16, source.sizeBytes)));
  if (head.length < 8 || !looksLikeTiff(head)) throw new BadTiffError(source.path, 'no TIFF header');
  file.littleEndian = head[0] === 0x49;
  const isBig = head[file.littleEndian ? 2 : 3] === 43;
  if (isBig && head.length < 16) throw new BadTiffError(source.path, 'cut off in the header');
  const view = file.view(0, isBig ? 16 : 8);
  return { isBig, first: isBig ? file.big(view, 8) : view.getUint32(4, file.littleEndian) };
}

/** A page, and where its directory lies. */
export interface PlacedPage {
  readonly page: TiffPage;
  readonly directoryAt: number;
}

/** What is there of a TIFF that is still written. */
export interface TiffSoFar {
  readonly littleEndian: boolean;
  /** Pages behind the one that was asked from. */
  readonly pages: readonly PlacedPage[];
  /** The last of them, or the one that was asked from. */
  readonly last: PlacedPage | undefined;
  /** Where the next page is to be, 0 where nothing says so. */
  readonly next: number;
}

/**
 * Reads pages of the main chain that come behind the directory at `afterDirectory` (0: the header), up to `maxPages`. A
 * file that is still written may end anywhere, and change while it is read: what can't be read is not there yet, and is
 * no error.
 */
export function readPagesSoFar(source: ByteReader, afterDirectory: number, maxPages: number): TiffSoFar {
  const file = new TiffBytes(source);
  const pages: PlacedPage[] = [];
  let last: PlacedPage | undefined;
  let next = 0;
  try {
    const { isBig, first } = readHeader(file);
    const readPage = (directoryAt: number): PlacedPage => {
      const directory = readDirectory(file, directoryAt, isBig);
      last = { page: pageOf(file, directory.entries), directoryAt };
      next = directory.next;
      return last;
    };
    next = first;
    if (afterDirectory !== 0) readPage(afterDirectory);
    while (next !== 0 && pages.length < maxPages) pages.push(readPage(next));
  } catch (error) {
    if (!isNotThere(error)) throw error;
  }
  return { littleEndian: file.littleEndian, last, pages, next };
}

const isNotThere = (error: unknown): boolean =>
  error instanceof BadTiffError ||
  error instanceof DamagedBytesError ||
  error instanceof UnreadableSourceError;

function readDirectory(
  file: TiffBytes,
  offset: number,
  isBig: boolean,
): { entries: Map<number, Entry>; next: number } {
  const countBytes = isBig ? 8 : 2;
  const entryBytes = isBig ? 20 : 12;
  const countView = file.view(offset, countBytes);
  const count = isBig ? file.big(countView, 0) : countView.getUint16(0, file.littleEndian);
  if (count === 0 || count > 4096) throw new BadTiffError(file.source.path, `a page with ${count} tags`);
  const view = file.view(offset + countBytes, count * entryBytes + (isBig ? 8 : 4));
  const entries = new Map<number, Entry>();
  for (let index = 0; index < count; index++) {
    const at = index * entryBytes;
    const tag = view.getUint16(at, file.littleEndian);
    if (!WANTED.has(tag)) continue;
    const type = view.getUint16(at + 2, file.littleEndian);
    const values = isBig ? file.big(view, at + 4) : view.getUint32(at + 4, file.littleEndian);
    const sizeBytes = typeSizeBytes(type) * values;
    if (sizeBytes === 0 || values > MAX_VALUES) continue;
    const inlineAt = at + (isBig ? 12 : 8);
    const isInline = sizeBytes <= (isBig ? 8 : 4);
    const pointer =
      isBig && !isInline ? file.big(view, inlineAt) : view.getUint32(inlineAt, file.littleEndian);
    const valueOffset = isInline ? offset + countBytes + inlineAt : pointer;
    entries.set(tag, { type, count: values, valueOffset });
  }
  const end = count * entryBytes;
  return { entries, next: isBig ? file.big(view, end) : view.getUint32(end, file.littleEndian) };
}

function numbers(file: TiffBytes, entry: Entry | undefined): number[] | undefined {
  if (!entry) return undefined;
  const size = typeSizeBytes(entry.type);
  const view = file.view(entry.valueOffset, size * entry.count);
  const values: number[] = [];
  for (let index = 0; index < entry.count; index++) {
    const value = numberAt(file, view, entry.type, index * size);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

/** A value of a field type that is a number without a sign, undefined for other types. */
function numberAt(file: TiffBytes, view: DataView, type: number, at: number): number | undefined {
  const little = file.littleEndian;
  switch (type) {
    case 1:
      return view.getUint8(at);
    case 3:
      return view.getUint16(at, little);
    case 4:
    case 13:
      return view.getUint32(at, little);
    case 5:
      return view.getUint32(at, little) / view.getUint32(at + 4, little);
    case 16:
    case 18:
      return file.big(view, at);
    default:
      return undefined;
  }
}

function asciiText(file: TiffBytes, entry: Entry | undefined): string | undefined {
  if (!entry || (entry.type !== 2 && entry.type !== 1 && entry.type !== 7)) return undefined;
  const text = Buffer.from(file.bytes(entry.valueOffset, entry.count)).toString('utf8');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

function pageOf(file: TiffBytes, entries: ReadonlyMap<number, Entry>): TiffPage {
  const refuse = (detail: string): never => {
    throw new BadTiffError(file.source.path, detail);
  };
  const values = (tag: number): number[] | undefined => numbers(file, entries.get(tag));
  const one = (tag: number, absent: number): number => values(tag)?.[0] ?? absent;
  const width = one(TAG.imageWidth, 0);
  const height = one(TAG.imageLength, 0);
  if (width < 1 || height < 1) refuse(`a page of ${width} × ${height} pixels`);
  const samplesPerPixel = one(TAG.samplesPerPixel, 1);
  const tileWidth = one(TAG.tileWidth, 0);
  const tileHeight = one(TAG.tileLength, 0);
  const isTiled = entries.has(TAG.tileOffsets) || entries.has(TAG.tileWidth);
  if (isTiled && (tileWidth < 1 || tileHeight < 1)) refuse('tiles without a size');
  const offsets = values(isTiled ? TAG.tileOffsets : TAG.stripOffsets) ?? refuse('a page without pixels');
  const byteCounts =
    values(isTiled ? TAG.tileByteCounts : TAG.stripByteCounts) ?? refuse('a page without byte counts');
  const rowsPerStrip = Math.min(height, Math.max(1, one(TAG.rowsPerStrip, height)));
  const planarConfiguration = one(TAG.planarConfiguration, 1);
  const perPlane = isTiled
    ? Math.ceil(width / tileWidth) * Math.ceil(height / tileHeight)
    : Math.ceil(height / rowsPerStrip);
  const expected = perPlane * (planarConfiguration === 2 ? samplesPerPixel : 1);
  if (offsets.length !== expected || byteCounts.length !== expected)
    refuse(`${offsets.length} strips or tiles with ${byteCounts.length} sizes where ${expected} are needed`);
  offsets.forEach((offset, index) => {
    if (offset + (byteCounts[index] ?? 0) > file.source.sizeBytes) refuse('its pixels lie past its end');
  });
  const formats = values(TAG.sampleFormat) ?? [1];
  if (formats.some((format) => format !== formats[0])) refuse('samples of different formats');
  return {
    width,
    height,
    bitsPerSample: values(TAG.bitsPerSample) ?? [1],
    sampleFormat: formats[0] ?? 1,
    samplesPerPixel,
    compression: one(TAG.compression, 1),
    photometric: one(TAG.photometric, -1),
    planarConfiguration,
    fillOrder: one(TAG.fillOrder, 1),
    subfileType: one(TAG.newSubfileType, 0),
    tile: isTiled ? { width: tileWidth, height: tileHeight } : undefined,
    rowsPerStrip,
    offsets,
    byteCounts,
    description: asciiText(file, entries.get(TAG.imageDescription)),
    software: asciiText(file, entries.get(TAG.software)),
    xResolution: values(TAG.xResolution)?.[0],
    yResolution: values(TAG.yResolution)?.[0],
    resolutionUnit: values(TAG.resolutionUnit)?.[0],
  };
}
