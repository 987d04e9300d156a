import type { Dtype } from '../core/nd-array.ts';
import type { NgffVersion } from '../model/ngff.ts';
import type { PlatePlacement } from './placement.ts';
import type { ResultImage } from './result-image.ts';

/** Which result images are labels of which others, and what they are called there. Pure. */

const LABELS = /(^|[^a-z])(labels?|masks?)([^a-z]|$)/i;

/** Labels, by the name of their file or its folder: whole numbers that no mean makes sense of. */
export const isLabel = (mountPath: string, dtype: Dtype): boolean =>
  isNamedLabel(mountPath) && !dtype.startsWith('float');

/** Whether a name alone makes a file a label, if its pixels are whole numbers. */
export const isNamedLabel = (mountPath: string): boolean => LABELS.test(mountPath);

/** Whether a field of the store holds labels. */
const isLabelField = ({ group = '', dtype, isLabel: isKnown }: ResultImage): boolean =>
  isKnown === true || isLabel(group, dtype);

/**
 * The image among the fields of a well and site that a label is of, with pixels on the same grid: where it is known which
 * group it was made of, that group's; else the one from the same folder without a suffix, else the only one. Undefined
 * where there is none, or no telling which.
 */
export function sourceOfLabel(
  { folder, isProjection, site }: PlatePlacement,
  [height, width]: readonly [height: number, width: number],
  fields: readonly ResultImage[],
  madeOf: string | undefined,
): ResultImage | undefined {
  const possible = fields.filter(
    (field) =>
      field.site === site &&
      field.shape[3] === height &&
      field.shape[4] === width &&
      !isLabelField(field) &&
      / projection$/.test(field.group ?? '') === isProjection,
  );
  if (madeOf !== undefined) return possible.find(({ group }) => group === madeOf);
  const beside = isProjection ? `${folder} projection` : folder;
  return possible.find(({ group }) => group === beside) ?? (possible.length === 1 ? possible[0] : undefined);
}

const NAMELESS = 'labels';

/** What labels are called below their image, from what their files have in common: `labels`, `cells_labels`. */
export function labelName({ folder, suffix }: PlatePlacement): string {
  const last = folder === '.' ? '' : folder.slice(folder.lastIndexOf('/') + 1);
  const text = LABELS.test(suffix) ? suffix : `${last}${suffix}`;
  const name = text
    .normalize('NFC')
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .replace(/^[._-]+/, '');
  return name === '' ? NAMELESS : name;
}

/** The image that a label lies below, by path below the store: `A/01/0` of `A/01/0/labels/cells`. */
export const labelledImage = (labelPath: string): string => labelPath.split('/').slice(0, -2).join('/');

/** The group that lists the labels of an image, by path below the store. */
export const labelsGroup = (imagePath: string): string => `${imagePath}/labels`;

/**
 * `image-label` of a label (OME-NGFF, "labels"): its source is two groups above. Colours are left out, which leaves them
 * to the viewer.
 */
export const labelAttributes = (version: NgffVersion): object => ({
  'image-label': { ...(version === '0.4' ? { version } : {}), source: { image: '../../' } },
});
