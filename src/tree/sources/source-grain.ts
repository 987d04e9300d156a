import type { Region } from '../../core/region.ts';
import type { OpenSource, PlaneBlock, PlaneGrain, SourceItem } from '../../sources.ts';

/** Smaller blocks are read several at once: each costs a call. */
const LEAST_PIXELS = 16_384;

/**
 * How a region, which holds the whole width of its rows, is read in parts: undefined where it is more than one plane, or
 * where that would decode other planes as well.
 */
export function sourceGrain(
  open: Pick<OpenSource, 'planeGrain'>,
  item: Extract<SourceItem, { kind: 'image' | 'array' }>,
  { start, shape }: Region,
): PlaneGrain | undefined {
  const rank = shape.length;
  if (rank < 2 || shape.slice(0, -2).some((extent) => extent !== 1)) return undefined;
  const grain = open.planeGrain ? open.planeGrain(item.path, rank) : grainOfChunks(item.chunkShape);
  if (grain === undefined || grain === 'rows') return grain;
  const [height = 1, width = 1] = shape.slice(-2);
  // Blocks are counted from the region's first row.
  if ((start[rank - 2] ?? 0) % grain.height !== 0 || (start[rank - 1] ?? 0) % grain.width !== 0)
    return undefined;
  return severalBlocks(grain, { height, width });
}

function grainOfChunks(chunkShape: readonly number[]): PlaneBlock | undefined {
  const [height, width] = chunkShape.slice(-2);
  if (height === undefined || width === undefined) return undefined;
  return chunkShape.slice(0, -2).every((extent) => extent === 1) ? { height, width } : undefined;
}

/** As many blocks as it takes not to be small, first of one row of them; no more than the plane has. */
function severalBlocks(block: PlaneBlock, plane: PlaneBlock): PlaneBlock {
  const across = Math.ceil(LEAST_PIXELS / (block.height * block.width));
  const width = Math.min(plane.width, block.width * across);
  const down = Math.max(1, Math.ceil(LEAST_PIXELS / (block.height * width)));
  return { height: Math.min(plane.height, block.height * down), width };
}
