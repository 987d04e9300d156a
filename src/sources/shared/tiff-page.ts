import { isUtf8 } from 'node:buffer';
import { type BadTiffError, UnsupportedTiffError } from '../../core/errors.ts';
import { type Dtype, itemSizeBytes } from '../../core/nd-array.ts';
import { TAG, typeSizeBytes } from '../../core/tiff-tags.ts';
import type { ByteWindow } from '../../sources.ts';
import type { TiffBytes } from './tiff-bytes.ts';
import { tiffDtype } from './tiff-dtype.ts';
import {
  commonValue,
  type DirectoryEntry,
  type Field,
  fieldAt,
  fieldValue,
  rationalAt,
  scalarAt,
} from './tiff-field.ts';
import { readSegmentTable, type SegmentTable } from './tiff-segments.ts';

/** Sides halve from level to level, and no side is longer than 2^53 pixels. */
const MAX_SUB_IFDS = 64;

/**
 * One image of a TIFF: its directory, read once. Strips and tiles are both called segments here; a strip is a
 * segment as wide as the image. Pixels are the samples as stored: no palette, colour or orientation applied.
 */
export class TiffPage {
  readonly path: string;
  readonly littleEndian: boolean;
  readonly fileSizeBytes: number;
  /** Where the directory lies. */
  readonly ifdOffset: number;
  /** Where the next directory of the chain lies; 0 at its end. */
  readonly nextIfdOffset: number;
  width = 0;
  height = 0;
  bitsPerSample = 1;
  samples = 1;
  sampleFormat = 1;
  compression = 1;
  predictor = 1;
  fillOrder = 1;
  photometric = -1;
  /** T4Options or T6Options (TIFF 6.0 page 51). */
  faxOptions = 0;
  /** Samples lie in planes of their own, not pixel by pixel. */
  planar = false;
  tiled = false;
  /** Marked as a smaller copy of another page. */
  reduced = false;
  segmentWidth = 0;
  segmentHeight = 0;
  /** Planes of a MetaMorph stack behind this one directory, else undefined. */
  stackPlanes: number | undefined;
  readonly #bytes: TiffBytes;
  #offsets: Field | undefined;
  #sizes: Field | undefined;
  #description: Field | undefined;
  #subIfds: Field | undefined;
  #jpegTables: Field | undefined;
  #lercParameters: Field | undefined;
  /** Entries that are looked at only when somebody asks. */
  #xResolution: DirectoryEntry | undefined;
  #yResolution: DirectoryEntry | undefined;
  /** TIFF 6.0 page 91: 2,2 unless the file says otherwise. */
  #subSampled = true;
  #table: SegmentTable | undefined;

  /** @throws BadTiffError, UnsupportedTiffError */
  constructor(bytes: TiffBytes, ifdOffset: number, big: boolean) {
    this.path = bytes.path;
    this.littleEndian = bytes.littleEndian;
    this.fileSizeBytes = bytes.sizeBytes;
    this.ifdOffset = ifdOffset;
    this.#bytes = bytes;
    this.nextIfdOffset = this.#readDirectory(big);
    this.#settle();
  }

