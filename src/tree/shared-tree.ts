import type { MissingMode } from '../model/mount-definition.ts';
import type { NgffVersion } from '../model/ngff.ts';
import { GONE, type Numbering, numberAt, numberedInOrder, positionOf, renumber } from '../model/numbering.ts';
import { namePlanes, type PlaneNaming } from '../model/plane-naming.ts';
import { fieldStarts, type PlateAxes, plateAxes } from '../model/plate-axes.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { planeAddress, planesOfField } from '../model/plate-lookup.ts';
import {
  earlier,
  inheritSeenFiles,
  type PlateDifference,
  plateDifference,
  succession,
} from '../model/plate-succession.ts';
import type { Profile } from '../model/profile.ts';
import { type ImageBlock, nextBlock } from './ngff/image-numbers.ts';
import { type ItemNumbers, numberItems } from './sources/item-numbers.ts';
import { withEarlierMeasures } from './sources/source-measures.ts';
import { offsetCount } from './tables/table-file.ts';

/** What a user asked of the tree. */
export interface TreeOptions {
  /** Where the mount is, as its users name it. */
  readonly mountpoint: string;
  readonly missing: MissingMode;
  /** How planes are named: a style or a template; canonical unless set. */
  readonly names?: string;
  /** The program that the mount is for. */
  readonly profile?: Profile;
  /** What float64 planes are shown as in stacks; as they are unless set. */
  readonly float64As?: 'float32';
  /** Version of OME-NGFF that plate.ome.zarr follows; 0.4 unless set. */
  readonly ngff?: NgffVersion;
}

/** What every thread of a mount holds the same copy of. Plain data over shared memory. */
export interface SharedTree {
  /** Counts how often the plate was found changed since it was mounted. */
  readonly generation: number;
  readonly index: PlateIndex;
  readonly axes: PlateAxes;
  readonly fieldStarts: Uint32Array;
  /** Per field two entries, of the z-stack and of the projections; filled by whoever looks first. */
  readonly widths: Uint32Array;
  readonly heights: Uint32Array;
  readonly dtypes: Uint8Array;
  /** One number: bytes that planes are taken to have where stacks are cut into parts; 0 until somebody has looked. */
  readonly stackPlaneBytes: Float64Array;
  /** Per field: when planes came or went last. */
  readonly fieldChangedAtMs: Float64Array;
  readonly mountedAtMs: number;
  readonly changedAtMs: number;
  readonly numbering: {
    readonly directories: Numbering;
    readonly files: Numbering;
    readonly planes: Numbering;
    readonly fields: Numbering;
    /** Of fields under the axes that a stack has: several numbers may stand for one field. */
    readonly stacks: Numbering;
  };
  /** Of the files that sources are shown as. */
  readonly items: ItemNumbers;
  readonly options: TreeOptions;
  readonly naming: PlaneNaming;
  /** Per table, where its blocks of rows begin; filled by whoever measures it first. */
  readonly tableOffsets: readonly Float64Array[];
  /** Axes that stacks had, which programs may still have open; `axes` is the last. */
  readonly stackAxes: readonly PlateAxes[];
  /** Per stack number, the place of its axes in `stackAxes`; absent where all are numbered under `axes`. */
  readonly axesOfStack?: Uint8Array;
  /** Where the images of fields have their nodes in plate.ome.zarr, by number of their stacks. */
  readonly imageBlocks: readonly ImageBlock[];
}

/** Version of OME-NGFF of plate.ome.zarr. */
export const ngffVersionOf = ({ ngff }: TreeOptions): NgffVersion => ngff ?? '0.4';

/** Axes remembered: a program that has a stack open for longer gets ESTALE. */
const MAX_STACK_AXES = 32;
/** Files in tables/. */
const TABLES = 5;

const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);

function sharedStarts(index: PlateIndex): Uint32Array {
  const starts = fieldStarts(index);
  const copy = new Uint32Array(shared(starts.byteLength));
  copy.set(starts);
  return copy;
}

function emptyShapes(fields: number): Pick<SharedTree, 'widths' | 'heights' | 'dtypes'> {
  return {
    widths: new Uint32Array(shared(fields * 8)),
    heights: new Uint32Array(shared(fields * 8)),
    dtypes: new Uint8Array(shared(fields * 2)),
  };
}

