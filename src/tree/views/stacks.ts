import type { Dtype } from '../../core/nd-array.ts';
import type { FileLayout, ImageEncoder } from '../../encoders.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { fieldName } from '../../model/plane-name.ts';
import type { PlateAxes } from '../../model/plate-axes.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import { planeAddress, planesOfField } from '../../model/plate-lookup.ts';
import { parseWellName } from '../../model/well.ts';
import type { PlaneProbe } from '../../sources.ts';
import { type PlaneLocation, planeLocation, toldShape } from '../plane-access.ts';
import { addFieldFacts, addPixelSize } from '../plane-facts.ts';
import type { PlateFiles } from '../plate-files.ts';
import type { RenderedImage } from '../rendered-image.ts';
import { fieldOfPlane, type SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import {
  ownsStackNode,
  parseStackNode,
  STACK_KINDS,
  StackFiles,
  type StackFlavour,
  type StackKind,
  stackNode,
  stackSlot,
} from './stack-files.ts';
import { StackImage } from './stack-image.ts';
import type { View } from './view.ts';

/** Slots in the listing for the files of one field. */
const SLOTS_PER_FIELD = stackSlot(1, { kind: STACK_KINDS[0], place: 0 });

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
  'float64',
  'float16',
  'uint64',
  'int64',
];

/** A stack file: which field, what of it, over which axes. */
interface StackFile {
  readonly field: number;
  readonly flavour: StackFlavour;
  readonly axes: PlateAxes;
}

/** Where a stack's shape lies in the shared columns. */
const shapeSlot = (field: number, { projection }: StackKind): number => field * 2 + (projection ? 1 : 0);

/** One image of a file, without reading pixels. @throws when the file is unreadable or no image. */
export type Probe = (location: PlaneLocation) => PlaneProbe;

/** stacks/: every field as one file over the axes of the whole plate, in several flavours. */
export class StacksView implements View {
  readonly name = 'stacks';
  readonly root = 3;
  readonly readOnly = false;
  readonly #shared: SharedTree;
  readonly #files: PlateFiles;
  readonly #encoders: ReadonlyMap<string, ImageEncoder>;
  readonly #probe: Probe;
  readonly #stacks: StackFiles;

  constructor(
    shared: SharedTree,
    files: PlateFiles,
    encoders: ReadonlyMap<string, ImageEncoder>,
    probe: Probe,
  ) {
    this.#shared = shared;
    this.#files = files;
    this.#encoders = encoders;
    this.#probe = probe;
    this.#stacks = new StackFiles(shared, (plane) => this.#seenShape(plane));
  }

  owns(node: number): boolean {
    return node === this.root || ownsStackNode(node);
  }

  isDirectory(node: number): boolean {
    return node === this.root;
  }