  #readDirectory(big: boolean): number {
    const b = this.#bytes;
    const entries = big ? b.u64(this.ifdOffset) : b.u16(this.ifdOffset);
    const entrySize = big ? 20 : 12;
    const first = this.ifdOffset + (big ? 8 : 2);
    if (entries === 0) throw b.bad(`directory at ${this.ifdOffset} is empty`);
    if (first + entries * entrySize > b.sizeBytes) {
      throw b.bad(
        `directory at ${this.ifdOffset} claims ${entries} entries, more than the file has room for`,
      );
    }
    let rowsPerStrip: number | undefined;
    let tileWidth = 0;
    let tileHeight = 0;
    let stripOffsets: Field | undefined;
    let stripSizes: Field | undefined;
    let tileOffsets: Field | undefined;
    let tileSizes: Field | undefined;
    for (let entry = 0; entry < entries; entry++) {
      const at = first + entry * entrySize;
      const tag = b.u16(at);
      switch (tag) {
        case TAG.newSubfileType:
          this.reduced = (scalarAt(b, tag, at, big) & 1) === 1;
          break;
        case TAG.imageWidth:
          this.width = scalarAt(b, tag, at, big);
          break;
        case TAG.imageLength:
          this.height = scalarAt(b, tag, at, big);
          break;
        case TAG.bitsPerSample:
          this.bitsPerSample = commonValue(b, fieldAt(b, tag, at, big));
          break;
        case TAG.compression:
          this.compression = scalarAt(b, tag, at, big);
          break;
        case TAG.photometric:
          this.photometric = scalarAt(b, tag, at, big);
          break;
        case TAG.fillOrder:
          this.fillOrder = scalarAt(b, tag, at, big);
          break;
        case TAG.imageDescription:
          this.#description = fieldAt(b, tag, at, big);
          break;
        case TAG.stripOffsets:
          stripOffsets = fieldAt(b, tag, at, big);
          break;
        case TAG.samplesPerPixel:
          this.samples = scalarAt(b, tag, at, big);
          break;
        case TAG.rowsPerStrip:
          rowsPerStrip = scalarAt(b, tag, at, big);
          break;
        case TAG.stripByteCounts:
          stripSizes = fieldAt(b, tag, at, big);
          break;
        case TAG.xResolution:
          this.#xResolution = { at, big };
          break;
        case TAG.yResolution:
          this.#yResolution = { at, big };
          break;
        case TAG.planarConfiguration: {
          const value = scalarAt(b, tag, at, big);
          if (value !== 1 && value !== 2) throw this.#unsupported(tag, value);
          this.planar = value === 2;
          break;
        }
        case TAG.predictor:
          this.predictor = scalarAt(b, tag, at, big);
          break;
        case TAG.tileWidth:
          tileWidth = scalarAt(b, tag, at, big);
          break;
        case TAG.tileLength:
          tileHeight = scalarAt(b, tag, at, big);
          break;
        case TAG.tileOffsets:
          tileOffsets = fieldAt(b, tag, at, big);
          break;
        case TAG.tileByteCounts:
          tileSizes = fieldAt(b, tag, at, big);
          break;
        case TAG.subIfds:
          this.#subIfds = fieldAt(b, tag, at, big);
          break;
        case TAG.sampleFormat:
          this.sampleFormat = commonValue(b, fieldAt(b, tag, at, big));
          break;
        case TAG.yCbCrSubSampling: {
          const field = fieldAt(b, tag, at, big);
          this.#subSampled =
            fieldValue(this.#bytes, field, 0) !== 1 ||
            (field.count > 1 && fieldValue(this.#bytes, field, 1) !== 1);
          break;
        }
        case TAG.t4Options:
        case TAG.t6Options:
          this.faxOptions = scalarAt(b, tag, at, big);
          break;
        case TAG.jpegTables:
          this.#jpegTables = fieldAt(b, tag, at, big);
          break;
        case TAG.lercParameters:
          this.#lercParameters = fieldAt(b, tag, at, big);
          break;
        case TAG.uic2:
          this.stackPlanes = fieldAt(b, tag, at, big).count;
          break;
        default:
      }
    }
    this.tiled = tileOffsets !== undefined || tileWidth > 0;
    this.#offsets = this.tiled ? (tileOffsets ?? stripOffsets) : stripOffsets;
    this.#sizes = this.tiled ? (tileSizes ?? stripSizes) : stripSizes;
    this.segmentWidth = this.tiled ? tileWidth : this.width;
    // RowsPerStrip is 2^32 - 1 by default: one strip (TIFF 6.0 page 39).
    this.segmentHeight = this.tiled ? tileHeight : Math.min(rowsPerStrip ?? this.height, this.height);
    return big ? b.u64(first + entries * entrySize) : b.u32(first + entries * entrySize);
  }

  #settle(): void {
    const b = this.#bytes;
    const where = `directory at ${this.ifdOffset}`;
    if (this.width === 0 || this.height === 0) {
      throw b.bad(`${where} has an image of ${this.width} by ${this.height} pixels`);
    }
    if (this.samples === 0) throw b.bad(`${where} has no samples per pixel`);
    if (this.segmentWidth === 0 || this.segmentHeight === 0) {
      throw b.bad(
        `${where} has ${this.tiled ? 'tiles' : 'strips'} of ${this.segmentWidth} by ${this.segmentHeight} pixels`,
      );
    }
    if (this.samples === 1) this.planar = false;
    if (this.fillOrder !== 1 && this.fillOrder !== 2) throw this.#unsupported(TAG.fillOrder, this.fillOrder);
  }

  /** An error that names this file. */
  bad(detail: string): BadTiffError {
    return this.#bytes.bad(detail);
  }

  #unsupported(tag: number, value: number): UnsupportedTiffError {
    return new UnsupportedTiffError(this.path, `tag ${tag} has value ${value}`);
  }