/** Room for the offsets of any table: none has more rows than the plate has planes, but for a few. */
const emptyTables = (index: PlateIndex): Float64Array[] =>
  Array.from({ length: TABLES }, () => new Float64Array(shared(8 * (offsetCount(index.planes.count) + 1))));

/** When files last came or went: what is made of the plate is that old, however often it is mounted. */
function lastChangeMs({ directories }: PlateIndex, otherwiseMs: number): number {
  let latestMs = 0;
  for (let i = 0; i < directories.count; i += 1) latestMs = Math.max(latestMs, directories.mtimeMs[i] ?? 0);
  return latestMs > 0 ? latestMs : otherwiseMs;
}

/**
 * Lays out what threads share.
 * @throws BadParameterError when planes can't be named as the options ask.
 */
export function shareTree(index: PlateIndex, mountedAtMs: number, options: TreeOptions): SharedTree {
  const starts = sharedStarts(index);
  const fields = starts.length - 1;
  const axes = plateAxes(index);
  const { directories, files, planes } = index;
  const changedAtMs = lastChangeMs(index, mountedAtMs);
  return {
    generation: 0,
    index,
    axes,
    fieldStarts: starts,
    ...emptyShapes(fields),
    stackPlaneBytes: new Float64Array(shared(8)),
    fieldChangedAtMs: new Float64Array(shared(fields * 8)).fill(changedAtMs),
    mountedAtMs,
    changedAtMs,
    numbering: {
      directories: numberedInOrder(directories.count),
      files: numberedInOrder(files.count),
      planes: numberedInOrder(planes.count),
      fields: numberedInOrder(fields),
      stacks: numberedInOrder(fields),
    },
    items: numberItems(index.sources ?? [], ngffVersionOf(options)),
    options,
    naming: namePlanes(index, options.names),
    tableOffsets: emptyTables(index),
    stackAxes: [axes],
    imageBlocks: [nextBlock(undefined, 0, axes, ngffVersionOf(options))],
  };
}

/** The field a plane belongs to: the last that begins at or before it. */
export function fieldOfPlane(starts: Uint32Array, plane: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low + 1 < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] ?? 0) <= plane) low = middle;
    else high = middle;
  }
  return low;
}

/** Where each field stood before; undefined for a new one. */
function earlierFields(before: SharedTree, index: PlateIndex, starts: Uint32Array): (number | undefined)[] {
  return Array.from({ length: starts.length - 1 }, (_, field) => {
    const { well, site } = planeAddress(index, starts[field] ?? 0);
    const range = planesOfField(before.index, well.row, well.column, site);
    return range && fieldOfPlane(before.fieldStarts, range.first);
  });
}

const sameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

const sameAxes = (a: PlateAxes, b: PlateAxes): boolean =>
  sameNumbers(a.channels, b.channels) &&
  sameNumbers(a.zs, b.zs) &&
  sameNumbers(a.ts, b.ts) &&
  sameNumbers(a.stackChannels, b.stackChannels) &&
  sameNumbers(a.projectionChannels, b.projectionChannels);

/** Numbers the stacks: under new axes all anew, while their old numbers go on to stand for their fields. */
function numberStacks(
  before: SharedTree,
  axes: PlateAxes,
  earlierOf: readonly (number | undefined)[],
): { stacks: Numbering; stackAxes: readonly PlateAxes[]; axesOfStack: Uint8Array } {
  const isNewAxes = !sameAxes(before.axes, axes);
  const known = before.stackAxes;
  const dropped = isNewAxes ? Math.max(0, known.length + 1 - MAX_STACK_AXES) : 0;
  const stackAxes = isNewAxes ? [...known.slice(dropped), axes] : known;
  const count = earlierOf.length;
  const laterOf = new Uint32Array(Math.max(0, before.fieldStarts.length - 1)).fill(GONE);
  for (const [field, earlierField] of earlierOf.entries())
    if (earlierField !== undefined) laterOf[earlierField] = field;
  const numbers = new Uint32Array(shared(4 * count));
  let { next } = before.numbering.stacks;
  for (const [field, earlierField] of earlierOf.entries()) {
    if (earlierField !== undefined && !isNewAxes)
      numbers[field] = numberAt(before.numbering.stacks, earlierField);
    else {
      numbers[field] = next;
      next += 1;
    }
  }
  const positions = new Uint32Array(shared(4 * next)).fill(GONE);
  const axesOfStack = new Uint8Array(shared(next)).fill(stackAxes.length - 1);
  for (let number = 0; number < before.numbering.stacks.next; number += 1) {
    const place = (before.axesOfStack?.[number] ?? 0) - dropped;
    axesOfStack[number] = Math.max(0, place);
    const position = positionOf(before.numbering.stacks, number);
    if (position !== undefined && place >= 0) positions[number] = laterOf[position] ?? GONE;
  }
  for (const [field, number] of numbers.entries()) positions[number] = field;
  return { stacks: { next, numbers, positions }, stackAxes, axesOfStack };
}

