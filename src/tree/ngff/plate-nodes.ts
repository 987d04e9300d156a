import { MAX_WELL_COLUMNS, MAX_WELL_ROWS } from '../../model/well.ts';
import { type ImageBlock, type ImageNode, imageOfNode, nodeOfImage } from './image-numbers.ts';

/** plate.ome.zarr itself. */
export const OME_ZARR_ROOT = 7;
/** Folders of images/ begin where its nodes end. */
const BASE = 2 ** 42;
const BEYOND = 2 ** 43;
const WELLS = BASE + 64;
/** Documents that never change, by the number of their group. */
const FIXED = BASE + 2 ** 12;
/** Documents of one generation, by generation and the number of their group. */
const VERSIONED = BASE + 2 ** 20;
const GROUPS = 2 ** 11;
const IMAGES = BASE + 2 ** 41;

/** A group of the plate above its images. */
export type PlateGroup =
  | { readonly kind: 'plate' }
  | { readonly kind: 'row'; readonly row: number }
  | { readonly kind: 'well'; readonly row: number; readonly column: number };

export type PlateNode =
  | PlateGroup
  /** A document of a group; of a generation where its content depends on what the plate holds. */
  | { readonly kind: 'document'; readonly group: PlateGroup; readonly generation: number | undefined }
  | ({ readonly kind: 'image' } & ImageNode);

export const ownsPlateNode = (node: number): boolean =>
  node === OME_ZARR_ROOT || (node >= BASE && node < BEYOND);

/** The plate is group 0, rows follow from 1 on, wells from 64 on. */
function groupNumber(group: PlateGroup): number {
  if (group.kind === 'plate') return 0;
  return group.kind === 'row' ? 1 + group.row : 64 + group.row * MAX_WELL_COLUMNS + group.column;
}

function groupAt(number: number): PlateGroup | undefined {
  if (number === 0) return { kind: 'plate' };
  if (number <= MAX_WELL_ROWS) return { kind: 'row', row: number - 1 };
  const well = number - 64;
  if (well < 0 || well >= MAX_WELL_ROWS * MAX_WELL_COLUMNS) return undefined;
  return { kind: 'well', row: Math.floor(well / MAX_WELL_COLUMNS), column: well % MAX_WELL_COLUMNS };
}

export function groupNode(group: PlateGroup): number {
  if (group.kind === 'plate') return OME_ZARR_ROOT;
  return group.kind === 'row' ? BASE + group.row : WELLS + group.row * MAX_WELL_COLUMNS + group.column;
}

export function documentNode(group: PlateGroup, generation: number | undefined): number {
  const number = groupNumber(group);
  return generation === undefined ? FIXED + number : VERSIONED + generation * GROUPS + number;
}

/** Undefined when there are more nodes than numbers for them. */
export function imageNode(blocks: readonly ImageBlock[], image: ImageNode): number | undefined {
  const node = nodeOfImage(blocks, image);
  return node === undefined || IMAGES + node >= BEYOND ? undefined : IMAGES + node;
}

export function plateNodeAt(blocks: readonly ImageBlock[], node: number): PlateNode | undefined {
  if (node === OME_ZARR_ROOT) return { kind: 'plate' };
  if (node >= IMAGES) {
    const image = imageOfNode(blocks, node - IMAGES);
    return image && { kind: 'image', ...image };
  }
  if (node >= VERSIONED) {
    const group = groupAt((node - VERSIONED) % GROUPS);
    return group && { kind: 'document', group, generation: Math.floor((node - VERSIONED) / GROUPS) };
  }
  if (node >= FIXED) {
    const group = groupAt(node - FIXED);
    return group && { kind: 'document', group, generation: undefined };
  }
  return node < WELLS ? groupAt(1 + node - BASE) : groupAt(64 + node - WELLS);
}
