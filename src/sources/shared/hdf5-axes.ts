import { attributeValue } from './hdf5-attributes.ts';
import type { Hdf5Dataset } from './hdf5-dataset.ts';
import type { AttributeValue } from './hierarchy.ts';

const LETTERS = 'tczyx';
/** Axes of arrays that nobody named, by their number. */
const BY_POSITION: Readonly<Record<number, string>> = { 2: 'yx', 3: 'zyx', 5: 'tczyx' };
/** What nobody named is taken for an image from this extent of y and x on: smaller things are matrices. */
const MIN_IMAGE_EXTENT = 16;

/**
 * One letter of `tczyx` per axis of an image, undefined for what is none. Named axes first: vigra's `axistags`
 * (ilastik), HDF5's dimension labels, an attribute `axes`, the HDF5 Image specification; else by their number.
 */
export function imageAxes(dataset: Hdf5Dataset): string | undefined {
  const { shape, file, at, innerRank } = dataset;
  if (shape.length < 2 || innerRank > 0 || shape.includes(0)) return undefined;
  const attribute = (name: string): AttributeValue | undefined => attributeValue(file, at, name);
  const named =
    fromAxistags(attribute('axistags')) ?? fromLabels(dataset) ?? fromAxesAttribute(attribute('axes'));
  if (named !== undefined && named.length === shape.length) return isImage(named) ? named : undefined;
  if (attribute('CLASS') === 'IMAGE') return fromImageClass(attribute('INTERLACE_MODE'), shape);
  if (/(?:^|\/)position\/[^/]+\/image\/[^/]+$/.test(at) && shape.length === 5) return 'ctzyx';
  const guessed = BY_POSITION[shape.length];
  const isLarge = shape.slice(-2).every((extent) => extent >= MIN_IMAGE_EXTENT);
  return isLarge ? guessed : undefined;
}

function isImage(axes: string): boolean {
  const letters = new Set(axes);
  return (
    letters.size === axes.length &&
    letters.has('y') &&
    letters.has('x') &&
    [...letters].every((one) => LETTERS.includes(one))
  );
}

/** `axistags`: JSON of vigra, `{"axes": [{"key": "y", …}, …]}`; found in exports of ilastik. */
function fromAxistags(value: AttributeValue | undefined): string | undefined {
  if (typeof value !== 'string') return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    // An attribute of that name that is none of vigra's: the axes are named elsewhere or not at all.
    return undefined;
  }
  const axes = typeof parsed === 'object' && parsed !== null && 'axes' in parsed ? parsed.axes : undefined;
  if (!Array.isArray(axes)) return undefined;
  return letters(
    axes.map((axis: unknown) =>
      typeof axis === 'object' && axis !== null && 'key' in axis ? axis.key : undefined,
    ),
  );
}

function fromLabels({ file, at }: Hdf5Dataset): string | undefined {
  return letters(file.library(at, (module, id) => module.get_dimension_labels(id, at)));
}

function fromAxesAttribute(value: AttributeValue | undefined): string | undefined {
  if (typeof value === 'string') return letters([...value.replaceAll(/[\s,]/g, '')]);
  return Array.isArray(value) ? letters(value) : undefined;
}

/** Letters of names like `y`, `Y` or `time`; undefined when one has no letter. */
function letters(names: readonly unknown[]): string | undefined {
  const found = names.map((name) => (typeof name === 'string' ? LONG_NAMES[name.toLowerCase()] : undefined));
  return found.length > 0 && found.every((letter) => letter !== undefined) ? found.join('') : undefined;
}

const LONG_NAMES: Readonly<Record<string, string>> = {
  t: 't',
  c: 'c',
  z: 'z',
  y: 'y',
  x: 'x',
  time: 't',
  channel: 'c',
  ch: 'c',
};

/** HDF5 Image and Palette Specification 1.2: INTERLACE_PIXEL is [y][x][3], INTERLACE_PLANE [3][y][x]. */
function fromImageClass(interlace: AttributeValue | undefined, shape: readonly number[]): string | undefined {
  if (shape.length === 2) return 'yx';
  if (shape.length !== 3) return undefined;
  if (interlace === 'INTERLACE_PIXEL') return 'yxc';
  return interlace === 'INTERLACE_PLANE' ? 'cyx' : undefined;
}

/** Size of a voxel along an image's axes in µm: `element_size_um`, one number per axis of z, y, x (PlantSeg, Fiji). */
export function elementSizeUm({
  file,
  at,
}: Hdf5Dataset): { readonly x: number; readonly y: number; readonly z: number } | undefined {
  const value = attributeValue(file, at, 'element_size_um');
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [z, y, x] = value.map(Number);
  const isSize = (size: number | undefined): size is number =>
    size !== undefined && Number.isFinite(size) && size > 0;
  return isSize(x) && isSize(y) && isSize(z) ? { x, y, z } : undefined;
}
