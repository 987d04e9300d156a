import { type Dtype, itemSizeBytes } from '../../core/nd-array.ts';
import { type ImageEncoder, shownDtype } from '../../encoders.ts';
import type { PlateAxes } from '../../model/plate-axes.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import { profileRules } from '../../model/profile.ts';
import { type ShownStack, STACK_PLACES, shownStacks } from '../../model/shown-stacks.ts';
import type { FieldImages } from '../field-images.ts';
import { toldShape } from '../plane-access.ts';
import { channelNumbers } from '../plane-grid.ts';
import type { SharedTree } from '../shared-tree.ts';
import { KIND } from './view.ts';

/**
 * The flavours a field has in stacks/: for ImageJ and as OME-TIFF, of its z-stack and of its projections. Their order
 * is in node numbers.
 */
export const STACK_KINDS = [
  { suffix: '', flavour: 'tiff', projection: false },
  { suffix: '', flavour: 'ome-tiff', projection: false },
  { suffix: '_z000', flavour: 'tiff', projection: true },
  { suffix: '_z000', flavour: 'ome-tiff', projection: true },
] as const;
export type StackKind = (typeof STACK_KINDS)[number];
const KINDS = STACK_KINDS.length;

/** Encoders that stacks may need. */
export const STACK_ENCODERS: ReadonlySet<string> = new Set([
  'tiff',
  'baseline-tiff',
  'imagej-tiff',
  'ome-tiff',
]);

/** Node numbers of whole stacks, and those of what stands in place of a large one. */
const WHOLE = 2 * KIND;
const WHOLE_END = 3 * KIND;
const PARTS = 2 ** 41;
const PARTS_END = 2 ** 42;

/** No plane is so large that fewer of them need parts; so the plane of a usual plate need not be looked at. */
const FEWEST_PLANES = 8;
/** Planes that are tried for one that can be read. */
const MOST_TRIED = 16;

/** What a file of stacks/ shows of a field: all, or a part; and by which encoder. Its suffix stands behind the field's name. */
export interface StackFlavour extends ShownStack {
  readonly kind: StackKind;
}

/** A node of stacks/, taken apart. */
export interface StackNode {
  readonly stackNumber: number;
  readonly kind: StackKind;
  /** Absent for a whole stack as usual. */
  readonly place?: number;
}

export const ownsStackNode = (node: number): boolean =>
  (node >= WHOLE && node < WHOLE_END) || (node >= PARTS && node < PARTS_END);

export function stackNode(stackNumber: number, { kind, place, encoder, part }: StackFlavour): number {
  const slot = stackNumber * KINDS + STACK_KINDS.indexOf(kind);
  return part === undefined && encoder !== 'imagej-tiff' ? WHOLE + slot : PARTS + slot * STACK_PLACES + place;
}

export function parseStackNode(node: number): StackNode | undefined {
  if (!ownsStackNode(node)) return undefined;
  const slot = node < PARTS ? node - WHOLE : Math.floor((node - PARTS) / STACK_PLACES);
  const kind = STACK_KINDS[slot % KINDS];
  return (
    kind && {
      stackNumber: Math.floor(slot / KINDS),
      kind,
      ...(node < PARTS ? {} : { place: (node - PARTS) % STACK_PLACES }),
    }
  );
}

/** Place of a field's file in the listing, from 0. */
export const stackSlot = (
  fieldNumber: number,
  { kind, place }: Pick<StackFlavour, 'kind' | 'place'>,
): number => (fieldNumber * KINDS + STACK_KINDS.indexOf(kind)) * STACK_PLACES + place;

/** Which files stacks/ has for a field: the same for all fields, so that what is a part of one is that of another. */
export class StackFiles {
  readonly #shared: SharedTree;
  readonly #images: Pick<FieldImages, 'seenShape'>;
  readonly #encoders: ReadonlyMap<string, ImageEncoder>;
  readonly #known = new Map<PlateAxes, readonly (readonly StackFlavour[])[]>();

  constructor(
    shared: SharedTree,
    images: Pick<FieldImages, 'seenShape'>,
    encoders: ReadonlyMap<string, ImageEncoder>,
  ) {
    this.#shared = shared;
    this.#images = images;
    this.#encoders = encoders;
  }

  /** The files over some axes, by the places of their kinds in {@link STACK_KINDS}. */
  under(axes: PlateAxes): readonly (readonly StackFlavour[])[] {
    const known = this.#known.get(axes);
    if (known) return known;
    const planeBytes = this.#planeBytes(axes);
    const files = STACK_KINDS.map((kind) => this.#filesOf(kind, axes, planeBytes ?? 0));
    // Until a plane could be read, it is asked again.
    if (planeBytes !== undefined) this.#known.set(axes, files);
    return files;
  }

  #filesOf(kind: StackKind, axes: PlateAxes, planeBytes: number): readonly StackFlavour[] {
    const numbered = {
      ts: axes.ts,
      channels: channelNumbers(axes, kind.projection),
      zs: kind.projection ? [0] : axes.zs,
    };
    return shownStacks(kind.flavour, numbered, planeBytes, this.#shared.options.profile).map((shown) => ({
      ...shown,
      kind,
      suffix: kind.suffix + shown.suffix,
    }));
  }

  /** The type that planes of this one have in classic TIFFs. */
  #dtypeInFiles(dtype: Dtype): Dtype {
    const { profile, float64As } = this.#shared.options;
    const id = profileRules(profile).stacks.find((flavour) => flavour !== 'ome-tiff');
    const encoder = id === undefined ? undefined : this.#encoders.get(id);
    return (encoder && shownDtype(encoder, dtype, float64As)) ?? dtype;
  }

  /**
   * Bytes of a plane in a file, as all are taken to be: 0 where it doesn't matter, undefined when none can be read. Whoever asks
   * first decides for every thread.
   */
  #planeBytes(axes: PlateAxes): number | undefined {
    const { stackPlaneBytes, index } = this.#shared;
    if (axes.ts.length * axes.channels.length * Math.max(1, axes.zs.length) < FEWEST_PLANES) return 0;
    const decided = stackPlaneBytes[0] ?? 0;
    if (decided > 0) return decided;
    const bytesOf = ({ width, height, dtype }: PlaneShape): number =>
      width * height * itemSizeBytes(this.#dtypeInFiles(dtype));
    let planeBytes = Math.max(0, ...index.shapes.map(bytesOf));
    for (let plane = 0; planeBytes === 0 && plane < Math.min(MOST_TRIED, index.planes.count); plane += 1) {
      try {
        const shape = toldShape(index, plane) ?? this.#images.seenShape(plane);
        if (shape) planeBytes = bytesOf(shape);
      } catch {
        // Whoever reads that plane is told why; the next will do as well here.
      }
    }
    if (planeBytes === 0) return undefined;
    stackPlaneBytes[0] = planeBytes;
    return planeBytes;
  }
}
