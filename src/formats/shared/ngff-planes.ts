import { PlateFsError } from '../../core/errors.ts';
import type { Dtype } from '../../core/nd-array.ts';
import { type PlaneGroups, planeGroups } from '../../model/plane-groups.ts';
import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { type ArrayFileMetadata, readArrayMetadata } from '../../zarr/array-metadata.ts';
import { decodedShape } from '../../zarr/decoded-shape.ts';
import { axisLetters, inUm, type NgffAxis } from '../../zarr/ngff-axes.ts';
import { type NgffImage, ngffOf, parseImage } from '../../zarr/ngff-metadata.ts';
import type { ImagePlace, NgffStore } from './ngff-images.ts';
import { joinPath } from './plate-path.ts';

/** An image whose planes can be shown. */
export interface PlacedImage extends ImagePlace {
  readonly image: NgffImage;
  readonly axes: readonly NgffAxis[];
  /** Letter of each axis; one of extent 1 may be none of ours. */
  readonly letters: readonly (string | undefined)[];
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** Absent where every plane has its own chunks. */
  readonly groups?: PlaneGroups;
  /** The file of the full-resolution array, numbered by the builder. */
  readonly file: number;
}

/** Extents of an image along t, c, z, y, x; 1 for an axis it lacks. */
export function extentOf({ letters, shape }: Pick<PlacedImage, 'letters' | 'shape'>, letter: string): number {
  const axis = letters.indexOf(letter);
  return axis === -1 ? 1 : (shape[axis] ?? 1);
}

/** Planes of one plate: an index of more would not fit in memory. */
const MAX_PLANES = 2 ** 26;

/** The highest number that an index holds. */
const MAX_CHANNEL = 0xffff;

/** Axes of images from before 0.3, whose metadata names none. */
const OLD_AXES: readonly NgffAxis[] = [...'tczyx'].map((name) => ({ name }));

/**
 * Reads the image at a place. Undefined, with a warning, when its planes can't be shown.
 * `fileAt` gives the builder's number of a file by its path below the root.
 */
export function readPlacedImage(
  store: NgffStore,
  place: ImagePlace,
  fileAt: (path: string) => number | undefined,
): PlacedImage | undefined {
  const { path } = place;
  const group = store.group(path);
  if (!group) return undefined;
  const image = parseImage(ngffOf(group.attributes));
  const notShown = 'it is not shown';
  if (!image) {
    store.warn('bad-metadata', path, 'has no multiscales metadata with a level', notShown);
    return undefined;
  }
  if (image.moreImages > 0)
    store.warn(
      'unsupported-image',
      path,
      `holds ${image.moreImages} more multiscale images`,
      'the first is shown',
    );
  const level = store.inside(path, image.levelPath);
  if (level === undefined) return undefined;
  const name = group.zarrFormat === 3 ? 'zarr.json' : '.zarray';
  const metadataPath = joinPath(level, name);
  const array = readArray(store, metadataPath);
  if (array) store.remember(level, [{ name, ...array }]);
  const file = fileAt(store.pathOf(metadataPath));
  if (!array || file === undefined) return undefined;
  const axes = image.axes ?? OLD_AXES;
  const letters = axisLetters(axes);
  const { shape, element } = array;
  const why = whyNotShown(letters, shape, element.lanes);
  if (why !== undefined) {
    store.warn('unsupported-image', path, why, 'its files are reachable under source/');
    return undefined;
  }
  const groups = planeGroups(shape, decodedShape(array));
  return {
    ...place,
    image,
    axes,
    letters,
    shape,
    dtype: element.dtype,
    file,
    ...(groups ? { groups } : {}),
  };
}

function readArray(store: NgffStore, path: string): ArrayFileMetadata | undefined {
  try {
    return readArrayMetadata(store.absolute(path));
  } catch (error) {
    if (!(error instanceof PlateFsError)) throw error;
    const kind = error.tag === 'unsupported-zarr' ? 'unsupported-image' : 'bad-metadata';
    store.warn(kind, path, `can't be read: ${error.message}`, 'its image is not shown');
    return undefined;
  }
}

/** Why an array's planes can't be shown as images, or undefined. */
function whyNotShown(
  letters: readonly (string | undefined)[],
  shape: readonly number[],
  lanes: number,
): string | undefined {
  if (letters.length !== shape.length) return `names ${letters.length} axes of an array of ${shape.length}`;
  if (letters.at(-1) !== 'x' || letters.at(-2) !== 'y') return 'has axes that do not end in y, x';
  const known = letters.filter((letter) => letter !== undefined);
  if (new Set(known).size !== known.length) return 'names an axis twice';
  const strange = letters.findIndex((letter, axis) => letter === undefined && (shape[axis] ?? 1) !== 1);
  if (strange !== -1) return `has ${shape[strange]} planes along an axis that is none of t, c, z`;
  if (shape.some((extent) => extent === 0)) return `is an array of [${shape}] pixels, so it holds none`;
  if (lanes !== 1) return 'holds numbers of several parts, of which there are no images';
  return undefined;
}

/**
 * Adds the planes of an image, in C order of its array. `channelOffset` is added to the channel's place; positions
 * are told when `withPositions` says that the plate has any. @returns whether they could be added.
 */
export function addPlanes(
  builder: PlateIndexBuilder,
  store: NgffStore,
  placed: PlacedImage,
  channelOffset: number,
  withPositions: boolean,
): boolean {
  const { well, site, file, shape, letters, axes, image, dtype } = placed;
  const leading = shape.slice(0, -2);
  if (placed.groups) builder.addPlaneGroups(file, placed.groups);
  const count = leading.reduce((product, extent) => product * extent, 1);
  if (builder.planeCount + count > MAX_PLANES) {
    store.warn('bad-metadata', placed.path, `would make more than ${MAX_PLANES} planes`, 'it is not shown');
    return false;
  }
  const lastChannel = channelOffset + extentOf(placed, 'c');
  if (lastChannel > MAX_CHANNEL) {
    store.warn(
      'unsupported-image',
      placed.path,
      `would need channel number ${lastChannel}`,
      'it is not shown',
    );
    return false;
  }
  const xUm = withPositions ? inUm(image.measures.at(-1)?.translation, axes.at(-1)) : undefined;
  const yUm = withPositions ? inUm(image.measures.at(-2)?.translation, axes.at(-2)) : undefined;
  const detail = {
    shape: { width: shape.at(-1) ?? 0, height: shape.at(-2) ?? 0, dtype },
    ...(xUm === undefined ? {} : { xUm }),
    ...(yUm === undefined ? {} : { yUm }),
  };
  const place = { t: 1, c: 1, z: 1 };
  for (let page = 0; page < count; page += 1) {
    let rest = page;
    for (let axis = leading.length - 1; axis >= 0; axis--) {
      const extent = leading[axis] ?? 1;
      const letter = letters[axis];
      if (letter === 't' || letter === 'c' || letter === 'z') place[letter] = (rest % extent) + 1;
      rest = Math.floor(rest / extent);
    }
    const { t, c, z } = place;
    try {
      builder.addPlane(file, well.row, well.column, site, channelOffset + c, z, t, '.tif', {
        page,
        ...detail,
      });
    } catch (error) {
      if (!(error instanceof PlateFsError)) throw error;
      store.warn(
        'unsupported-image',
        placed.path,
        `has planes that can't be named: ${error.message}`,
        'they are not shown',
      );
      return false;
    }
  }
  return true;
}
