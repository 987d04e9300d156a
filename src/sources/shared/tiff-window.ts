import { itemSizeBytes } from '../../core/nd-array.ts';
import type { PageBox } from './tiff-decode.ts';
import type { TiffPage } from './tiff-page.ts';

/**
 * Where the pixels of a box of one sample lie in one piece as they are served: uncompressed, little-endian, row after
 * row. In a run of strips, or in one strip or tile. Undefined when they don't.
 * @param sample which one, where samples lie in planes of their own.
 * @throws BadTiffError when a strip is too short
 */
export function boxOffset(page: TiffPage, box: PageBox, sample: number): number | undefined {
  if (page.compression !== 1 || page.predictor !== 1 || page.fillOrder !== 1 || !page.byteAligned)
    return undefined;
  if (!page.littleEndian && page.bitsPerSample !== 8) return undefined;
  if (page.samplesTogether !== 1) return undefined;
  const itemBytes = itemSizeBytes(page.dtype);
  const isOneRun = (rowItems: number): boolean => box.height === 1 || box.width === rowItems;
  const run = page.contiguousOffset();
  if (run !== undefined && isOneRun(page.width)) {
    return run + ((sample * page.height + box.y) * page.width + box.x) * itemBytes;
  }
  const { segmentWidth, segmentHeight, segmentsAcross, segmentsDown } = page;
  const down = Math.floor(box.y / segmentHeight);
  const across = Math.floor(box.x / segmentWidth);
  const top = down * segmentHeight;
  const left = across * segmentWidth;
  const isInOne = box.y + box.height <= top + segmentHeight && box.x + box.width <= left + segmentWidth;
  if (!isInOne || !isOneRun(segmentWidth)) return undefined;
  const { offsets, sizesBytes } = page.table();
  const segment = (sample * segmentsDown + down) * segmentsAcross + across;
  const offset = offsets[segment] ?? 0;
  const inside = ((box.y - top) * segmentWidth + box.x - left) * itemBytes;
  if (inside + box.height * box.width * itemBytes > (sizesBytes[segment] ?? 0)) {
    throw page.bad(`strip or tile ${segment} of ${sizesBytes[segment]} bytes is too short`);
  }
  return offset + inside;
}
