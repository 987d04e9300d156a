import { TiffLook, tiffText } from './tiff-look.ts';

/** Longest description that is read; MetaMorph's are about 7 kB. */
const MAX_DESCRIPTION_BYTES = 1 << 20;

/** What a look at a TIFF's first IFD gives; `description` is '' where the file has none. */
export interface TiffGlance {
  readonly description: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/**
 * Reads the ImageDescription of a TIFF's first image and nothing else: two or three reads of 16 KiB.
 * @throws UnreadableSourceError when the file can't be opened, BadTiffError when it is no TIFF or truncated.
 */
export async function glanceAtTiff(path: string): Promise<TiffGlance> {
  await using look = await TiffLook.open(path);
  const { description } = await look.directory(look.firstDirectory);
  const { sizeBytes, mtimeMs } = look;
  if (description === undefined || description.length > MAX_DESCRIPTION_BYTES)
    return { description: '', sizeBytes, mtimeMs };
  const bytes = await look.bytes(description.offset, description.length);
  return { description: tiffText(bytes), sizeBytes, mtimeMs };
}
