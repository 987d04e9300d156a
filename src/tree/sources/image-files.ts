import { explain, FsRefusal } from '../../core/errors.ts';
import { itemSizeBytes } from '../../core/nd-array.ts';
import { type ImageEncoder, shownDtype } from '../../encoders.ts';
import type { ImageInfo } from '../../model/image.ts';
import { countedAxes, type ImagePart, imageParts } from '../../model/image-parts.ts';
import type { SourceOptions } from '../../model/indexed-source.ts';
import { planeEncoder, profileRules } from '../../model/profile.ts';
import { shownStacks } from '../../model/shown-stacks.ts';
import type { ImageItem } from '../../sources.ts';
import { type Shown, shownImage } from './image-part.ts';

/** Planes of one image that are files of their own. */
const MAX_PLANE_FILES = 4096;
/** Channels of one image that have previews. */
const MAX_PREVIEWS = 64;
/** A preview is made of the smallest level with as many pixels a side. */
const PREVIEW_SIDE = 1024;

/** A file that an image of a source is shown as. */
export interface ImageFile extends Shown {
  readonly view: 'stacks' | 'images' | 'previews';
  readonly encoder: string;
  /** What its name has behind the image's. */
  readonly ending: string;
  readonly sizeBytes: number;
}

/** The files of one image, and why others are not among them. */
export interface ImageFiles {
  readonly files: readonly ImageFile[];
  readonly refused: readonly string[];
}

interface Wanted extends Shown {
  readonly view: ImageFile['view'];
  readonly encoder: string;
  readonly suffix: string;
}

/** Whether an image has a plane at all, and numbers can say how many. */
const isCountable = ({ shape }: ImageInfo): boolean =>
  shape.every((extent) => extent >= 1 && Number.isSafeInteger(extent));

/** Bytes of a plane in an encoder's files. */
function planeBytes(image: ImageInfo, encoder: ImageEncoder): number {
  const [, , , height, width] = image.shape;
  return height * width * itemSizeBytes(shownDtype(encoder, image.dtype, image.float64As) ?? image.dtype);
}

/**
 * The files an image of a source is shown as, laid out for a program: as a field of a plate in stacks/ is, with the
 * same names of parts, or, for a program that must have no stacks, a file per plane in images/; and a preview of each
 * channel: the first time point, the slice in the middle.
 */
export function imageFiles(
  item: ImageItem,
  encoders: ReadonlyMap<string, ImageEncoder>,
  options: SourceOptions,
): ImageFiles {
  const files: ImageFile[] = [];
  const refused: string[] = [];
  for (const group of [
    ...stacksOf(item.image, encoders, options, refused),
    previewsOf(item, options, refused),
  ])
    try {
      // Files of one group are alike: where the format can't hold one, it can't hold the image.
      files.push(
        ...group.map(({ suffix, ...wanted }): ImageFile => {
          const encoder = encoders.get(wanted.encoder);
          if (!encoder) throw new Error(`there is no encoder ${wanted.encoder}`);
          const { sizeBytes } = encoder.layout(shownImage(item, wanted));
          return { ...wanted, ending: suffix + encoder.extension, sizeBytes };
        }),
      );
    } catch (error) {
      if (!(error instanceof FsRefusal)) throw error;
      const extension = encoders.get(group[0]?.encoder ?? '')?.extension;
      refused.push(`can't be shown as ${extension}: ${explain(error)}`);
    }
  return { files, refused };
}

function stacksOf(
  image: ImageInfo,
  encoders: ReadonlyMap<string, ImageEncoder>,
  { profile }: SourceOptions,
  refused: string[],
): readonly (readonly Wanted[])[] {
  const rules = profileRules(profile);
  const axes = countedAxes(image.shape);
  if (rules.stacks.length === 0) {
    const encoder = planeEncoder(profile);
    const whole = { view: 'images', encoder, suffix: '' } as const;
    const parts = isCountable(image)
      ? imageParts(axes, 0, { limitBytes: 0, mostParts: MAX_PLANE_FILES })
      : undefined;
    if (parts === 'too-many') {
      refused.push(
        `has more than ${MAX_PLANE_FILES} planes, too many for a file each; mount it without a profile`,
      );
      return [];
    }
    return [parts?.map((part) => ({ ...whole, suffix: part.suffix, part })) ?? [whole]];
  }
  return (['tiff', 'ome-tiff'] as const).map((flavour) => {
    const encoder = encoders.get(rules.stacks.find((id) => id !== 'ome-tiff') ?? '');
    const bytes = encoder && isCountable(image) ? planeBytes(image, encoder) : 0;
    return shownStacks(flavour, axes, bytes, profile).map(({ place: _, ...shown }) => ({
      ...shown,
      view: 'stacks',
    }));
  });
}

/** The smallest level that has no fewer pixels than a preview shows; undefined for the image itself. */
function previewLevel({ levels }: ImageItem): number | undefined {
  let found: number | undefined;
  for (const [place, { shape }] of levels.entries())
    if (Math.max(shape[3], shape[4]) >= PREVIEW_SIDE) found = place;
  return found;
}

function previewsOf(item: ImageItem, { profile }: SourceOptions, refused: string[]): readonly Wanted[] {
  if (!profileRules(profile).previews || !isCountable(item.image)) return [];
  const level = previewLevel(item);
  const [, channels, slices] = (level === undefined ? item.image : (item.levels[level] ?? item.image)).shape;
  if (channels > MAX_PREVIEWS) refused.push(`has previews of its first ${MAX_PREVIEWS} channels only`);
  return Array.from({ length: Math.min(channels, MAX_PREVIEWS) }, (_, c) => {
    const suffix = channels === 1 ? '' : `_w${c + 1}`;
    const part: ImagePart = {
      suffix,
      t: { first: 0, count: 1 },
      c: { first: c, count: 1 },
      z: { first: Math.floor(slices / 2), count: 1 },
    };
    return { view: 'previews', encoder: 'png', suffix, part, ...(level === undefined ? {} : { level }) };
  });
}
