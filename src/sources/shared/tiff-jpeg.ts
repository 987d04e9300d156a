import { UnsupportedTiffError } from '../../core/errors.ts';
import { TAG } from '../../core/tiff-tags.ts';
import { interleave } from './jpeg-colour.ts';
import { decodeJpeg, type JpegTables, readJpegTables } from './jpeg-decode.ts';
import { JpegFault } from './jpeg-huffman.ts';
import type { TiffPage } from './tiff-page.ts';

const YCBCR = 6;
const tablesOf = new WeakMap<TiffPage, JpegTables>();

function jpegTables(page: TiffPage): JpegTables | undefined {
  const bytes = page.jpegTables();
  if (bytes === undefined) return undefined;
  let tables = tablesOf.get(page);
  if (!tables) tablesOf.set(page, (tables = readJpegTables(bytes)));
  return tables;
}

/**
 * A strip or tile of compression 7 (Adobe, TIFF Technical Note 2, 1995). YCbCr becomes RGB, as libtiff gives it;
 * other components come as they are.
 * @param target rows of it, as many as there are.
 * @throws BadTiffError, UnsupportedTiffError
 */
export function decodeJpegSegment(page: TiffPage, stored: Uint8Array, target: Uint8Array): void {
  const rows = target.length / page.segmentRowBytes;
  try {
    const most = { width: page.segmentWidth, height: page.segmentHeight };
    const image = decodeJpeg(stored, jpegTables(page), most);
    if (image.components.length !== page.samplesTogether)
      throw new JpegFault(`${image.components.length} components for ${page.samplesTogether} samples`);
    if (image.width !== page.segmentWidth || image.height < rows)
      throw new JpegFault(`${image.width} by ${image.height} pixels for ${page.segmentWidth} by ${rows}`);
    interleave(image, rows, page.photometric === YCBCR && page.samplesTogether === 3, target);
  } catch (error) {
    if (!(error instanceof JpegFault)) throw error;
    if (error.isUnsupported) {
      throw new UnsupportedTiffError(page.path, `tag ${TAG.compression} has value 7: ${error.message}`, {
        advice: 'convert the file to LZW, deflate, zstd or no compression',
      });
    }
    throw page.bad(`JPEG data is damaged: ${error.message}`);
  }
}
