import type { FileLayout } from '../../encoders.ts';
import type { LayoutReaderOptions } from '../layout-reader.ts';

/** What a {@link LayoutReader} needs to read a document: its bytes are all there is. */
export function documentLayout(
  bytes: Uint8Array,
): Pick<LayoutReaderOptions, 'layout' | 'pixels' | 'cacheKey'> {
  const layout: FileLayout = {
    sizeBytes: bytes.length,
    segments: () => [{ kind: 'bytes', offsetBytes: 0, bytes }],
  };
  return { layout, pixels: { readPixels: () => undefined }, cacheKey: '' };
}
