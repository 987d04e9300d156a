import { LRUCache } from 'lru-cache';
import type { NgffVersion } from '../../model/ngff.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { fieldName } from '../../model/plane-name.ts';
import type { PlateAxes } from '../../model/plate-axes.ts';
import { planeAddress } from '../../model/plate-lookup.ts';
import type { FieldImage, FieldImages } from '../field-images.ts';
import { addFieldFacts, addPixelSize, addPlaneFacts } from '../plane-facts.ts';
import { channelNumbers } from '../plane-grid.ts';
import type { RenderedImage } from '../rendered-image.ts';
import { fieldOfPlane, type SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeEntry } from '../tree.ts';
import { chunkLayout } from './chunk-pixels.ts';
import type { FolderPlace, ImageFolder } from './image-folder.ts';
import { folderUnder, type ImageNode } from './image-numbers.ts';
import { chunkBytes, type ImagePlan, imageDocument, levelDocument, planImage } from './image-plan.ts';
import { imageNode } from './plate-nodes.ts';

const MAX_PLANS = 256;

/** What of an image a node is, under the axes that the image's number stands for. */
interface ImagePlace extends FieldImage {
  readonly node: ImageNode;
  readonly axes: PlateAxes;
  readonly folder: ImageFolder;
  readonly at: FolderPlace;
}

/** Below the folders of images in plate.ome.zarr: levels, chunks and documents of each field. */
export class PlateImages {
  readonly #shared: SharedTree;
  readonly #images: FieldImages;
  readonly #version: NgffVersion;
  readonly #folders = new Map<PlateAxes, readonly [stack: ImageFolder, projection: ImageFolder]>();
  readonly #plans = new LRUCache<string, ImagePlan>({ max: MAX_PLANS });

  constructor(shared: SharedTree, images: FieldImages, version: NgffVersion) {
    this.#shared = shared;
    this.#images = images;
    this.#version = version;
  }

  #folder(axes: PlateAxes, projection: boolean): ImageFolder {
    let folders = this.#folders.get(axes);
    if (!folders) {
      folders = [folderUnder(axes, false, this.#version), folderUnder(axes, true, this.#version)];
      this.#folders.set(axes, folders);
    }
    return folders[projection ? 1 : 0];
  }

  /** Undefined when the field is gone, its axes are forgotten, or there is no such entry. */
  #placeOf(node: ImageNode): ImagePlace | undefined {
    const { numbering, axesOfStack, stackAxes } = this.#shared;
    const field = positionOf(numbering.stacks, node.number);
    const axes = stackAxes[axesOfStack?.[node.number] ?? 0];
    if (field === undefined || !axes) return undefined;
    const folder = this.#folder(axes, node.projection);
    const at = folder.placeAt(node.ordinal);
    return at && { field, projection: node.projection, node, axes, folder, at };
  }

  #nodeOf({ number, projection }: ImageNode, ordinal: number): number | undefined {
    return imageNode(this.#shared.imageBlocks, { number, projection, ordinal });
  }