  /** What a sample becomes in memory. @throws UnsupportedTiffError naming tag and value. */
  get dtype(): Dtype {
    return tiffDtype(this.path, this.sampleFormat, this.bitsPerSample);
  }

  /** Samples lie on byte boundaries, as wide as in memory. */
  get byteAligned(): boolean {
    return this.bitsPerSample === itemSizeBytes(this.dtype) * 8;
  }

  /** `yx`, `yxs` with samples pixel by pixel, `syx` with samples in planes of their own. */
  get axes(): 'yx' | 'yxs' | 'syx' {
    if (this.samples === 1) return 'yx';
    return this.planar ? 'syx' : 'yxs';
  }

  /** Extents in the order of {@link axes}. */
  get shape(): number[] {
    if (this.samples === 1) return [this.height, this.width];
    return this.planar ? [this.samples, this.height, this.width] : [this.height, this.width, this.samples];
  }

  /** Size of the decoded page. */
  get sizeBytes(): number {
    return this.width * this.height * this.samples * itemSizeBytes(this.dtype);
  }

  /** Samples that lie together in one segment's pixel. */
  get samplesTogether(): number {
    return this.planar ? 1 : this.samples;
  }

  get segmentsAcross(): number {
    return Math.ceil(this.width / this.segmentWidth);
  }

  get segmentsDown(): number {
    return Math.ceil(this.height / this.segmentHeight);
  }

  /** Bytes of one row of a decoded segment before odd widths are unpacked. */
  get segmentRowBytes(): number {
    return Math.ceil((this.segmentWidth * this.samplesTogether * this.bitsPerSample) / 8);
  }

  /** Rows a segment holds: the last strip may be short, tiles never are. */
  segmentRows(segmentRow: number): number {
    if (this.tiled) return this.segmentHeight;
    return Math.min(this.segmentHeight, this.height - segmentRow * this.segmentHeight);
  }

  /** @throws UnsupportedTiffError for chroma subsampling, whose pixels aren't plain samples. */
  refuseSubsampling(): void {
    // YCbCrSubSampling is 2,2 where a YCbCr image doesn't say (TIFF 6.0 page 91).
    // JPEG brings its own word for what is subsampled, and comes out with all pixels.
    if (this.compression === 7 && !this.planar) return;
    if (this.photometric === 6 && this.samples > 1 && this.#subSampled) {
      throw new UnsupportedTiffError(
        this.path,
        `tag ${TAG.yCbCrSubSampling}: YCbCr with subsampled chroma (tag 262 has value 6)`,
      );
    }
  }

