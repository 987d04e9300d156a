import { closeSync } from 'node:fs';
import { compressionName } from '../../core/tiff-tags.ts';
import type { PlaneProbe } from '../../sources.ts';
import { TiffBytes } from './tiff-bytes.ts';
import { openForReading, readTiffHeader, TiffFile } from './tiff-file.ts';
import { TiffPage } from './tiff-page.ts';

/** Directories, their tables and the description usually fit; a longer description costs one more read. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * What a page says of itself.
 * @throws BadTiffError, UnsupportedTiffError when its samples have no dtype here.
 */
function probePage(page: TiffPage): PlaneProbe {
  const window = page.window();
  const description = page.description();
  return {
    info: { shape: page.shape, dtype: page.dtype, axes: page.axes },
    width: page.width,
    height: page.height,
    samples: page.samples,
    compression: compressionName(page.compression),
    byteOrder: page.littleEndian ? 'little' : 'big',
    fileSizeBytes: page.fileSizeBytes,
    ...(window === undefined ? {} : { window }),
    ...(description === undefined ? {} : { description }),
  };
}

/**
 * The first page of a TIFF: one open, and one read when the directory lies at the front, two when it lies
 * behind the pixels. @throws BadTiffError, UnsupportedTiffError, UnreadableSourceError
 */
function readTiffHead(path: string): PlaneProbe {
  const { fd, sizeBytes } = openForReading(path);
  try {
    const bytes = new TiffBytes(fd, path, sizeBytes, scratch);
    const { big, firstIfdOffset } = readTiffHeader(bytes);
    if (firstIfdOffset === 0) throw bytes.bad('the file holds no image');
    return probePage(new TiffPage(bytes, firstIfdOffset, big));
  } finally {
    closeSync(fd);
  }
}

/** Any page of a TIFF; walks the chain up to it. @throws as {@link readTiffHead}. */
export function readTiffPageHead(path: string, page: number): PlaneProbe {
  if (page === 0) return readTiffHead(path);
  using file = new TiffFile(path);
  return probePage(file.page(page));
}
