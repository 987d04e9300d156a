import type { TiffPage } from './tiff-page.ts';
import { umPerUnit } from './tiff-pixel-size.ts';

/** A count in ImageJ's description (`images=12`), undefined when it has none. */
export function imagejNumber(description: string, key: string): number | undefined {
  const text = new RegExp(`^${key}=(\\d{1,9})\\s*$`, 'm').exec(description)?.[1];
  const value = Number(text ?? 0);
  return value > 0 ? value : undefined;
}

const word = (text: string, key: string): string | undefined =>
  new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1]?.trim();

const positive = (text: string | undefined): number | undefined => {
  const value = Number(text);
  return text !== undefined && text !== '' && value > 0 && value < Number.POSITIVE_INFINITY
    ? value
    : undefined;
};

/** Distance of slices: `spacing`, in `unit` (ij.io.FileSaver). Undefined where the unit is unknown. */
export function imagejSpacingUm(text: string): number | undefined {
  const spacing = positive(word(text, 'spacing'));
  const scale = umPerUnit(word(text, 'zunit') ?? word(text, 'unit') ?? '');
  return spacing === undefined || scale === undefined ? undefined : spacing * scale;
}

const SECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['sec', 1],
  ['second', 1],
  ['seconds', 1],
  ['ms', 1e-3],
  ['msec', 1e-3],
  ['min', 60],
  ['h', 3600],
  ['hour', 3600],
]);

/** Time between frames: `finterval`, in seconds unless `tunit` says otherwise (ij.io.FileOpener). */
export function imagejIntervalS(text: string): number | undefined {
  const interval = positive(word(text, 'finterval'));
  const scale = SECONDS.get(word(text, 'tunit')?.toLowerCase() ?? 'sec');
  return interval === undefined || scale === undefined ? undefined : interval * scale;
}

/**
 * Where the planes of an ImageJ stack over 4 GiB begin: one directory, `images=N` in its text, and the planes
 * one after the other. Undefined for any other file. @throws BadTiffError when it is too short for them.
 */
export function singleDirectoryStack(page: TiffPage, description: string | undefined): number | undefined {
  if (description === undefined || !description.startsWith('ImageJ=')) return undefined;
  const images = imagejNumber(description, 'images') ?? 1;
  const offset = images > 1 && !page.planar ? page.contiguousOffset() : undefined;
  if (offset === undefined) return undefined;
  if (offset + images * page.sizeBytes > page.fileSizeBytes) {
    throw page.bad(`${images} planes of ${page.sizeBytes} bytes don't fit in ${page.fileSizeBytes} bytes`);
  }
  return offset;
}