  /** Offsets and sizes of every segment, all inside the file. @throws BadTiffError */
  table(): SegmentTable {
    if (this.#table !== undefined) return this.#table;
    const perPlane = this.segmentsAcross * this.segmentsDown;
    const table = readSegmentTable(this.#bytes, {
      ifdOffset: this.ifdOffset,
      offsets: this.#offsets,
      sizes: this.#sizes,
      count: perPlane * (this.planar ? this.samples : 1),
      isCompressed: this.compression !== 1,
      plainSizeBytes: (index) =>
        this.segmentRowBytes * this.segmentRows(Math.floor((index % perPlane) / this.segmentsAcross)),
    });
    this.#table = table;
    return table;
  }

  /**
   * Where the decoded page lies in one piece in the file apart from its byte order: one uncompressed run, be
   * it several adjacent strips. Undefined when it doesn't. @throws BadTiffError when a strip is too short.
   */
  contiguousOffset(): number | undefined {
    if (this.compression !== 1 || this.predictor !== 1 || this.fillOrder !== 1) return undefined;
    if (!this.byteAligned || this.segmentWidth !== this.width) return undefined;
    if (this.tiled && this.height % this.segmentHeight !== 0) return undefined;
    this.refuseSubsampling();
    const { offsets, sizesBytes } = this.table();
    const first = offsets[0] ?? 0;
    let expected = first;
    for (let index = 0; index < offsets.length; index++) {
      if (offsets[index] !== expected) return undefined;
      const needed = this.segmentRowBytes * this.segmentRows(index % this.segmentsDown);
      if ((sizesBytes[index] ?? 0) < needed) {
        throw this.#bytes.bad(`strip ${index} has ${sizesBytes[index]} bytes, but its rows need ${needed}`);
      }
      expected += needed;
    }
    return first;
  }

  /** The page's bytes where they can be served as they lie: contiguous and little-endian. @throws BadTiffError */
  window(): ByteWindow | undefined {
    if (!this.littleEndian && this.bitsPerSample !== 8) return undefined;
    const offsetBytes = this.contiguousOffset();
    if (offsetBytes === undefined) return undefined;
    return { path: this.path, offsetBytes, sizeBytes: this.sizeBytes };
  }

  /**
   * ImageDescription up to its NUL, else undefined: OME-XML, ImageJ's or MetaMorph's text. UTF-8, or Latin-1
   * where it isn't valid UTF-8, as Windows programs write `µ`.
   */
  description(): string | undefined {
    const field = this.#description;
    if (field === undefined || typeSizeBytes(field.type) !== 1) return undefined;
    const bytes = this.#bytes.slice(field.offset, field.count);
    const end = bytes.indexOf(0);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, end === -1 ? bytes.length : end);
    return text.toString(isUtf8(text) ? 'utf8' : 'latin1');
  }

  /** Pixels per unit along x and y, where both are given; the unit is for whoever reads the text. */
  pixelsPerUnit(): { readonly x: number; readonly y: number } | undefined {
    if (this.#xResolution === undefined || this.#yResolution === undefined) return undefined;
    const x = rationalAt(this.#bytes, this.#xResolution);
    const y = rationalAt(this.#bytes, this.#yResolution);
    return x === undefined || y === undefined ? undefined : { x, y };
  }

  /** The tables that its JPEG streams leave out. @throws BadTiffError */
  jpegTables(): Uint8Array | undefined {
    const field = this.#jpegTables;
    if (field === undefined || typeSizeBytes(field.type) !== 1) return undefined;
    return this.#bytes.slice(field.offset, field.count);
  }

  /** What LERC streams are compressed with once more: 0 nothing, 1 deflate, 2 zstd. @throws BadTiffError */
  lercExtraCompression(): number {
    const field = this.#lercParameters;
    return field === undefined || field.count < 2 ? 0 : fieldValue(this.#bytes, field, 1);
  }

  /**
   * Offsets of the directories below this one (a pyramid's smaller levels), no more than a pyramid can have.
   * @throws BadTiffError
   */
  subIfdOffsets(): number[] {
    const field = this.#subIfds;
    if (field === undefined) return [];
    const length = Math.min(field.count, MAX_SUB_IFDS);
    return Array.from({ length }, (_, index) => fieldValue(this.#bytes, field, index));
  }
}
