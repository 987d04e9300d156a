import { BadTiffError, UnsupportedTiffError } from '../../core/errors.ts';
import { TiffFile } from './tiff-file.ts';

/** Pages looked at: a plane's file has one or a few. */
const MAX_PAGES = 64;

/**
 * Whether every strip and tile of a TIFF lies inside the file. A writer that is still at work has not yet written
 * the directory, or has named bytes that are not there. @throws UnreadableSourceError
 */
export function isWholeTiff(path: string): boolean {
  try {
    using file = new TiffFile(path);
    const pages = Math.min(file.pageCount(), MAX_PAGES);
    for (let number = 0; number < pages; number += 1) {
      const { offsets, sizesBytes } = file.page(number).table();
      if (offsets.length === 0) return false;
      for (const [segment, offset] of offsets.entries())
        if (offset === 0 || offset + (sizesBytes[segment] ?? 0) > file.sizeBytes) return false;
    }
    return true;
  } catch (error) {
    if (error instanceof BadTiffError) return false;
    if (error instanceof UnsupportedTiffError) return true;
    throw error;
  }
}
