import { type ImagePart, imageParts, type NumberedAxes } from './image-parts.ts';
import { type Profile, profileRules } from './profile.ts';

/** Numbers that one image has for its files of one flavour; the last of them is all of it in one directory. */
export const STACK_PLACES = 2 ** 11;
const ONE_DIRECTORY = STACK_PLACES - 1;

/** A file that shows an image, or a part of one. */
export interface ShownStack {
  readonly encoder: string;
  /** What the name has behind the image's, before the extension. */
  readonly suffix: string;
  /** Distinguishes the files of one flavour; 0 for the whole and the first part. */
  readonly place: number;
  readonly part?: ImagePart;
}

/**
 * The files an image is shown as in one flavour: whole; where it would be over 4 GiB, in parts below it, or in one
 * directory. None where the profile leaves the flavour out.
 * @param planeBytes of a plane as its files hold it; 0 where no image of the kind is large.
 */
export function shownStacks(
  flavour: 'tiff' | 'ome-tiff',
  axes: NumberedAxes,
  planeBytes: number,
  profile: Profile | undefined,
): readonly ShownStack[] {
  const { stacks, large } = profileRules(profile);
  const encoder = stacks.find((one) => (one === 'ome-tiff') === (flavour === 'ome-tiff'));
  if (encoder === undefined) return [];
  const whole = { encoder, suffix: '', place: 0 };
  if (encoder === 'ome-tiff' || planeBytes === 0) return [whole];
  const parts = imageParts(axes, planeBytes, { mostParts: ONE_DIRECTORY - 1 });
  if (parts === undefined) return [whole];
  if (large === 'one-directory') return [{ ...whole, encoder: 'imagej-tiff', place: ONE_DIRECTORY }];
  // Where they would be too many, the whole is refused by its encoder, with what to open instead.
  return parts === 'too-many'
    ? [whole]
    : parts.map((part, place) => ({ ...whole, suffix: part.suffix, place, part }));
}
