import type { Downsampling } from '../../core/downsample.ts';
import { itemSizeBytes } from '../../core/nd-array.ts';
import type { ImageInfo } from '../../model/image.ts';
import {
  type ArrayShape,
  colorOfLight,
  multiscalesOf,
  type NgffVersion,
  omeroOf,
  ZARR_V2_GROUP,
  zarrV2Array,
  zarrV3Array,
  zarrV3Group,
} from '../../model/ngff.ts';
import { DOWNSAMPLING_TEXTS, halvedExtent, halvedShapes } from '../../model/ngff-levels.ts';

/** A plane with more pixels in a row or column is cut into chunks of about {@link TILE_EXTENT}. */
const MAX_PLANE_EXTENT = 8192;
const TILE_EXTENT = 1024;

/** One resolution of an image as a Zarr array. */
export interface PlannedLevel {
  readonly shape: ArrayShape;
  readonly chunkShape: ArrayShape;
}

/** An image as OME-Zarr before any pixel is read. Plain data. */
export interface ImagePlan {
  readonly image: ImageInfo;
  readonly version: NgffVersion;
  readonly levels: readonly PlannedLevel[];
  /** How the levels are made; absent where the source has them all. */
  readonly downsampling?: Downsampling;
  /** What channels are called that have no name; `w1`, `w2` … unless set. */
  readonly labels?: readonly string[];
}

/** One chunk of a level: its places along the axes. */
export interface ChunkPlace {
  readonly level: number;
  readonly t: number;
  readonly c: number;
  readonly z: number;
  readonly row: number;
  readonly column: number;
}

/** Extent of a chunk along an axis of a plane: a multiple of what the source decodes at once, where that helps. */
function tileExtent(extent: number, sourceExtent: number): number {
  if (sourceExtent >= TILE_EXTENT) return Math.min(extent, sourceExtent, 2 * TILE_EXTENT);
  return Math.min(extent, sourceExtent * Math.max(1, Math.round(TILE_EXTENT / Math.max(1, sourceExtent))));
}

const planeChunk = ([, , , height, width]: ArrayShape): ArrayShape => [1, 1, 1, height, width];

/** A plane is one chunk, unless it is huge. */
export function tiledChunk(shape: ArrayShape, sourceChunk: readonly number[]): ArrayShape {
  const [, , , height, width] = shape;
  if (Math.max(height, width) <= MAX_PLANE_EXTENT) return planeChunk(shape);
  return [1, 1, 1, tileExtent(height, sourceChunk.at(-2) ?? 1), tileExtent(width, sourceChunk.at(-1) ?? 1)];
}

/** The level itself and those below it, each with half the extents, until they are small. */
export function halvedLevels(first: ArrayShape, chunkOf: (shape: ArrayShape) => ArrayShape): PlannedLevel[] {
  return halvedShapes(first).map((shape) => ({ shape, chunkShape: chunkOf(shape) }));
}

/** Plans an image of which only the full resolution is there, each plane of each level as one chunk. */
export function planImage(image: ImageInfo, version: NgffVersion, labels: readonly string[]): ImagePlan {
  const levels = halvedLevels(image.shape, planeChunk);
  return { image, version, levels, labels, ...(levels.length > 1 ? { downsampling: 'mean' } : {}) };
}

export function chunkBytes({ image, levels }: ImagePlan, level: number): number {
  const chunkShape = levels[level]?.chunkShape ?? [];
  return chunkShape.reduce((count, extent) => count * extent, itemSizeBytes(image.dtype));
}

/**
 * How many times larger a pixel of a level is. Halving makes exact powers of two, whatever becomes of an odd row;
 * of a source's own levels, the whole number that fits their extents, if there is one.
 */
function factorOf(first: number, extent: number): number {
  const near = Math.round(first / Math.max(1, extent));
  const fits = Math.ceil(first / near) === extent || Math.floor(first / near) === extent;
  return fits ? near : first / extent;
}

function factorsOf({ levels, downsampling }: ImagePlan, level: number): ArrayShape {
  const first = levels[0]?.shape ?? [1, 1, 1, 1, 1];
  const own = levels[level]?.shape ?? first;
  const factor = (axis: 2 | 3 | 4): number => {
    const halvings = Math.round(Math.log2(first[axis] / own[axis]));
    let extent = first[axis];
    for (let i = 0; i < halvings; i += 1) extent = halvedExtent(extent);
    if (downsampling !== undefined && extent === own[axis] && axis !== 2) return 2 ** halvings;
    return factorOf(first[axis], own[axis]);
  };
  return [1, 1, factor(2), factor(3), factor(4)];
}

/** Text of a document, as people like to read it. */
export const documentBytes = (value: object): Uint8Array =>
  Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

/** The OME attributes of an image: `multiscales`, and `omero` where something is known of a channel. */
function imageAttributes(plan: ImagePlan): object {
  const { image, version, levels, downsampling, labels = [] } = plan;
  const paths = levels.map((_, level) => ({ path: String(level), factors: factorsOf(plan, level) }));
  const how = downsampling && { type: downsampling, description: DOWNSAMPLING_TEXTS[downsampling] };
  const channels = image.channels.map(({ name, emissionNm, color }, index) => ({
    label: name ?? labels[index] ?? `w${index + 1}`,
    color: color ?? colorOfLight(emissionNm),
  }));
  const isKnown = image.channels.some(({ name, color }) => name !== undefined || color !== undefined);
  const omero =
    isKnown && channels.length === image.shape[1] ? omeroOf(channels, image.dtype, version) : undefined;
  return { multiscales: multiscalesOf(image, paths, version, how), ...(omero ? { omero } : {}) };
}

/** Names of the documents of a group, the one with the attributes last. */
export const groupDocuments = (version: NgffVersion): readonly string[] =>
  version === '0.4' ? ['.zgroup', '.zattrs'] : ['zarr.json'];

export const arrayDocument = (version: NgffVersion): string => (version === '0.4' ? '.zarray' : 'zarr.json');

/** A document of a group whose OME attributes are given; undefined when it has none of this name. */
export function groupDocument(
  version: NgffVersion,
  name: string,
  attributes: () => object | undefined,
): Uint8Array | undefined {
  if (version === '0.5') return name === 'zarr.json' ? documentBytes(zarrV3Group(attributes())) : undefined;
  if (name === '.zgroup') return documentBytes(ZARR_V2_GROUP);
  return name === '.zattrs' ? documentBytes(attributes() ?? {}) : undefined;
}

/** The bytes of a document in the image's folder. */
export function imageDocument(plan: ImagePlan, name: string): Uint8Array | undefined {
  return groupDocument(plan.version, name, () => imageAttributes(plan));
}

/** The bytes of the document in a level's folder. */
export function levelDocument({ image, version, levels }: ImagePlan, level: number): Uint8Array | undefined {
  const planned = levels[level];
  if (!planned) return undefined;
  const { shape, chunkShape } = planned;
  return documentBytes(
    version === '0.4'
      ? zarrV2Array(shape, chunkShape, image.dtype, null)
      : zarrV3Array(shape, chunkShape, image.dtype),
  );
}
