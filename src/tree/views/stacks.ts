import type { Dtype } from '../../core/nd-array.ts';
import type { FileLayout, ImageEncoder } from '../../encoders.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { fieldName } from '../../model/plane-name.ts';
import type { PlateAxes } from '../../model/plate-axes.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import { planeAddress, planesOfField } from '../../model/plate-lookup.ts';
import { parseWellName } from '../../model/well.ts';
import type { FieldImage, FieldImages } from '../field-images.ts';
import { addFieldFacts, addPixelSize } from '../plane-facts.ts';
import type { RenderedImage } from '../rendered-image.ts';
import { fieldOfPlane, type SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import { KIND, type View } from './view.ts';

const STACKS = 2 * KIND;
const BEYOND = 3 * KIND;

/** The files a field has in stacks/: ImageJ and OME flavour, of its z-stack and of its projections. */
export const STACK_KINDS = [
  { suffix: '', encoder: 'tiff', projection: false },
  { suffix: '', encoder: 'ome-tiff', projection: false },
  { suffix: '_z000', encoder: 'tiff', projection: true },
  { suffix: '_z000', encoder: 'ome-tiff', projection: true },
] as const;
const KINDS = STACK_KINDS.length;

/** Encoders that the view needs. */
export const STACK_ENCODERS: ReadonlySet<string> = new Set(STACK_KINDS.map(({ encoder }) => encoder));

/** Pixel types that a stack can hold. */
const STACK_DTYPES: ReadonlySet<Dtype> = new Set([
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
]);

/** A stack file: which field, which flavour, over which axes. */
interface StackFile {
  readonly field: number;
  readonly kind: StackKind;
  readonly axes: PlateAxes;
}
type StackKind = (typeof STACK_KINDS)[number];

const imageOf = ({ field, kind }: Pick<StackFile, 'field' | 'kind'>): FieldImage => ({
  field,
  projection: kind.projection,
});

/** stacks/: every field as one file over the axes of the whole plate, in several flavours. */
export class StacksView implements View {
  readonly name = 'stacks';
  readonly root = 3;
  readonly readOnly = false;
  readonly #shared: SharedTree;
  readonly #images: FieldImages;
  readonly #encoders: ReadonlyMap<string, ImageEncoder>;

  constructor(shared: SharedTree, images: FieldImages, encoders: ReadonlyMap<string, ImageEncoder>) {
    this.#shared = shared;
    this.#images = images;
    this.#encoders = encoders;
  }

  owns(node: number): boolean {
    return node === this.root || (node >= STACKS && node < BEYOND);
  }

  isDirectory(node: number): boolean {
    return node === this.root;
  }

  lookup(_parent: number, name: string): number | undefined {
    const match = /^([A-Z]{1,2}\d{2})_s(\d{3,9})(_z000)?(\.ome)?\.tif$/.exec(name);
    const well = match && parseWellName(match[1] ?? '');
    if (!match || !well) return undefined;
    const range = planesOfField(this.#shared.index, well.row, well.column, Number(match[2]));
    if (!range) return undefined;
    const field = fieldOfPlane(this.#shared.fieldStarts, range.first);
    const kind = STACK_KINDS[(match[3] ? 2 : 0) + (match[4] ? 1 : 0)];
    if (!kind || !this.#images.has(imageOf({ field, kind })) || this.#nameOf({ field, kind }) !== name)
      return undefined;
    return this.#nodeOf(field, kind);
  }

  /** The node of a field's stack over the present axes. */
  #nodeOf(field: number, kind: StackKind): number {
    return STACKS + numberAt(this.#shared.numbering.stacks, field) * KINDS + STACK_KINDS.indexOf(kind);
  }

  #nameOf({ field, kind }: Pick<StackFile, 'field' | 'kind'>): string {
    const { well, site } = planeAddress(this.#shared.index, this.#shared.fieldStarts[field] ?? 0);
    return `${fieldName(well, site)}${kind.suffix}${this.#encoders.get(kind.encoder)?.extension ?? ''}`;
  }

  /** The stack behind a node; undefined when its field is gone, or its axes are forgotten. */
  #stackAt(node: number): StackFile | undefined {
    if (node < STACKS) return undefined;
    const { numbering, axesOfStack, stackAxes } = this.#shared;
    const number = Math.floor((node - STACKS) / KINDS);
    const field = positionOf(numbering.stacks, number);
    const kind = STACK_KINDS[(node - STACKS) % KINDS];
    const axes = stackAxes[axesOfStack?.[number] ?? 0];
    return field === undefined || !kind || !axes ? undefined : { field, kind, axes };
  }

  entryAfter(_directory: number, cookie: number): TreeEntry | undefined {
    const { fields } = this.#shared.numbering;
    for (let slot = cookie; slot < fields.next * KINDS; slot += 1) {
      const field = positionOf(fields, Math.floor(slot / KINDS));
      const kind = STACK_KINDS[slot % KINDS];
      if (field !== undefined && kind && this.#images.has(imageOf({ field, kind })))
        return { name: this.#nameOf({ field, kind }), node: this.#nodeOf(field, kind), cookie: slot + 1 };
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
    return node === this.root || !stack || this.#images.isShapeKnown(imageOf(stack));
  }

  content(_node: number): TreeContent {
    return { kind: 'rendered' };
  }

  /** Nodes of a field's stacks over the present axes. */
  nodesOf(field: number): number[] {
    return STACK_KINDS.filter((kind) => this.#images.has(imageOf({ field, kind }))).map((kind) =>
      this.#nodeOf(field, kind),
    );
  }

  /** Names of a field's stacks. */
  namesOf(field: number): string[] {
    return STACK_KINDS.filter((kind) => this.#images.has(imageOf({ field, kind }))).map((kind) =>
      this.#nameOf({ field, kind }),
    );
  }

  /** Finds out the shapes of a field's stacks, which is slow once. @throws when none of its planes can be read. */
  learnShapes(field: number): void {
    for (const kind of STACK_KINDS)
      if (kind.encoder === 'tiff' && this.#images.has(imageOf({ field, kind })))
        this.#shapeOf({ field, kind });
  }

  /** Shape and type of a stack's planes. @throws when no plane of the field can be read. */
  #shapeOf(stack: Pick<StackFile, 'field' | 'kind'>): PlaneShape {
    const shape = this.#images.shapeOf(imageOf(stack));
    if (STACK_DTYPES.has(shape.dtype)) return shape;
    throw new Error(`no plane of ${this.#nameOf(stack)} is a grey image that a stack can hold`);
  }

  #layoutOf(stack: StackFile): FileLayout {
    const encoder = this.#encoders.get(stack.kind.encoder);
    if (!encoder) throw new Error(`no encoder ${stack.kind.encoder}`);
    const { well, site } = planeAddress(this.#shared.index, this.#shared.fieldStarts[stack.field] ?? 0);
    const name = fieldName(well, site) + stack.kind.suffix;
    return encoder.layout(this.#images.infoOf(imageOf(stack), stack.axes, name));
  }

  /** How a stack is put together. @throws when none of its planes can be read. */
  rendered(node: number): RenderedImage | undefined {
    const stack = this.#stackAt(node);
    if (!stack) return undefined;
    const shape = this.#shapeOf(stack);
    return {
      layout: this.#layoutOf(stack),
      shape,
      planeAt: ({ start: [t = 0, c = 0, z = 0] }) =>
        this.#images.planeAt(imageOf(stack), stack.axes, t, c, z),
    };
  }

  pathOf(node: number): string {
    const stack = this.#stackAt(node);
    return stack ? this.#nameOf(stack) : '';
  }

  refresh(): void {}

  addFacts(node: number, facts: Map<string, string>): void {
    const stack = node === this.root ? undefined : this.#stackAt(node);
    if (!stack) return;
    addFieldFacts(this.#shared.index, this.#shared.fieldStarts[stack.field] ?? 0, facts);
    addPixelSize(this.#shared.index, facts);
  }
}