/**
 * What threads share once the plate was found to be as `found` says. Everything that is still there keeps its
 * number, and what was seen of it.
 * @throws BadParameterError when planes can't be named as before: two would have one name now.
 */
export function succeedTree(
  before: SharedTree,
  found: PlateIndex,
  atMs: number,
): { readonly after: SharedTree; readonly difference: PlateDifference } {
  const { sources } = found;
  const index = sources
    ? { ...found, sources: withEarlierMeasures(sources, before.index.sources ?? []) }
    : found;
  const same = succession(before.index, index);
  const difference = plateDifference(before.index, index, same);
  inheritSeenFiles(before.index, index, same);
  const starts = sharedStarts(index);
  const axes = plateAxes(index);
  const earlierOf = earlierFields(before, index, starts);
  const shapes = emptyShapes(earlierOf.length);
  const fieldChangedAtMs = new Float64Array(shared(8 * earlierOf.length)).fill(atMs);
  for (const [field, earlierField] of earlierOf.entries()) {
    if (earlierField === undefined) continue;
    fieldChangedAtMs[field] = before.fieldChangedAtMs[earlierField] ?? atMs;
    for (const kind of [0, 1]) {
      shapes.widths[field * 2 + kind] = before.widths[earlierField * 2 + kind] ?? 0;
      shapes.heights[field * 2 + kind] = before.heights[earlierField * 2 + kind] ?? 0;
      shapes.dtypes[field * 2 + kind] = before.dtypes[earlierField * 2 + kind] ?? 0;
    }
  }
  const { stacks, stackAxes, axesOfStack } = numberStacks(before, axes, earlierOf);
  const isNewAxes = stackAxes !== before.stackAxes;
  if (!isNewAxes) {
    for (const planes of [difference.come.planes, difference.movedPlanes])
      for (const plane of planes) fieldChangedAtMs[fieldOfPlane(starts, plane)] = atMs;
    for (const plane of difference.gone.planes) {
      const { well, site } = planeAddress(before.index, plane);
      const range = planesOfField(index, well.row, well.column, site);
      if (range) fieldChangedAtMs[fieldOfPlane(starts, range.first)] = atMs;
    }
  } else fieldChangedAtMs.fill(atMs);
  const { numbering } = before;
  const after: SharedTree = {
    generation: before.generation + 1,
    index,
    axes,
    fieldStarts: starts,
    ...shapes,
    stackPlaneBytes: before.stackPlaneBytes,
    fieldChangedAtMs,
    mountedAtMs: before.mountedAtMs,
    changedAtMs: atMs,
    numbering: {
      directories: renumber(numbering.directories, index.directories.count, (i) =>
        earlier(same.directories, i),
      ),
      files: renumber(numbering.files, index.files.count, (i) => earlier(same.files, i)),
      planes: renumber(numbering.planes, index.planes.count, (i) => earlier(same.planes, i)),
      fields: renumber(numbering.fields, earlierOf.length, (i) => earlierOf[i]),
      stacks,
    },
    items: numberItems(index.sources ?? [], ngffVersionOf(before.options), before.items),
    options: before.options,
    naming: namePlanes(index, before.options.names),
    tableOffsets: emptyTables(index),
    stackAxes,
    axesOfStack,
    imageBlocks: isNewAxes
      ? [
          ...before.imageBlocks,
          nextBlock(before.imageBlocks.at(-1), numbering.stacks.next, axes, ngffVersionOf(before.options)),
        ]
      : before.imageBlocks,
  };
  return { after, difference };
}
