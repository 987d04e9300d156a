import type { ImageInfo } from '../../model/image.ts';
import type { ImageItem, ItemPath, SourceCatalog } from '../../sources.ts';
import type { ImagePlan } from './hdf5-image.ts';
import type { NodePath } from './hierarchy.ts';

/** An image with its levels: where the pixels of each stand, the largest first. */
export type ImagePlans = readonly [ImagePlan, ...ImagePlan[]];

/** What programs of one kind write: images out of several datasets. */
export interface Hdf5Family {
  readonly title: string;
  readonly images: readonly ImagePlans[];
  /** Whether a dataset's pixels are shown by an image of the family. */
  isShown(path: NodePath): boolean;
  /** What is known of an image beside its extents; asked for catalogs only. */
  describe(image: ImagePlans): Omit<ImageInfo, 'shape' | 'dtype'>;
  readonly warnings: SourceCatalog['warnings'];
  /** Other files that the description came from. */
  readonly files: readonly string[];
}

/** The image item of some plans. */
export function imageItem(
  [first, ...levels]: ImagePlans,
  info: Omit<ImageInfo, 'shape' | 'dtype'>,
): ImageItem {
  return {
    kind: 'image',
    path: first.path,
    image: { ...info, shape: first.shape, dtype: first.dtype },
    chunkShape: first.chunkShape,
    levels: levels.map(({ path, shape, chunkShape }) => ({ path, shape, chunkShape })),
  };
}

/** Plans whose extents do not grow from one level to the next, in their order, and those left out. */
export function shrinkingLevels(plans: ImagePlans): {
  readonly kept: ImagePlans;
  readonly left: readonly ItemPath[];
} {
  const [first, ...others] = plans;
  const kept: [ImagePlan, ...ImagePlan[]] = [first];
  const left: ItemPath[] = [];
  for (const plan of others) {
    const above = kept.at(-1) ?? first;
    const fits =
      plan.shape.every((extent, axis) => extent <= (above.shape[axis] ?? 0)) && plan.dtype === first.dtype;
    if (fits) kept.push(plan);
    else left.push(plan.path);
  }
  return { kept, left };
}
