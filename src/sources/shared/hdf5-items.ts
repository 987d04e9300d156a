import { PlateFsError } from '../../core/errors.ts';
import type { Dtype } from '../../core/nd-array.ts';
import type { ArrayItem, ItemPath, SourceItem } from '../../sources.ts';
import { elementSizeUm, imageAxes } from './hdf5-axes.ts';
import type { Hdf5Dataset } from './hdf5-dataset.ts';
import { type Hdf5Family, type ImagePlans, imageItem } from './hdf5-family.ts';
import type { Hdf5Hierarchy } from './hdf5-hierarchy.ts';
import { fiveOf, type ImagePlan } from './hdf5-image.ts';
import { tablePlan } from './hdf5-table.ts';
import type { ElementType } from './hierarchy.ts';

/** A text that is one value: as long as attributes may be. */
const MAX_TEXT_LENGTH = 4 * 1024 * 1024;

/** The dtype of numbers, truth values and named numbers; undefined for anything else. */
export function dtypeOf(type: ElementType): Dtype | undefined {
  if (type.kind === 'number' || type.kind === 'enum') return type.dtype;
  return type.kind === 'boolean' ? 'uint8' : undefined;
}

/** CellH5's place of an image (cellh5.org): its plate, well and site name it, all being called `channel`. */
const CELLH5 = /^sample\/[^/]+\/plate\/([^/]+)\/experiment\/([^/]+)\/position\/([^/]+)\/image\/([^/]+)$/;

function imageName(path: ItemPath): string {
  const [, plate, well, site, kind] = CELLH5.exec(path) ?? [];
  if (plate === undefined) return path.slice(path.lastIndexOf('/') + 1);
  return `${plate}_${well}_${site}${kind === 'channel' ? '' : `_${kind}`}`;
}

/** A dataset as an image, undefined when it is none. */
export function datasetImage(path: ItemPath, dataset: Hdf5Dataset): ImagePlan | undefined {
  const dtype = dtypeOf(dataset.type);
  const axes = dtype === undefined ? undefined : imageAxes(dataset);
  if (dtype === undefined || axes === undefined) return undefined;
  return {
    path,
    shape: fiveOf(dataset.shape, axes),
    chunkShape: fiveOf(dataset.chunkShape, axes),
    dtype,
    axes,
    choosesDataset: false,
    isPadded: false,
    datasetAt: () => path,
  };
}

/**
 * An array beside an image of the same path: regions of five axes are the image's, so an array of five is listed in
 * that order, too.
 */
function besideImage(path: ItemPath, { shape, chunkShape, dtype }: ImagePlan): ArrayItem {
  return { kind: 'array', path, shape, chunkShape, dtype };
}

/** Items of a family's image. */
export function familyItems(family: Hdf5Family, image: ImagePlans): SourceItem[] {
  return [imageItem(image, family.describe(image)), besideImage(image[0].path, image[0])];
}

/** A dataset's items; words when it has none. @throws SourceBusyError … */
export function datasetItems(hierarchy: Hdf5Hierarchy, path: ItemPath): readonly SourceItem[] | string {
  try {
    const dataset = hierarchy.dataset(path);
    if (dataset.unreadable !== undefined) return dataset.unreadable;
    const items = itemsOf(hierarchy, path, dataset);
    if (items.length > 0) return items;
    const { type } = dataset;
    if (type.kind === 'other') return `can't be shown: ${type.name}`;
    return type.kind === 'text' ? 'is longer than a text may be' : 'has more columns than a table may';
  } catch (error) {
    if (error instanceof PlateFsError && error.tag === 'bad-hdf5') return error.message;
    throw error;
  }
}

function itemsOf(hierarchy: Hdf5Hierarchy, path: ItemPath, dataset: Hdf5Dataset): SourceItem[] {
  const { shape, chunkShape, type } = dataset;
  const dtype = dtypeOf(type);
  const name = path.slice(path.lastIndexOf('/') + 1);
  const table = tablePlan(dataset, name, () => hierarchy.numbers(path));
  const tables: SourceItem[] =
    table === undefined ? [] : [{ kind: 'table', path, rowCount: table.rowCount, columns: table.columns }];
  if (dtype === undefined)
    return shape.length === 0 && type.kind === 'text' ? oneText(hierarchy, path) : tables;
  const image = datasetImage(path, dataset);
  if (image === undefined)
    return [{ kind: 'array', path, shape, chunkShape, dtype }, ...(shape.length === 1 ? tables : [])];
  const array: ArrayItem =
    shape.length === 5 ? besideImage(path, image) : { kind: 'array', path, shape, chunkShape, dtype };
  const size = elementSizeUm(dataset);
  const info = {
    name: imageName(path),
    ...(size === undefined ? {} : { pixelSizeUm: { x: size.x, y: size.y }, zSpacingUm: size.z }),
    channels: [],
  };
  return [imageItem([image], info), array];
}

/** One text is a text file. */
function oneText(hierarchy: Hdf5Hierarchy, path: ItemPath): SourceItem[] {
  const [text = ''] = hierarchy.readText(path, { start: [], shape: [] });
  return text.length > MAX_TEXT_LENGTH ? [] : [{ kind: 'text', path: `${path}.txt`, text }];
}
