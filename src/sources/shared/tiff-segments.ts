import type { TiffBytes } from './tiff-bytes.ts';
import { type Field, fieldValue } from './tiff-field.ts';

/** Offsets and stored sizes of a page's strips or tiles. */
export interface SegmentTable {
  readonly offsets: Float64Array;
  readonly sizesBytes: Float64Array;
}

/** What a directory says of where its strips or tiles lie. */
export interface SegmentFields {
  /** Where the directory lies, for messages. */
  readonly ifdOffset: number;
  /** StripOffsets or TileOffsets (TIFF 6.0 pages 40 and 68). */
  readonly offsets: Field | undefined;
  /** StripByteCounts or TileByteCounts; some writers leave them out where nothing is compressed. */
  readonly sizes: Field | undefined;
  /** Segments that the image needs. */
  readonly count: number;
  readonly isCompressed: boolean;
  /** What a segment takes uncompressed. */
  readonly plainSizeBytes: (index: number) => number;
}

/** Where every segment of a page lies, all inside the file. @throws BadTiffError */
export function readSegmentTable(bytes: TiffBytes, fields: SegmentFields): SegmentTable {
  const { ifdOffset, offsets, sizes, count } = fields;
  if (offsets === undefined) throw bytes.bad(`directory at ${ifdOffset} has no strips and no tiles`);
  if (offsets.count < count) {
    throw bytes.bad(`tag ${offsets.tag} has ${offsets.count} offsets, but the image needs ${count}`);
  }
  if (sizes !== undefined && sizes.count < count) {
    throw bytes.bad(`tag ${sizes.tag} has ${sizes.count} sizes, but the image needs ${count}`);
  }
  if (sizes === undefined && fields.isCompressed) {
    throw bytes.bad(`directory at ${ifdOffset} doesn't say how long its compressed strips are`);
  }
  const table = { offsets: new Float64Array(count), sizesBytes: new Float64Array(count) };
  for (let index = 0; index < count; index++) {
    const offset = fieldValue(bytes, offsets, index);
    const size = sizes === undefined ? fields.plainSizeBytes(index) : fieldValue(bytes, sizes, index);
    if (size === 0 || offset === 0) throw bytes.bad(`segment ${index} of the image is empty`);
    if (offset + size > bytes.sizeBytes) {
      throw bytes.bad(
        `segment ${index} lies at bytes ${offset} to ${offset + size}, but the file has ${bytes.sizeBytes} bytes`,
      );
    }
    table.offsets[index] = offset;
    table.sizesBytes[index] = size;
  }
  return table;
}