  /** Node of an image's folder over the present axes. */
  nodeOf({ field, projection }: FieldImage): number | undefined {
    return this.#nodeOf(
      { number: numberAt(this.#shared.numbering.stacks, field), projection, ordinal: 0 },
      0,
    );
  }

  /** @throws when no plane of the image can be read. */
  #planOf({ field, projection, node, axes }: ImagePlace): ImagePlan {
    const key = `${node.number}${projection ? 'p' : ''}`;
    const known = this.#plans.get(key);
    if (known) return known;
    const { well, site } = planeAddress(this.#shared.index, this.#shared.fieldStarts[field] ?? 0);
    const name = fieldName(well, site) + (projection ? '_z000' : '');
    const image = this.#images.infoOf({ field, projection }, axes, name);
    const labels = channelNumbers(axes, projection).map((number) => `w${number}`);
    const plan = planImage(image, this.#version, labels);
    this.#plans.set(key, plan);
    return plan;
  }

  /** Whether a chunk is there: a plane that the plate lacks is none, unless it shall be an error. */
  #holds(place: ImagePlace, t: number, c: number, z: number): boolean {
    return (
      this.#shared.options.missing === 'error' ||
      this.#images.planeAt(place, place.axes, t, c, z) !== undefined
    );
  }

  isDirectory(node: ImageNode): boolean {
    const place = this.#placeOf(node);
    return place?.folder.isDirectory(node.ordinal) === true;
  }

  lookup(parent: ImageNode, name: string): number | undefined {
    const place = this.#placeOf(parent);
    const levels = (): number => (place ? this.#planOf(place).levels.length : 0);
    const ordinal = place?.folder.lookup(parent.ordinal, name, levels);
    return ordinal === undefined ? undefined : this.#nodeOf(parent, ordinal);
  }

  entryAfter(directory: ImageNode, cookie: number): TreeEntry | undefined {
    const place = this.#placeOf(directory);
    const levels = (): number => (place ? this.#planOf(place).levels.length : 0);
    const entry = place?.folder.entryAfter(directory.ordinal, cookie, levels, (t, c, z) =>
      this.#holds(place, t, c, z),
    );
    const node = entry && this.#nodeOf(directory, entry.ordinal);
    return entry && node !== undefined ? { name: entry.name, node, cookie: entry.cookie } : undefined;
  }

  /** @throws when no plane of the image can be read. */
  attributes(node: ImageNode): TreeAttributes | undefined {
    const place = this.#placeOf(node);
    if (!place || !this.#images.has(place)) return undefined;
    const mtimeMs = this.#shared.fieldChangedAtMs[place.field] ?? this.#shared.changedAtMs;
    const directory = { directory: true, sizeBytes: 0, mtimeMs, live: true };
    const { at } = place;
    if (at.kind === 'image') return directory;
    if (at.kind === 'level') return at.level < this.#planOf(place).levels.length ? directory : undefined;
    if (at.kind === 'grid-folder') {
      const [t = 0, c = 0, z] = at.planes;
      return z === undefined || this.#holds(place, t, c, z) ? directory : undefined;
    }
    if (at.kind === 'chunk') {
      const { level, t, c, z } = at.chunk;
      if (!this.#holds(place, t, c, z)) return undefined;
      return { directory: false, sizeBytes: chunkBytes(this.#planOf(place), level), mtimeMs, live: false };
    }
    const bytes = this.document(node);
    return bytes && { directory: false, sizeBytes: bytes.length, mtimeMs, live: false };
  }

  /** Whether `attributes` need not look into a file. */
  isKnown(node: ImageNode): boolean {
    const place = this.#placeOf(node);
    const kind = place?.at.kind;
    return !place || kind === 'image' || kind === 'grid-folder' || this.#images.isShapeKnown(place);
  }

  /** The bytes of a document of an image; undefined for what is none. @throws when no plane of it can be read. */
  document(node: ImageNode): Uint8Array | undefined {
    const place = this.#placeOf(node);
    if (place?.at.kind === 'image-document') return imageDocument(this.#planOf(place), place.at.name);
    if (place?.at.kind === 'level-document') return levelDocument(this.#planOf(place), place.at.level);
    return undefined;
  }

  /** How a chunk is put together; undefined for what is none. @throws when no plane of the image can be read. */
  rendered(node: ImageNode): RenderedImage | undefined {
    const place = this.#placeOf(node);
    if (place?.at.kind !== 'chunk') return undefined;
    const { chunk } = place.at;
    const plan = this.#planOf(place);
    const [, , , height, width] = plan.image.shape;
    return {
      layout: chunkLayout(plan, chunk),
      shape: { height, width, dtype: plan.image.dtype },
      planeAt: ({ start: [t = 0, c = 0, z = 0] }) => this.#images.planeAt(place, place.axes, t, c, z),
      chunk: { plan, place: chunk, image: `${node.number}${node.projection ? 'p' : ''}` },
    };
  }

  /** Path below the image's folder. */
  pathOf(node: ImageNode): string | undefined {
    return this.#placeOf(node)?.folder.pathOf(node.ordinal);
  }

  /** The field and kind that a node belongs to. */
  imageOf(node: ImageNode): FieldImage | undefined {
    return this.#placeOf(node);
  }

  /** Where a plane's chunks are over the present axes: at every level that an image may have, its folder and file. */
  placesOf(plane: number): { readonly parent: number; readonly name: string; readonly chunk: number }[] {
    const { axes, fieldStarts, index, numbering } = this.#shared;
    const { channel, z, t } = planeAddress(index, plane);
    const projection = z === 0;
    const number = numberAt(numbering.stacks, fieldOfPlane(fieldStarts, plane));
    const place = { number, projection, ordinal: 0 };
    const tAt = axes.ts.indexOf(t);
    const cAt = channelNumbers(axes, projection).indexOf(channel);
    const zAt = projection ? 0 : axes.zs.indexOf(z);
    return this.#folder(axes, projection)
      .planePlaces(tAt, cAt, zAt)
      .flatMap(({ parent, name, chunk }) => {
        const parentNode = this.#nodeOf(place, parent);
        const chunkNode = this.#nodeOf(place, chunk);
        return parentNode === undefined || chunkNode === undefined
          ? []
          : [{ parent: parentNode, name, chunk: chunkNode }];
      });
  }

  addFacts(node: ImageNode, facts: Map<string, string>): void {
    const place = this.#placeOf(node);
    if (!place) return;
    const { index, fieldStarts } = this.#shared;
    const { at } = place;
    if (at.kind === 'chunk') {
      const { level, t, c, z } = at.chunk;
      facts.set('level', String(level));
      const plane = this.#images.planeAt(place, place.axes, t, c, z);
      if (plane !== undefined && level === 0) {
        addPlaneFacts(index, plane, facts);
        return;
      }
    }
    addFieldFacts(index, fieldStarts[place.field] ?? 0, facts);
    if (at.kind === 'image') addPixelSize(index, facts);
  }
}