  lookup(_parent: number, name: string): number | undefined {
    const match = /^([A-Z]{1,2}\d{2})_s(\d{3,9})([_.].*)$/.exec(name);
    const well = match && parseWellName(match[1] ?? '');
    if (!match || !well) return undefined;
    const range = planesOfField(this.#shared.index, well.row, well.column, Number(match[2]));
    if (!range) return undefined;
    const field = fieldOfPlane(this.#shared.fieldStarts, range.first);
    const flavour = this.#flavoursOf(field).find((candidate) => this.#nameOf(field, candidate) === name);
    return flavour && this.#nodeOf(field, flavour);
  }

  /** The node of a field's stack over the present axes. */
  #nodeOf(field: number, flavour: StackFlavour): number {
    return stackNode(numberAt(this.#shared.numbering.stacks, field), flavour);
  }

  /** What a field has in the folder, in the order of the listing. */
  #flavoursOf(field: number): StackFlavour[] {
    return this.#stacks
      .under(this.#shared.axes)
      .flatMap((files) => (files[0] && this.#hasStack(field, files[0].kind) ? files : []));
  }

  /** Whether a field has any plane for a stack of this kind. */
  #hasStack(field: number, kind: StackKind): boolean {
    const { fieldStarts, index } = this.#shared;
    const end = fieldStarts[field + 1] ?? 0;
    for (let plane = fieldStarts[field] ?? 0; plane < end; plane++) {
      if ((index.planes.zs[plane] === 0) === kind.projection) return true;
    }
    return false;
  }

  #nameOf(field: number, { suffix, encoder }: StackFlavour): string {
    const { well, site } = planeAddress(this.#shared.index, this.#shared.fieldStarts[field] ?? 0);
    return `${fieldName(well, site)}${suffix}${this.#encoders.get(encoder)?.extension ?? ''}`;
  }

  /** The stack behind a node; undefined when its field is gone, or its axes are forgotten. */
  #stackAt(node: number): StackFile | undefined {
    const parsed = parseStackNode(node);
    if (!parsed) return undefined;
    const { numbering, axesOfStack, stackAxes } = this.#shared;
    const { stackNumber, kind, place = 0 } = parsed;
    const field = positionOf(numbering.stacks, stackNumber);
    const axes = stackAxes[axesOfStack?.[stackNumber] ?? 0];
    if (field === undefined || !axes) return undefined;
    const flavour = this.#stacks
      .under(axes)
      [STACK_KINDS.indexOf(kind)]?.find(
        (candidate) => candidate.place === place && stackNode(stackNumber, candidate) === node,
      );
    return flavour && { field, flavour, axes };
  }

  entryAfter(_directory: number, cookie: number): TreeEntry | undefined {
    const { fields } = this.#shared.numbering;
    // A cookie is the listing's slot behind that of its entry.
    for (let number = Math.floor(cookie / SLOTS_PER_FIELD); number < fields.next; number += 1) {
      const field = positionOf(fields, number);
      if (field === undefined) continue;
      const flavour = this.#flavoursOf(field).find((candidate) => stackSlot(number, candidate) >= cookie);
      if (flavour)
        return {
          name: this.#nameOf(field, flavour),
          node: this.#nodeOf(field, flavour),
          cookie: stackSlot(number, flavour) + 1,
        };
    }
    return undefined;
  }

  attributes(node: number): TreeAttributes | undefined {
    const { changedAtMs, fieldChangedAtMs } = this.#shared;
    if (node === this.root) return { directory: true, sizeBytes: 0, mtimeMs: changedAtMs, live: false };
    const stack = this.#stackAt(node);
    const image = this.rendered(node);
    if (!stack || !image) return undefined;
    const mtimeMs = fieldChangedAtMs[stack.field] ?? changedAtMs;
    return { directory: false, sizeBytes: image.layout.sizeBytes, mtimeMs, live: false };
  }

  isKnown(node: number): boolean {
    const stack = this.#stackAt(node);
    return (
      node === this.root || !stack || this.#shared.dtypes[shapeSlot(stack.field, stack.flavour.kind)] !== 0
    );
  }

  content(_node: number): TreeContent {
    return { kind: 'rendered' };
  }

  /** Nodes of a field's stacks over the present axes. */
  nodesOf(field: number): number[] {
    return this.#flavoursOf(field).map((flavour) => this.#nodeOf(field, flavour));
  }

  /** Names of a field's stacks. */
  namesOf(field: number): string[] {
    return this.#flavoursOf(field).map((flavour) => this.#nameOf(field, flavour));
  }

  /** Finds out the shapes of a field's stacks, which is slow once. @throws when none of its planes can be read. */
  learnShapes(field: number): void {
    for (const kind of STACK_KINDS)
      if (kind.flavour === 'tiff' && this.#hasStack(field, kind)) this.#shapeOf(field, kind);
  }

  /** Shape and type of a stack's planes. @throws when no plane of the field can be read. */
  #shapeOf(field: number, kind: StackKind): PlaneShape {
    const { widths, heights, dtypes, fieldStarts: starts, index } = this.#shared;
    const slot = shapeSlot(field, kind);
    const known = DTYPES[dtypes[slot] ?? 0];
    if (known) return { width: widths[slot] ?? 0, height: heights[slot] ?? 0, dtype: known };
    let failure: unknown;
    for (let plane = starts[field] ?? 0; plane < (starts[field + 1] ?? 0); plane++) {
      if ((index.planes.zs[plane] === 0) !== kind.projection) continue;
      try {
        const shape = toldShape(index, plane) ?? this.#seenShape(plane);
        const code = shape ? DTYPES.indexOf(shape.dtype) : -1;
        if (!shape || code <= 0) continue;
        widths[slot] = shape.width;
        heights[slot] = shape.height;
        dtypes[slot] = code;
        return shape;
      } catch (error) {
        failure = error;
      }
    }
    const { well, site } = planeAddress(index, starts[field] ?? 0);
    throw (
      failure ??
      new Error(`no plane of ${fieldName(well, site)}${kind.suffix} is a grey image that a stack can hold`)
    );
  }

  /** What a plane's file says; undefined when it isn't grey. */
  #seenShape(plane: number): PlaneShape | undefined {
    const probe = this.#probe(planeLocation(this.#shared.index, this.#files, plane));
    return probe.samples === 1
      ? { width: probe.width, height: probe.height, dtype: probe.info.dtype }
      : undefined;
  }

  #layoutOf({ field, flavour, axes }: StackFile, shape: PlaneShape): FileLayout {
    const encoder = this.#encoders.get(flavour.encoder);
    if (!encoder) throw new Error(`no encoder ${flavour.encoder}`);
    const { index, fieldStarts, options } = this.#shared;
    const image = new StackImage(index, fieldStarts[field] ?? 0, flavour, axes);
    return encoder.layout(image.info(shape, options.float64As), image.planes());
  }

  /** How a stack is put together. @throws when none of its planes can be read. */
  rendered(node: number): RenderedImage | undefined {
    const stack = this.#stackAt(node);
    if (!stack) return undefined;
    const { field, flavour, axes } = stack;
    const shape = this.#shapeOf(field, flavour.kind);
    const { index, fieldStarts } = this.#shared;
    const image = new StackImage(index, fieldStarts[field] ?? 0, flavour, axes);
    return {
      layout: this.#layoutOf(stack, shape),
      shape,
      planeAt: ({ start: [t = 0, c = 0, z = 0] }) => image.planeAt(t, c, z),
    };
  }

  pathOf(node: number): string {
    const stack = this.#stackAt(node);
    return stack ? this.#nameOf(stack.field, stack.flavour) : '';
  }

  refresh(): void {}

  addFacts(node: number, facts: Map<string, string>): void {
    const stack = node === this.root ? undefined : this.#stackAt(node);
    if (!stack) return;
    addFieldFacts(this.#shared.index, this.#shared.fieldStarts[stack.field] ?? 0, facts);
    addPixelSize(this.#shared.index, facts);
    const shape = this.isKnown(node) ? this.#shapeOf(stack.field, stack.flavour.kind) : undefined;
    const shown = shape && this.#layoutOf(stack, shape).shownDtype;
    if (shown !== undefined) facts.set('pixels', `${shape?.dtype} shown as ${shown}`);
  }
}
