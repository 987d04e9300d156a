import type { NgffVersion } from '../../model/ngff.ts';
import type { PlateAxes } from '../../model/plate-axes.ts';
import { planeExtents } from '../field-images.ts';
import { ImageFolder } from './image-folder.ts';

/**
 * How many nodes the images of a field have in plate.ome.zarr, from which number of stacks on: as many as there are
 * under the axes of that number. Blocks are never dropped, so that a number's nodes stay what they are.
 */
export interface ImageBlock {
  readonly firstNumber: number;
  readonly firstNode: number;
  /** Of the image of its planes in z. */
  readonly stackNodes: number;
  /** Of the image of its projections, which come behind. */
  readonly projectionNodes: number;
}

/** The folder of the images of one kind under these axes. */
export const folderUnder = (axes: PlateAxes, projection: boolean, version: NgffVersion): ImageFolder =>
  ImageFolder.ofPlanes(...planeExtents(axes, projection), version);

/** The block of numbers from `firstNumber` on. */
export function nextBlock(
  before: ImageBlock | undefined,
  firstNumber: number,
  axes: PlateAxes,
  version: NgffVersion,
): ImageBlock {
  const firstNode =
    before === undefined
      ? 0
      : before.firstNode + (firstNumber - before.firstNumber) * (before.stackNodes + before.projectionNodes);
  const nodesOf = (projection: boolean): number => folderUnder(axes, projection, version).entryCount;
  return {
    firstNumber,
    firstNode,
    stackNodes: nodesOf(false),
    projectionNodes: axes.projectionChannels.length === 0 ? 0 : nodesOf(true),
  };
}

/** A node of an image: the number of its field under its axes, and the ordinal in the image's folder. */
export interface ImageNode {
  readonly number: number;
  readonly projection: boolean;
  readonly ordinal: number;
}

/** Last block that begins at or before a value of one of its fields. */
function blockAt(
  blocks: readonly ImageBlock[],
  key: 'firstNumber' | 'firstNode',
  value: number,
): ImageBlock | undefined {
  return blocks.findLast((block) => block[key] <= value);
}

export function nodeOfImage(
  blocks: readonly ImageBlock[],
  { number, projection, ordinal }: ImageNode,
): number | undefined {
  const block = blockAt(blocks, 'firstNumber', number);
  if (!block) return undefined;
  const { firstNode, firstNumber, stackNodes, projectionNodes } = block;
  const start = firstNode + (number - firstNumber) * (stackNodes + projectionNodes);
  return start + (projection ? stackNodes : 0) + ordinal;
}

export function imageOfNode(blocks: readonly ImageBlock[], node: number): ImageNode | undefined {
  const block = blockAt(blocks, 'firstNode', node);
  if (!block) return undefined;
  const { firstNode, firstNumber, stackNodes, projectionNodes } = block;
  const stride = stackNodes + projectionNodes;
  const rest = (node - firstNode) % stride;
  const projection = rest >= stackNodes;
  return {
    number: firstNumber + Math.floor((node - firstNode) / stride),
    projection,
    ordinal: projection ? rest - stackNodes : rest,
  };
}
