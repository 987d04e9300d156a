import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { lookedAtSource } from '../core/source-look.ts';
import type { PlaneLocation } from './plane-access.ts';
import type { RenderedImage } from './rendered-image.ts';

/** Counts up when the same sources would be rendered to other bytes. */
const RENDER_VERSION = 1;

/** A look at a source file: its identity, also where it is not there. */
export const identityOf = (path: string): string =>
  lookedAtSource(path, statSync(path, { bigint: true, throwIfNoEntry: false }));

/**
 * A name for all the bytes of a rendered file: another one when a source file, the layout or our rendering changes.
 * @param identify tells a file as it is now: {@link identityOf}.
 * @param filesOf the files that a plane's pixels lie in, be they there or not.
 * @throws the system's error when a source can't be asked.
 */
export function renderKey(
  { layout, planeAt, chunk }: RenderedImage,
  locationOf: (plane: number) => PlaneLocation,
  filesOf: (location: PlaneLocation) => readonly string[],
  identify: (path: string) => string,
): string {
  const hash = createHash('sha256').update(`platefs render ${RENDER_VERSION}\0${layout.sizeBytes}\0`);
  if (chunk) hash.update(`level ${chunk.place.level} ${chunk.plan.downsampling ?? ''}\0`);
  for (const segment of layout.segments(0, layout.sizeBytes)) {
    hash.update(`${segment.kind} ${segment.offsetBytes}\0`);
    if (segment.kind === 'bytes') {
      hash.update(segment.bytes);
      continue;
    }
    const plane = planeAt(segment.region);
    const location = plane === undefined ? undefined : locationOf(plane);
    const files = location ? filesOf(location).map(identify) : ['zeros'];
    hash.update(`${segment.sizeBytes} ${location?.page ?? 0} ${segment.region.start} ${files.join(' ')}\0`);
  }
  return hash.digest('hex').slice(0, 40);
}
