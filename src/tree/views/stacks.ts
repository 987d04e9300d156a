import type { FileLayout, ImageEncoder } from '../../encoders.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { fieldName } from '../../model/plane-name.ts';
import type { PlateAxes } from '../../model/plate-axes.ts';
import { planeAddress, planesOfField } from '../../model/plate-lookup.ts';
import { parseWellName } from '../../model/well.ts';
import type { FieldImage, FieldImages } from '../field-images.ts';
import { refusedShapes } from '../forbidden-types.ts';
import { addFieldFacts, addPixelSize } from '../plane-facts.ts';
import { PlaneGrid } from '../plane-grid.ts';
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
import type { View } from './view.ts';

/** Slots in the listing for the files of one field. */
const SLOTS_PER_FIELD = stackSlot(1, { kind: STACK_KINDS[0], place: 0 });

/** A stack file: which field, what of it, over which axes. */
interface StackFile {
  readonly field: number;
  readonly flavour: StackFlavour;
  readonly axes: PlateAxes;
}

/** The image of a field that a stack of this kind shows. */
const imageOf = (field: number, { projection }: StackKind): FieldImage => ({ field, projection });

/** stacks/: every field as one file over the axes of the whole plate, in several flavours. */
export class StacksView implements View {
  readonly name = 'stacks';
  readonly root = 3;
  readonly readOnly = false;
  readonly #shared: SharedTree;
  readonly #images: FieldImages;
  readonly #encoders: ReadonlyMap<string, ImageEncoder>;
  readonly #stacks: StackFiles;
  /** By encoder, shapes that it refuses. */
  readonly #refused = new Map<string, ReadonlySet<number>>();

  constructor(shared: SharedTree, images: FieldImages, encoders: ReadonlyMap<string, ImageEncoder>) {
    this.#shared = shared;
    this.#images = images;
    this.#encoders = encoders;
    this.#stacks = new StackFiles(shared, images, encoders);
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
      .flatMap((files) =>
        files[0] && this.#images.has(imageOf(field, files[0].kind)) && !this.#isRefused(field, files[0])
          ? files
          : [],
      );
  }

  /** Whether the index tells that pixels are of a type that the file can't hold. */
  #isRefused(field: number, { kind, encoder }: StackFlavour): boolean {
    const { index, options } = this.#shared;
    const shape = this.#images.toldShapeNumber(imageOf(field, kind));
    if (shape === 0) return false;
    let refused = this.#refused.get(encoder);
    if (!refused) {
      refused = refusedShapes(index, this.#encoders.get(encoder), options.float64As);
      this.#refused.set(encoder, refused);
    }
    return refused.has(shape);
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
      node === this.root || !stack || this.#images.isShapeKnown(imageOf(stack.field, stack.flavour.kind))
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
      if (kind.flavour === 'tiff' && this.#images.has(imageOf(field, kind)))
        this.#images.shapeOf(imageOf(field, kind));
  }

  #gridOf({ field, flavour, axes }: StackFile): PlaneGrid {
    const { index, fieldStarts } = this.#shared;
    const { kind, part } = flavour;
    const cut = { projection: kind.projection, ...(part === undefined ? {} : { part }) };
    return new PlaneGrid(index, fieldStarts[field] ?? 0, cut, axes);
  }

  #layoutOf(stack: StackFile): FileLayout {
    const { field, flavour } = stack;
    const encoder = this.#encoders.get(flavour.encoder);
    if (!encoder) throw new Error(`no encoder ${flavour.encoder}`);
    const { well, site } = planeAddress(this.#shared.index, this.#shared.fieldStarts[field] ?? 0);
    const grid = this.#gridOf(stack);
    const shape = this.#images.shapeOf(imageOf(field, flavour.kind));
    const name = fieldName(well, site) + flavour.suffix;
    return encoder.layout(grid.info(name, shape, this.#shared.options.float64As), grid.planes());
  }

  /** How a stack is put together. @throws when none of its planes can be read. */
  rendered(node: number): RenderedImage | undefined {
    const stack = this.#stackAt(node);
    if (!stack) return undefined;
    const grid = this.#gridOf(stack);
    return {
      layout: this.#layoutOf(stack),
      shape: this.#images.shapeOf(imageOf(stack.field, stack.flavour.kind)),
      planeAt: ({ start: [t = 0, c = 0, z = 0] }) => grid.planeAt(t, c, z),
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
    if (!this.isKnown(node)) return;
    const { dtype } = this.#images.shapeOf(imageOf(stack.field, stack.flavour.kind));
    const shown = this.#layoutOf(stack).shownDtype;
    if (shown !== undefined) facts.set('pixels', `${dtype} shown as ${shown}`);
  }
}
