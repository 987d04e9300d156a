import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Dtype, itemSizeBytes } from '../core/nd-array.ts';
import type { FileLayout, ImageEncoder } from '../encoders.ts';
import type { ImageInfo } from '../model/image.ts';
import { fieldName } from '../model/plane-name.ts';
import { fieldStarts, type PlateAxes, plateAxes } from '../model/plate-axes.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import {
  childDirectories,
  childDirectoryByName,
  directoryPath,
  fileByName,
  filePath,
  nameAt,
  planeAddress,
  planeByAddress,
  planeByName,
  planeName,
  planesOfField,
} from '../model/plate-lookup.ts';
import { parseWellName, wellName } from '../model/well.ts';
import type { PlaneProbe } from '../sources.ts';
import { ROOT_NODE, type Tree, type TreeAttributes, type TreeContent } from './tree.ts';

/** The tree's own nodes. */
export const IMAGES_NODE = 2;
export const STACKS_NODE = 3;
export const SOURCE_NODE = 4;
export const PLATEFS_NODE = 5;
export const OPENHCS_NODE = 16;
export const STATUS_NODE = 17;
export const WARNINGS_NODE = 18;
export const METRICS_NODE = 19;
/** Every kind of thing has 2^32 numbers of its own. */
const KIND = 2 ** 32;
const PLANES = 1 * KIND;
const STACKS = 2 * KIND;
const SOURCE_DIRECTORIES = 3 * KIND;
const SOURCE_FILES = 4 * KIND;
const BEYOND = 5 * KIND;

interface FixedEntry {
  readonly name: string;
  readonly node: number;
}

const ROOT_ENTRIES: readonly FixedEntry[] = [
  { name: 'images', node: IMAGES_NODE },
  { name: 'stacks', node: STACKS_NODE },
  { name: 'source', node: SOURCE_NODE },
  { name: '.platefs', node: PLATEFS_NODE },
  { name: 'openhcs_metadata.json', node: OPENHCS_NODE },
];
const PLATEFS_ENTRIES: readonly FixedEntry[] = [
  { name: 'status.json', node: STATUS_NODE },
  { name: 'warnings.json', node: WARNINGS_NODE },
  { name: 'metrics', node: METRICS_NODE },
];

/** The files a field has in stacks/: ImageJ and OME flavour, of its z-stack and of its projections. */
export const STACK_KINDS = [
  { suffix: '', encoder: 'tiff', projection: false },
  { suffix: '', encoder: 'ome-tiff', projection: false },
  { suffix: '_z000', encoder: 'tiff', projection: true },
  { suffix: '_z000', encoder: 'ome-tiff', projection: true },
] as const;
const KINDS = STACK_KINDS.length;

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

/** What every thread of a mount holds the same copy of. Plain data over shared memory. */
export interface SharedTree {
  readonly index: PlateIndex;
  readonly axes: PlateAxes;
  readonly fieldStarts: Uint32Array;
  /** Per field two entries, of the z-stack and of the projections; filled by whoever looks first. */
  readonly widths: Uint32Array;
  readonly heights: Uint32Array;
  readonly dtypes: Uint8Array;
  readonly mountedAtMs: number;
}

/** Lays out what threads share. */
export function shareTree(index: PlateIndex, mountedAtMs: number): SharedTree {
  const starts = fieldStarts(index);
  const entries = Math.max(0, starts.length - 1) * 2;
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  const sharedStarts = new Uint32Array(shared(starts.byteLength));
  sharedStarts.set(starts);
  return {
    index,
    axes: plateAxes(index),
    fieldStarts: sharedStarts,
    widths: new Uint32Array(shared(entries * 4)),
    heights: new Uint32Array(shared(entries * 4)),
    dtypes: new Uint8Array(shared(entries)),
    mountedAtMs,
  };
}

