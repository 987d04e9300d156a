import { dirname, join } from 'node:path';
import { nameExists, place, writeJson } from './atomic-json.ts';
import { union } from './grown-image.ts';
import type { ImageReport } from './landing-job.ts';
import { groupPath, type ImageDecision } from './landing-plan.ts';
import type { ResultImage } from './result-image.ts';
import { imageFiles, type MetadataFile } from './store-documents.ts';

interface WholeImage {
  image: ResultImage;
  isPlaced: boolean;
  /** All its planes can be put together from chunks and sidecars. */
  isReassembled: boolean;
  /** Its planes of this batch that could not be made durable. */
  failed: number;
  areSidecarsPlaced: boolean;
}

/**
 * The images of a batch that are new: each appears at once, by the rename of one folder with its metadata, and so do
 * the sidecars of its planes where none lie yet.
 */
export class WholeImages {
  private readonly images = new Map<string, WholeImage>();

  /** Tells of a staged plane. */
  add({ stagedImage, image }: ImageDecision, exactness: ImageReport['exactness']): void {
    if (stagedImage === undefined) return;
    const known = this.images.get(stagedImage);
    const isReassembled = exactness === 'reassembled';
    if (!known) {
      const state = { isPlaced: false, failed: 0, areSidecarsPlaced: false };
      this.images.set(stagedImage, { image, isReassembled, ...state });
      return;
    }
    known.image = union(known.image, image);
    known.isReassembled &&= isReassembled;
  }

  /** Writes the metadata into the staged images; the files, by the staged image. */
  stageMetadata(): { path: string; stagedImage: string }[] {
    const written: { path: string; stagedImage: string }[] = [];
    for (const [stagedImage, { image }] of this.images) {
      for (const file of imageFiles(image)) {
        const path = join(stagedImage, file.path.slice(image.path.length + 1));
        writeJson(path, file.content);
        written.push({ path, stagedImage });
      }
    }
    return written;
  }

  /** Tells of a plane that is not to be placed. */
  fail({ stagedImage }: ImageDecision): void {
    const known = stagedImage === undefined ? undefined : this.images.get(stagedImage);
    if (known) known.failed++;
  }

  /**
   * Puts the image that the plane is in into its place, if it isn't there; an earlier landing moves out first, and goes
   * with what else is staged.
   */
  place(outputDir: string, { stagedImage = '', job, sidecar }: ImageDecision): void {
    const known = this.images.get(stagedImage);
    if (!known || known.isPlaced) return;
    const group = join(outputDir, groupPath(known.image));
    const aside = `${job.chunkPrefix}.old`;
    const isReplaced = nameExists(group);
    if (isReplaced) place(group, aside);
    try {
      place(stagedImage, group);
    } catch (error) {
      if (isReplaced) place(aside, group);
      throw error;
    }
    known.isPlaced = true;
    const sidecars = dirname(join(outputDir, sidecar));
    if (known.failed > 0 || !known.isReassembled || nameExists(sidecars)) return;
    place(dirname(job.sidecarPath), sidecars);
    known.areSidecarsPlaced = true;
  }

  /** Whether the plane's sidecar has been placed with those of its image. */
  hasPlacedSidecar({ stagedImage = '' }: ImageDecision): boolean {
    return this.images.get(stagedImage)?.areSidecarsPlaced === true;
  }

  /** The metadata that still has to be written: not what comes with a whole image, unless a plane of it failed. */
  without(files: readonly MetadataFile[]): MetadataFile[] {
    const complete = [...this.images.values()].filter(({ failed }) => failed === 0);
    const written = new Set(complete.flatMap(({ image }) => imageFiles(image).map((file) => file.path)));
    return files.filter((file) => !written.has(file.path));
  }
}
