import { basename, dirname, join } from 'node:path';
import type { GroupDocument } from './group-documents.ts';
import { imageDocuments, type ResultImage } from './result-image.ts';

/**
 * In which order metadata becomes visible: what names others after them. A well names its images and, by their numbers,
 * acquisitions of the plate: those come before.
 */
export const METADATA_LEVELS = ['array', 'acquisitions', 'well', 'plate'] as const;

/** A metadata file to be written. One may have a content at each of several levels. */
export interface MetadataFile {
  /** Below the store. */
  readonly path: string;
  readonly content: object;
  readonly level: (typeof METADATA_LEVELS)[number];
}

/** Documents of a group as files below the store. */
export function metadataFiles(
  folder: string,
  documents: readonly GroupDocument[],
  levelOf: (name: string) => MetadataFile['level'],
): MetadataFile[] {
  return documents.map(({ name, content }) => ({ path: join(folder, name), content, level: levelOf(name) }));
}

/** The metadata of an image: its array first. */
export function imageFiles(image: ResultImage): MetadataFile[] {
  const well = image.path.split('/').slice(0, 2).join('/');
  const field = `${image.isLabel ? well : dirname(image.path)} site ${image.site} ${image.group}`;
  const name = image.site === undefined ? basename(image.path) : field;
  return metadataFiles(image.path, imageDocuments(image, name), () => 'array');
}
