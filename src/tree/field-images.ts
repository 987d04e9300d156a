import { FsRefusal } from '../core/errors.ts';
import type { Dtype } from '../core/nd-array.ts';
import type { ImageInfo } from '../model/image.ts';
import type { PlateAxes } from '../model/plate-axes.ts';
import type { PlaneShape } from '../model/plate-index.ts';
import { planeName } from '../model/plate-lookup.ts';
import type { PlaneProbe } from '../sources.ts';
import { type PlaneLocation, planeLocation, toldShape } from './plane-access.ts';
import { channelNumbers, PlaneGrid } from './plane-grid.ts';
import type { PlateFiles } from './plate-files.ts';
import { fieldOfPlane, type SharedTree } from './shared-tree.ts';

/** Codes of pixel types in shared memory; 0 means nobody has looked yet. */
const DTYPES: readonly (Dtype | undefined)[] = [
  undefined,
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  'uint64',
  'int64',
  'float16',
  'float64',
];

/** One image of a file, without reading pixels. @throws when the file is unreadable or no image. */
export type Probe = (location: PlaneLocation) => PlaneProbe;

/** An image of a field: that of its planes in z, or of its projections. */
export interface FieldImage {
  readonly field: number;
  readonly projection: boolean;
}

/** Where an image's shape lies in the shared columns. */
const shapeSlot = ({ field, projection }: FieldImage): number => field * 2 + (projection ? 1 : 0);

/** Extents along t, c and z of an image of this kind. */
export const planeExtents = (
  axes: PlateAxes,
  projection: boolean,
): readonly [t: number, c: number, z: number] => [
  axes.ts.length,
  channelNumbers(axes, projection).length,
  projection ? 1 : axes.zs.length,
];

/** Every field as an image over axes of the whole plate: extent, pixel type and planes of each. */
export class FieldImages {
  readonly #shared: SharedTree;
  readonly #files: PlateFiles;
  readonly #probe: Probe;

  constructor(shared: SharedTree, files: PlateFiles, probe: Probe) {
    this.#shared = shared;
    this.#files = files;
    this.#probe = probe;
  }

  /** Whether the field has any plane of this kind. */
  has(image: FieldImage): boolean {
    return this.#firstPlane(image) !== undefined;
  }

  /** The number of its planes' shape in the index; 0 where that doesn't tell it. */
  toldShapeNumber(image: FieldImage): number {
    const { shapes, planes } = this.#shared.index;
    const plane = shapes.length === 0 ? undefined : this.#firstPlane(image);
    return plane === undefined ? 0 : (planes.shapes[plane] ?? 0);
  }

  #firstPlane({ field, projection }: FieldImage): number | undefined {
    const { axes, fieldStarts, index } = this.#shared;
    if (channelNumbers(axes, projection).length === 0) return undefined;
    const end = fieldStarts[field + 1] ?? 0;
    for (let plane = fieldStarts[field] ?? 0; plane < end; plane++) {
      if ((index.planes.zs[plane] === 0) === projection) return plane;
    }
    return undefined;
  }

  /** Whether {@link shapeOf} answers from memory. */
  isShapeKnown(image: FieldImage): boolean {
    return this.#shared.dtypes[shapeSlot(image)] !== 0;
  }

  /** Extent and type of an image's planes. @throws when no plane of it can be read. */
  shapeOf(image: FieldImage): PlaneShape {
    const { fieldStarts: starts, index } = this.#shared;
    const { field, projection } = image;
    const known = this.#knownShape(image);
    if (known) return known;
    let failure: unknown;
    for (let plane = starts[field] ?? 0; plane < (starts[field + 1] ?? 0); plane++) {
      if ((index.planes.zs[plane] === 0) !== projection) continue;
      try {
        const shape = toldShape(index, plane) ?? this.seenShape(plane);
        if (!shape) continue;
        this.#remember(image, shape);
        return shape;
      } catch (error) {
        failure = error;
      }
    }
    throw failure ?? new Error(`no plane of the field is a grey image`);
  }

  #knownShape(image: FieldImage): PlaneShape | undefined {
    const { widths, heights, dtypes } = this.#shared;
    const slot = shapeSlot(image);
    const dtype = DTYPES[dtypes[slot] ?? 0];
    return dtype && { width: widths[slot] ?? 0, height: heights[slot] ?? 0, dtype };
  }

  #remember(image: FieldImage, { width, height, dtype }: PlaneShape): void {
    const { widths, heights, dtypes } = this.#shared;
    const slot = shapeSlot(image);
    widths[slot] = width;
    heights[slot] = height;
    dtypes[slot] = DTYPES.indexOf(dtype);
  }

  /** The image that a plane belongs to. */
  #imageWith(plane: number): FieldImage {
    const { fieldStarts, index } = this.#shared;
    return { field: fieldOfPlane(fieldStarts, plane), projection: index.planes.zs[plane] === 0 };
  }

  /** Whether {@link shapeOfPlane} answers from memory. */
  isPlaneShapeKnown(plane: number): boolean {
    return toldShape(this.#shared.index, plane) !== undefined || this.isShapeKnown(this.#imageWith(plane));
  }

  /**
   * Extent and type of one plane: what the index says of it, else those of its image, for which no other plane is
   * looked at than this one. Whoever reads it finds out whether it is as all others of the image.
   * @throws what its file throws; FsRefusal, not-supported, when it has colours.
   */
  shapeOfPlane(plane: number): PlaneShape {
    const image = this.#imageWith(plane);
    const known = toldShape(this.#shared.index, plane) ?? this.#knownShape(image);
    if (known) return known;
    const seen = this.seenShape(plane);
    if (!seen)
      throw new FsRefusal(
        'not-supported',
        `${planeName(this.#shared.index, plane)} has colours, and is shown in grey nowhere`,
        { advice: 'open the image itself, in images/' },
      );
    this.#remember(image, seen);
    return seen;
  }

  /** What a plane's file says; undefined when it isn't grey. */
  seenShape(plane: number): PlaneShape | undefined {
    const probe = this.#probe(planeLocation(this.#shared.index, this.#files, plane));
    return probe.samples === 1
      ? { width: probe.width, height: probe.height, dtype: probe.info.dtype }
      : undefined;
  }

  /** The image over these axes. @throws when no plane of it can be read. */
  infoOf(image: FieldImage, axes: PlateAxes, name: string): ImageInfo {
    return this.#gridOf(image, axes).info(name, this.shapeOf(image));
  }

  /** The plane at places along the axes, or undefined where the plate lacks it. */
  planeAt(image: FieldImage, axes: PlateAxes, t: number, c: number, z: number): number | undefined {
    return this.#gridOf(image, axes).planeAt(t, c, z);
  }

  #gridOf(image: FieldImage, axes: PlateAxes): PlaneGrid {
    const { index, fieldStarts } = this.#shared;
    return new PlaneGrid(index, fieldStarts[image.field] ?? 0, image, axes);
  }
}