/** A stack file: which field, which flavour. */
export interface StackFile {
  readonly field: number;
  readonly kind: (typeof STACK_KINDS)[number];
}

/** Where a stack's shape lies in the shared columns. */
const shapeSlot = ({ field, kind }: StackFile): number => field * 2 + (kind.projection ? 1 : 0);

/** The first plane of a file, without reading pixels. @throws when the file is unreadable or no image. */
export type Probe = (path: string) => PlaneProbe;

/** The tree of one plate: images/, stacks/, source/ and the documents. */
export class PlateTree implements Tree {
  readonly shared: SharedTree;
  readonly #index: PlateIndex;
  readonly #encoders: ReadonlyMap<string, ImageEncoder>;
  readonly #probe: Probe;
  /** Absolute paths of source directories, by number, made when first needed. */
  readonly #folders: string[] = [];

  constructor(shared: SharedTree, encoders: readonly ImageEncoder[], probe: Probe) {
    this.shared = shared;
    this.#index = shared.index;
    this.#encoders = new Map(encoders.map((encoder) => [encoder.id, encoder]));
    this.#probe = probe;
  }

  #fixedEntries(node: number): readonly FixedEntry[] {
    return node === ROOT_NODE ? ROOT_ENTRIES : node === PLATEFS_NODE ? PLATEFS_ENTRIES : [];
  }

  isDirectory(node: number): boolean {
    return node <= PLATEFS_NODE || (node >= SOURCE_DIRECTORIES && node < SOURCE_FILES);
  }

  isReadOnly(node: number): boolean {
    return (
      node === SOURCE_NODE ||
      node >= SOURCE_DIRECTORIES ||
      node === PLATEFS_NODE ||
      (node > OPENHCS_NODE && node <= METRICS_NODE)
    );
  }

  isDocument(node: number): boolean {
    return node >= OPENHCS_NODE && node <= METRICS_NODE;
  }

  /** The source directory a directory node shows, or undefined. */
  #sourceDirectory(node: number): number | undefined {
    if (node === SOURCE_NODE) return 0;
    return node >= SOURCE_DIRECTORIES && node < SOURCE_FILES ? node - SOURCE_DIRECTORIES : undefined;
  }

  lookup(parent: number, name: string): number | undefined {
    if (parent === IMAGES_NODE) {
      const plane = planeByName(this.#index, name);
      return plane === undefined ? undefined : PLANES + plane;
    }
    if (parent === STACKS_NODE) return this.#lookupStack(name);
    const directory = this.#sourceDirectory(parent);
    if (directory === undefined) return this.#fixedEntries(parent).find((entry) => entry.name === name)?.node;
    const child = childDirectoryByName(this.#index, directory, name);
    if (child !== undefined) return SOURCE_DIRECTORIES + child;
    const file = fileByName(this.#index, directory, name);
    return file === undefined ? undefined : SOURCE_FILES + file;
  }

  #lookupStack(name: string): number | undefined {
    const match = /^([A-Z]{1,2}\d{2})_s(\d{3,9})(_z000)?(\.ome)?\.tif$/.exec(name);
    const well = match && parseWellName(match[1] ?? '');
    if (!match || !well) return undefined;
    const range = planesOfField(this.#index, well.row, well.column, Number(match[2]));
    if (!range) return undefined;
    const field = this.#fieldAt(range.first);
    const kind = (match[3] ? 2 : 0) + (match[4] ? 1 : 0);
    return this.#hasStack(field, kind) && this.#stackName(field, kind) === name
      ? STACKS + field * KINDS + kind
      : undefined;
  }

  /** The field that begins at this plane. */
  #fieldAt(plane: number): number {
    const { fieldStarts: starts } = this.shared;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] ?? 0) < plane) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #hasStack(field: number, kind: number): boolean {
    const stack = STACK_KINDS[kind];
    return stack !== undefined && this.hasStack(field, stack);
  }

  /** Whether a field has any plane for a stack of this kind. */
  hasStack(field: number, { projection }: StackFile['kind']): boolean {
    const end = this.shared.fieldStarts[field + 1] ?? 0;
    for (let plane = this.shared.fieldStarts[field] ?? 0; plane < end; plane++) {
      if ((this.#index.planes.zs[plane] === 0) === projection) return true;
    }
    return false;
  }

  #stackName(field: number, kind: number): string {
    const { well, site } = planeAddress(this.#index, this.shared.fieldStarts[field] ?? 0);
    const { suffix = '', encoder = '' } = STACK_KINDS[kind] ?? {};
    return `${fieldName(well, site)}${suffix}${this.#encoders.get(encoder)?.extension ?? ''}`;
  }

  /** Which stack a node is, or undefined. */
  stackOf(node: number): StackFile | undefined {
    if (node < STACKS || node >= SOURCE_DIRECTORIES) return undefined;
    const kind = STACK_KINDS[(node - STACKS) % KINDS];
    return kind && { field: Math.floor((node - STACKS) / KINDS), kind };
  }

  /** Which plane a node is, or undefined. */
  planeOf(node: number): number | undefined {
    return node >= PLANES && node < STACKS ? node - PLANES : undefined;
  }

  entryCount(directory: number): number {
    if (directory === IMAGES_NODE) return this.#index.planes.count;
    if (directory === STACKS_NODE) return Math.max(0, this.shared.fieldStarts.length - 1) * KINDS;
    const source = this.#sourceDirectory(directory);
    if (source === undefined) return this.#fixedEntries(directory).length;
    const children = childDirectories(this.#index, source);
    const { firstFile } = this.#index.directories;
    return children.end - children.first + (firstFile[source + 1] ?? 0) - (firstFile[source] ?? 0);
  }

  entryAt(directory: number, position: number): { name: string; node: number } | undefined {
    if (directory === IMAGES_NODE) return { name: planeName(this.#index, position), node: PLANES + position };
    if (directory === STACKS_NODE) {
      const kind = position % KINDS;
      const field = (position - kind) / KINDS;
      if (!this.#hasStack(field, kind)) return undefined;
      return { name: this.#stackName(field, kind), node: STACKS + position };
    }
    const source = this.#sourceDirectory(directory);
    if (source === undefined) return this.#fixedEntries(directory)[position];
    const children = childDirectories(this.#index, source);
    const count = children.end - children.first;
    const { directories, files } = this.#index;
    if (position < count) {
      const child = children.first + position;
      return { name: nameAt(directories.names, child), node: SOURCE_DIRECTORIES + child };
    }
    const file = (directories.firstFile[source] ?? 0) + position - count;
    return { name: nameAt(files.names, file), node: SOURCE_FILES + file };
  }

  *names(directory: number): Generator<string> {
    const count = this.entryCount(directory);
    for (let position = 0; position < count; position++) {
      const entry = this.entryAt(directory, position);
      if (entry) yield entry.name;
    }
  }

  /** The source file a node's bytes lie in, or undefined. */
  #fileOf(node: number): number | undefined {
    if (node >= SOURCE_FILES && node < BEYOND) return node - SOURCE_FILES;
    const plane = this.planeOf(node);
    return plane === undefined ? undefined : this.#index.planes.files[plane];
  }

  #absolute(file: number): string {
    const { rootPath, files } = this.#index;
    const directory = files.directories[file] ?? 0;
    const folder = (this.#folders[directory] ??= join(rootPath, directoryPath(this.#index, directory)));
    return `${folder}/${nameAt(files.names, file)}`;
  }

  attributes(node: number): TreeAttributes | undefined {
    const { mountedAtMs } = this.shared;
    if (this.isDirectory(node)) {
      const source = this.#sourceDirectory(node);
      const mtimeMs =
        source === undefined ? mountedAtMs : (this.#index.directories.mtimeMs[source] ?? mountedAtMs);
      return { directory: true, sizeBytes: 0, mtimeMs, live: false };
    }
    if (this.isDocument(node)) return { directory: false, sizeBytes: 0, mtimeMs: mountedAtMs, live: true };
    const file = this.#fileOf(node);
    if (file !== undefined) return this.#fileAttributes(file);
    const stack = this.stackOf(node);
    if (!stack) return undefined;
    return { directory: false, sizeBytes: this.layoutOf(stack).sizeBytes, mtimeMs: mountedAtMs, live: false };
  }

  isKnown(node: number): boolean {
    const file = this.#fileOf(node);
    if (file !== undefined) return (this.#index.files.sizeBytes[file] ?? -1) >= 0;
    const stack = this.stackOf(node);
    return stack === undefined || this.shared.dtypes[shapeSlot(stack)] !== 0;
  }

  #fileAttributes(file: number): TreeAttributes {
    const { sizeBytes, mtimeMs } = this.#index.files;
    if ((sizeBytes[file] ?? -1) < 0) this.refresh(file);
    return { directory: false, sizeBytes: sizeBytes[file] ?? 0, mtimeMs: mtimeMs[file] ?? 0, live: false };
  }

  /** Looks at a source file again. @throws the system's error when it is gone. */
  refresh(file: number): void {
    const stat = statSync(this.#absolute(file));
    this.#index.files.mtimeMs[file] = stat.mtimeMs;
    this.#index.files.sizeBytes[file] = stat.size;
  }

  /** Looks at the source file behind a node again, after it was seen to have changed. */
  refreshNode(node: number): void {
    const file = this.#fileOf(node);
    if (file !== undefined) this.refresh(file);
  }

  /** Shape and type of a stack's planes. @throws when no plane of the field can be read. */
  planeShape({ field, kind }: StackFile): { width: number; height: number; dtype: Dtype } {
    const { widths, heights, dtypes, fieldStarts: starts } = this.shared;
    const slot = shapeSlot({ field, kind });
    const known = DTYPES[dtypes[slot] ?? 0];
    if (known) return { width: widths[slot] ?? 0, height: heights[slot] ?? 0, dtype: known };
    let failure: unknown;
    for (let plane = starts[field] ?? 0; plane < (starts[field + 1] ?? 0); plane++) {
      if ((this.#index.planes.zs[plane] === 0) !== kind.projection) continue;
      try {
        const probe = this.#probe(this.planePath(plane));
        const code = probe.samples === 1 ? DTYPES.indexOf(probe.info.dtype) : -1;
        if (code <= 0) continue;
        widths[slot] = probe.width;
        heights[slot] = probe.height;
        dtypes[slot] = code;
        return { width: probe.width, height: probe.height, dtype: probe.info.dtype };
      } catch (error) {
        failure = error;
      }
    }
    throw (
      failure ?? new Error(`no plane of ${this.#stackName(field, 0)} is a grey image that a stack can hold`)
    );
  }

  /** Absolute path of a plane's file. */
  planePath(plane: number): string {
    return this.#absolute(this.#index.planes.files[plane] ?? 0);
  }

  /** The image a stack file shows. */
  imageOf(stack: StackFile): ImageInfo {
    const { axes, index } = this.shared;
    const { width, height, dtype } = this.planeShape(stack);
    const { facts } = index;
    const numbers = stack.kind.projection ? axes.projectionChannels : axes.stackChannels;
    const channels = numbers.map((number) => {
      const channel = facts.channels.find((candidate) => candidate.number === number);
      return {
        ...(channel?.name === undefined ? {} : { name: channel.name }),
        ...(channel?.emissionNm === undefined ? {} : { emissionNm: channel.emissionNm }),
      };
    });
    const { well, site } = planeAddress(index, this.shared.fieldStarts[stack.field] ?? 0);
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

  layoutOf(stack: StackFile): FileLayout {
    const encoder = this.#encoders.get(stack.kind.encoder);
    if (!encoder) throw new Error(`no encoder ${stack.kind.encoder}`);
    return encoder.layout(this.imageOf(stack));
  }

  /** The plane at (t, c, z) of a stack, counted along its axes, or undefined where the plate lacks it. */
  planeInStack({ field, kind }: StackFile, t: number, c: number, z: number): number | undefined {
    const { axes, index } = this.shared;
    const { well, site } = planeAddress(index, this.shared.fieldStarts[field] ?? 0);
    const channel = (kind.projection ? axes.projectionChannels : axes.stackChannels)[c];
    const position = kind.projection ? 0 : axes.zs[z];
    const time = axes.ts[t];
    if (channel === undefined || position === undefined || time === undefined) return undefined;
    return planeByAddress(index, well.row, well.column, site, channel, position, time);
  }

  /** Bytes of one plane of a stack. */
  planeSizeBytes(stack: StackFile): number {
    const { width, height, dtype } = this.planeShape(stack);
    return width * height * itemSizeBytes(dtype);
  }

  content(node: number): TreeContent {
    if (this.isDocument(node)) return { kind: 'document' };
    const file = this.#fileOf(node);
    return file === undefined ? { kind: 'rendered' } : { kind: 'verbatim', path: this.#absolute(file) };
  }

  pathOf(node: number): string {
    if (node === ROOT_NODE) return '';
    const fixed = ROOT_ENTRIES.find((entry) => entry.node === node);
    if (fixed) return fixed.name;
    const document = PLATEFS_ENTRIES.find((entry) => entry.node === node);
    if (document) return `.platefs/${document.name}`;
    const plane = this.planeOf(node);
    if (plane !== undefined) return `images/${planeName(this.#index, plane)}`;
    const stack = this.stackOf(node);
    if (stack) return `stacks/${this.#stackName(stack.field, STACK_KINDS.indexOf(stack.kind))}`;
    if (node < SOURCE_FILES) return `source/${directoryPath(this.#index, node - SOURCE_DIRECTORIES)}`;
    return `source/${filePath(this.#index, node - SOURCE_FILES)}`;
  }

  resolve(path: string): number | undefined {
    let node: number | undefined = ROOT_NODE;
    if (path === '') return node;
    for (const name of path.split('/')) {
      node = this.lookup(node, name);
      if (node === undefined) return undefined;
    }
    return node;
  }

  facts(node: number): ReadonlyMap<string, string> {
    const facts = new Map<string, string>();
    const { index } = this.shared;
    if (node === ROOT_NODE) {
      facts.set('plate', index.facts.name);
      facts.set('format', index.facts.format);
      facts.set('source', index.rootPath);
      return facts;
    }
    const plane = this.planeOf(node);
    const stack = this.stackOf(node);
    if (plane !== undefined) {
      const { well, site, channel, z, t } = planeAddress(index, plane);
      facts.set('source', filePath(index, index.planes.files[plane] ?? 0));
      facts.set('well', wellName(well));
      facts.set('field', String(site));
      facts.set('channel', String(channel));
      const name = index.facts.channels.find((candidate) => candidate.number === channel)?.name;
      if (name !== undefined) facts.set('channel-name', name);
      facts.set('z', String(z));
      facts.set('t', String(t));
    } else if (stack) {
      const { well, site } = planeAddress(index, this.shared.fieldStarts[stack.field] ?? 0);
      facts.set('well', wellName(well));
      facts.set('field', String(site));
    } else {
      const file = this.#fileOf(node);
      if (file !== undefined) facts.set('source', filePath(index, file));
    }
    const size = index.facts.pixelSizeUm;
    if (size && (plane !== undefined || stack))
      facts.set('pixel-size-um', size.x === size.y ? String(size.x) : `${size.x} ${size.y}`);
    return facts;
  }
}
