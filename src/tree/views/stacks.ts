import type { Dtype } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { FileLayout, ImageEncoder } from '../../encoders.ts';
import type { ImageInfo } from '../../model/image.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { fieldName } from '../../model/plane-name.ts';
import type { PlateAxes } from '../../model/plate-axes.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import { planeAddress, planeByAddress, planesOfField } from '../../model/plate-lookup.ts';
import { parseWellName } from '../../model/well.ts';
import type { PlaneProbe } from '../../sources.ts';
import { type PlaneLocation, planeLocation, toldShape } from '../plane-access.ts';
import { addFieldFacts, addPixelSize } from '../plane-facts.ts';
import type { PlateFiles } from '../plate-files.ts';
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
];

/** A stack file: which field, which flavour, over which axes. */
interface StackFile {
  readonly field: number;
  readonly kind: StackKind;
  readonly axes: PlateAxes;
}
type StackKind = (typeof STACK_KINDS)[number];

/** Where a stack's shape lies in the shared columns. */
const shapeSlot = ({ field, kind }: Pick<StackFile, 'field' | 'kind'>): number =>
  field * 2 + (kind.projection ? 1 : 0);

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
    if (!kind || !this.#hasStack({ field, kind }) || this.#nameOf({ field, kind }) !== name) return undefined;
    return this.#nodeOf(field, kind);
  }

  /** The node of a field's stack over the present axes. */
  #nodeOf(field: number, kind: StackKind): number {
    return STACKS + numberAt(this.#shared.numbering.stacks, field) * KINDS + STACK_KINDS.indexOf(kind);
  }

  /** Whether a field has any plane for a stack of this kind. */
  #hasStack({ field, kind }: Pick<StackFile, 'field' | 'kind'>): boolean {
    const { fieldStarts, index } = this.#shared;
    const end = fieldStarts[field + 1] ?? 0;
    for (let plane = fieldStarts[field] ?? 0; plane < end; plane++) {
      if ((index.planes.zs[plane] === 0) === kind.projection) return true;
    }
    return false;
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
      if (field !== undefined && kind && this.#hasStack({ field, kind }))
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
    return node === this.root || !stack || this.#shared.dtypes[shapeSlot(stack)] !== 0;
  }

  content(_node: number): TreeContent {
    return { kind: 'rendered' };
  }

  /** Nodes of a field's stacks over the present axes. */
  nodesOf(field: number): number[] {
    return STACK_KINDS.filter((kind) => this.#hasStack({ field, kind })).map((kind) =>
      this.#nodeOf(field, kind),
    );
  }

  /** Names of a field's stacks. */
  namesOf(field: number): string[] {
    return STACK_KINDS.filter((kind) => this.#hasStack({ field, kind })).map((kind) =>
      this.#nameOf({ field, kind }),
    );
  }

  /** Finds out the shapes of a field's stacks, which is slow once. @throws when none of its planes can be read. */
  learnShapes(field: number): void {
    for (const kind of STACK_KINDS)
      if (kind.encoder === 'tiff' && this.#hasStack({ field, kind })) this.#shapeOf({ field, kind });
  }

  /** Shape and type of a stack's planes. @throws when no plane of the field can be read. */
  #shapeOf({ field, kind }: Pick<StackFile, 'field' | 'kind'>): PlaneShape {
    const { widths, heights, dtypes, fieldStarts: starts, index } = this.#shared;
    const slot = shapeSlot({ field, kind });
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
    throw (
      failure ??
      new Error(`no plane of ${this.#nameOf({ field, kind })} is a grey image that a stack can hold`)
    );
  }

  /** What a plane's file says; undefined when it isn't grey. */
  #seenShape(plane: number): PlaneShape | undefined {
    const probe = this.#probe(planeLocation(this.#shared.index, this.#files, plane));
    return probe.samples === 1
      ? { width: probe.width, height: probe.height, dtype: probe.info.dtype }
      : undefined;
  }

  /** The image a stack file shows. */
  #imageOf(stack: StackFile, { width, height, dtype }: PlaneShape): ImageInfo {
    const { index } = this.#shared;
    const { axes } = stack;
    const { facts } = index;
    const numbers = stack.kind.projection ? axes.projectionChannels : axes.stackChannels;
    const channels = numbers.map((number) => {
      const channel = facts.channels.find((candidate) => candidate.number === number);
      return {
        ...(channel?.name === undefined ? {} : { name: channel.name }),
        ...(channel?.emissionNm === undefined ? {} : { emissionNm: channel.emissionNm }),
      };
    });
    const { well, site } = planeAddress(index, this.#shared.fieldStarts[stack.field] ?? 0);
    return {
      name: fieldName(well, site) + stack.kind.suffix,
      shape: [axes.ts.length, numbers.length, stack.kind.projection ? 1 : axes.zs.length, height, width],
      dtype,
      channels,
      ...(facts.pixelSizeUm === undefined ? {} : { pixelSizeUm: facts.pixelSizeUm }),
      ...(facts.zSpacingUm === undefined || stack.kind.projection ? {} : { zSpacingUm: facts.zSpacingUm }),
      ...(facts.timeIntervalS === undefined ? {} : { timeIntervalS: facts.timeIntervalS }),
    };
  }

  #layoutOf(stack: StackFile, shape: PlaneShape): FileLayout {
    const encoder = this.#encoders.get(stack.kind.encoder);
    if (!encoder) throw new Error(`no encoder ${stack.kind.encoder}`);
    return encoder.layout(this.#imageOf(stack, shape));
  }

  /** How a stack is put together. @throws when none of its planes can be read. */
  rendered(node: number): RenderedImage | undefined {
    const stack = this.#stackAt(node);
    if (!stack) return undefined;
    const shape = this.#shapeOf(stack);
    return {
      layout: this.#layoutOf(stack, shape),
      shape,
      planeAt: (region) => this.#planeAt(stack, region),
    };
  }

  /** The plane at a region of a stack, or undefined where the plate lacks it. */
  #planeAt({ field, kind, axes }: StackFile, region: Region): number | undefined {
    const { index, fieldStarts } = this.#shared;
    const [t = 0, c = 0, z = 0] = region.start;
    const { well, site } = planeAddress(index, fieldStarts[field] ?? 0);
    const channel = (kind.projection ? axes.projectionChannels : axes.stackChannels)[c];
    const position = kind.projection ? 0 : axes.zs[z];
    const time = axes.ts[t];
    if (channel === undefined || position === undefined || time === undefined) return undefined;
    return planeByAddress(index, well.row, well.column, site, channel, position, time);
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
