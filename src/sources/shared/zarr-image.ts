import { UnsupportedZarrError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json-text.ts';
import type { Region } from '../../core/region.ts';
import type { ImageInfo } from '../../model/image.ts';
import type { ByteWindow, ImageItem, ImageLevel, PlaneGrain } from '../../sources.ts';
import { contiguousStrides } from '../../zarr/box.ts';
import { type AxisMeasure, axisLetters, inSeconds, inUm, type NgffAxis } from '../../zarr/ngff-axes.ts';
import {
  type NgffChannel,
  type NgffImage,
  ngffOf,
  parseImage,
  parseLowerLevels,
} from '../../zarr/ngff-metadata.ts';
import { joinKey } from '../../zarr/node.ts';
import { isPlainKey } from '../../zarr/store.ts';
import type { ZarrHierarchy } from './zarr-hierarchy.ts';
import type { ZarrLayout } from './zarr-planes.ts';

const FIVE_AXES = 'tczyx';
/** Axes of images from before OME-NGFF 0.3, whose metadata names none. */
const OLD_AXES: readonly NgffAxis[] = [...FIVE_AXES].map((name) => ({ name }));

type Five = readonly [t: number, c: number, z: number, y: number, x: number];

/** One resolution of an image: its array, read in the axes t, c, z, y, x. */
export class ZarrLevel {
  /** Of the array in the store. */
  readonly path: string;
  readonly layout: ZarrLayout;
  readonly shape: Five;
  readonly chunkShape: Five;
  /** Which of the five each stored axis is. */
  readonly #axes: readonly number[];

  /** @throws UnsupportedZarrError when the array can't have these axes. */
  constructor(path: string, layout: ZarrLayout, axes: readonly NgffAxis[]) {
    const { metadata } = layout;
    const letters = axisLetters(axes);
    const refuse = (detail: string): never => {
      throw new UnsupportedZarrError(metadata.path, detail);
    };
    if (letters.length !== metadata.shape.length)
      refuse(`the image names ${letters.length} axes of an array of ${metadata.shape.length}`);
    if (metadata.element.lanes !== 1 || metadata.element.kind === 'compound')
      refuse('pixels of several parts are no image');
    if (!letters.includes('y') || !letters.includes('x')) refuse('an image without axes y and x');
    if (letters.includes(undefined) || new Set(letters).size !== letters.length)
      refuse(`axes ${axes.map(({ name }) => name.slice(0, 20)).join(', ')} are no image of t, c, z, y, x`);
    if (metadata.shape.includes(0)) refuse(`an image of [${metadata.shape}] pixels holds none`);
    this.path = path;
    this.layout = layout;
    this.#axes = letters.map((letter) => FIVE_AXES.indexOf(letter ?? ''));
    this.shape = this.#five(metadata.shape);
    this.chunkShape = this.#five(layout.decodedShape);
  }

  get #isInOrder(): boolean {
    return this.#axes.every((axis, place) => place === 0 || axis > (this.#axes[place - 1] ?? 0));
  }

  /** Whether a region of five axes means the same of the image and of the array. */
  get isReadAlike(): boolean {
    return this.#axes.length < FIVE_AXES.length || this.#isInOrder;
  }

  #five(stored: readonly number[]): Five {
    const extent = (axis: number): number => stored[this.#axes.indexOf(axis)] ?? 1;
    return [extent(0), extent(1), extent(2), extent(3), extent(4)];
  }

  /** The measure of one of the five axes, where the image has it. */
  of<T>(values: readonly T[], letter: string): T | undefined {
    return values[this.#axes.indexOf(FIVE_AXES.indexOf(letter))];
  }

  #stored({ start, shape }: Region): Region {
    return {
      start: this.#axes.map((axis) => start[axis] ?? 0),
      shape: this.#axes.map((axis) => shape[axis] ?? 1),
    };
  }

  /** Bytes of a region of the five axes. @throws UnsupportedZarrError when they are too many. */
  regionBytes(region: Region): number {
    return this.layout.regionBytes(this.#stored(region));
  }

  /**
   * Fills `target`, exactly as long, with a region of the five axes, which lies inside.
   * @returns how many chunks are not there.
   */
  readRegion(region: Region, target: Uint8Array): number {
    const strides = contiguousStrides(region.shape);
    return this.layout.readBox({
      ...this.#stored(region),
      target: { bytes: target, offset: 0, strides: this.#axes.map((axis) => strides[axis] ?? 1) },
    });
  }

  /** Files of the chunks that a region touches. */
  filesOf(region: Region): string[] {
    return this.layout.filesOf(this.#stored(region));
  }

  /** {@link ZarrLayout.planeGrain} of the five axes. */
  planeGrain(areFiles: boolean): PlaneGrain | undefined {
    return this.#isInOrder ? this.layout.planeGrain(areFiles) : undefined;
  }

  /** Where a region's bytes lie verbatim. */
  window(region: Region): ByteWindow | undefined {
    return this.#isInOrder ? this.layout.window(this.#stored(region)) : undefined;
  }
}

/** A multiscale image of a store: what it is, and its levels, the largest first. */
export interface ZarrImage {
  readonly item: ImageItem;
  readonly levels: readonly [ZarrLevel, ...ZarrLevel[]];
}

/** What an image's group says that can't be shown; the rest of it can. */
export type Complain = (message: string) => void;

/**
 * The first multiscale image of the group at `group`; undefined when its attributes describe none.
 * @param path what the image is called in the catalog.
 * @throws UnsupportedZarrError, BadZarrError, UnreadableSourceError when its full resolution can't be read.
 */
export function imageOf(
  hierarchy: ZarrHierarchy,
  group: string,
  attributes: JsonObject,
  path: string,
  complain: Complain,
): ZarrImage | undefined {
  const ngff = ngffOf(attributes);
  const image = parseImage(ngff);
  if (!image) return undefined;
  if (image.moreImages > 0) complain(`holds ${image.moreImages} more multiscale images; the first is shown`);
  const axes = image.axes ?? OLD_AXES;
  const levelAt = (name: string): ZarrLevel => {
    const at = name.replace(/^\.\//, '').replace(/\/+$/, '');
    if (!isPlainKey(at))
      throw new UnsupportedZarrError(hierarchy.file, `a level ${JSON.stringify(name.slice(0, 100))}`);
    return new ZarrLevel(joinKey(group, at), hierarchy.layout(joinKey(group, at)), axes);
  };
  const first = levelAt(image.levelPath);
  const levels: [ZarrLevel, ...ZarrLevel[]] = [first];
  for (const name of parseLowerLevels(ngff)) {
    try {
      const level = levelAt(name);
      const above = levels.at(-1) ?? first;
      const isSmaller = level.shape.every((extent, axis) => extent <= (above.shape[axis] ?? 0));
      if (level.layout.info.dtype !== first.layout.info.dtype)
        complain(`its level ${name} has another data type; it is left out`);
      else if (isSmaller) levels.push(level);
      else complain(`its level ${name} is larger than the one before it; it is left out`);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      complain(`its level ${name} is left out: ${error.message}`);
    }
  }
  const [, ...lower] = levels;
  return {
    levels,
    item: {
      kind: 'image',
      path,
      image: infoOf(image, first, axes, path, complain),
      chunkShape: first.chunkShape,
      levels: lower.map(({ path: at, shape, chunkShape }): ImageLevel => ({ path: at, shape, chunkShape })),
    },
  };
}

function infoOf(
  { name, measures, channels }: NgffImage,
  level: ZarrLevel,
  axes: readonly NgffAxis[],
  path: string,
  complain: Complain,
): ImageInfo {
  const step = (letter: string): number | undefined => {
    const scale = level.of<AxisMeasure>(measures, letter)?.scale;
    return scale !== undefined && scale > 0 ? scale : undefined;
  };
  const x = inUm(step('x'), level.of(axes, 'x'));
  const y = inUm(step('y'), level.of(axes, 'y'));
  const zSpacingUm = inUm(step('z'), level.of(axes, 'z'));
  const timeIntervalS = inSeconds(step('t'), level.of(axes, 't'));
  return {
    name: name ?? path.split('/').at(-1) ?? path,
    shape: level.shape,
    dtype: level.layout.info.dtype,
    ...(x === undefined || y === undefined ? {} : { pixelSizeUm: { x, y } }),
    ...(zSpacingUm === undefined ? {} : { zSpacingUm }),
    ...(timeIntervalS === undefined ? {} : { timeIntervalS }),
    channels: channelsOf(channels, level.shape[1], complain),
  };
}

function channelsOf(
  channels: readonly NgffChannel[],
  count: number,
  complain: Complain,
): ImageInfo['channels'] {
  if (channels.length === 0) return [];
  if (channels.length !== count) {
    complain(`names ${channels.length} channels of ${count}; none is named`);
    return [];
  }
  return channels.map(({ label, color }) => ({
    ...(label === undefined ? {} : { name: label }),
    ...(color === undefined ? {} : { color: color.replace('#', '').slice(0, 6).toUpperCase() }),
  }));
}
