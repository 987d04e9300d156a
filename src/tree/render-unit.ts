import type { Region } from '../core/region.ts';
import type { FileLayout } from '../encoders.ts';

/** Bytes of a rendered file that are decoded together. */
export interface RenderUnit {
  /** Equal for what is decoded together. */
  readonly name: string;
  readonly startBytes: number;
  readonly endBytes: number;
}

/**
 * The part of a rendered file that is decoded together with one byte of it, so that whoever hands out reads can have one
 * thread do all of one part: all of the file where nothing is known of its parts. Cheap: asked at every read.
 * @param sharedBy names what else is decoded with a region's pixels, where that is more than the region.
 */
export function renderUnitAt(
  node: number,
  layout: FileLayout | undefined,
  offsetBytes: number,
  sharedBy: (region: Region) => string | undefined = () => undefined,
): RenderUnit {
  const segment = layout && offsetBytes < layout.sizeBytes ? layout.segments(offsetBytes, 1)[0] : undefined;
  if (!segment) return { name: `${node}`, startBytes: 0, endBytes: Number.POSITIVE_INFINITY };
  const { offsetBytes: startBytes } = segment;
  const sizeBytes = segment.kind === 'bytes' ? segment.bytes.length : segment.sizeBytes;
  const shared = segment.kind === 'pixels' ? sharedBy(segment.region) : undefined;
  return { name: shared ?? `${node}:${startBytes}`, startBytes, endBytes: startBytes + sizeBytes };
}
