import type { Region } from '../core/region.ts';
import type { FileLayout } from '../encoders.ts';
import type { PlaneShape } from '../model/plate-index.ts';
import type { ChunkPlace, ImagePlan } from './ngff/image-plan.ts';

/** A file of the mount that is put together from planes when it is read. */
export interface RenderedImage {
  readonly layout: FileLayout;
  /** What each of its planes must be. */
  readonly shape: PlaneShape;
  /** The plane of the plate at a region of the image, or undefined where the plate lacks it. */
  planeAt(region: Region): number | undefined;
  /** Set for a chunk of an OME-Zarr: which one, and a name of its image that no other has. */
  readonly chunk?: { readonly plan: ImagePlan; readonly place: ChunkPlace; readonly image: string };
}
