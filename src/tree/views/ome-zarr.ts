import { LRUCache } from 'lru-cache';
import type { NgffVersion } from '../../model/ngff.ts';
import { planesOfField } from '../../model/plate-lookup.ts';
import { MAX_WELL_COLUMNS, parseWellName, rowLetters } from '../../model/well.ts';
import type { FieldImages } from '../field-images.ts';
import { groupDocument, groupDocuments } from '../ngff/image-plan.ts';
import { PlateImages } from '../ngff/plate-images.ts';
import {
  documentNode,
  groupNode,
  OME_ZARR_ROOT,
  ownsPlateNode,
  type PlateGroup,
  type PlateNode,
  plateNodeAt,
} from '../ngff/plate-nodes.ts';
import { columnText, imageName, PlateWells, parseImageName } from '../ngff/plate-wells.ts';
import { addPixelSize } from '../plane-facts.ts';
import type { RenderedImage } from '../rendered-image.ts';
import { fieldOfPlane, ngffVersionOf, type SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import type { View } from './view.ts';

/** Documents of wells kept as bytes. */
const MAX_DOCUMENTS = 256;
/** Generations whose documents can be read on by those who have them open. */
const MAX_GENERATIONS = 4;

interface PlaceInFolder {
  readonly parent: number;
  readonly name: string;
}

type Group = Exclude<PlateNode, { kind: 'document' | 'image' }>;

/**
 * plate.ome.zarr/: the plate as OME-Zarr, `<row>/<column>/<image>/<level>/<chunk>`. Names and node numbers follow from
 * places on the plate and along its axes; documents of the plate and of wells are of one generation each.
 */
export class OmeZarrView implements View {
  readonly name = 'plate.ome.zarr';
  readonly root = OME_ZARR_ROOT;
  readonly readOnly = true;
  readonly #shared: SharedTree;
  readonly #images: FieldImages;
  readonly #version: NgffVersion;
  readonly #wells: PlateWells;
  readonly #content: PlateImages;
  readonly #documents = new LRUCache<number, Uint8Array>({ max: MAX_DOCUMENTS });
  /** Views of earlier generations, the latest last. */
  readonly #earlier: readonly OmeZarrView[];

  constructor(shared: SharedTree, images: FieldImages, before?: OmeZarrView) {
    this.#shared = shared;
    this.#images = images;
    this.#version = ngffVersionOf(shared.options);
    this.#wells = new PlateWells(shared, images);
    this.#content = new PlateImages(shared, images, this.#version);
    this.#earlier = before ? [...before.#earlier, before].slice(1 - MAX_GENERATIONS) : [];
  }

  owns(node: number): boolean {
    return ownsPlateNode(node);
  }

  #at(node: number): PlateNode | undefined {
    return plateNodeAt(this.#shared.imageBlocks, node);
  }

  isDirectory(node: number): boolean {
    const at = this.#at(node);
    if (at?.kind === 'image') return this.#content.isDirectory(at);
    return at !== undefined && at.kind !== 'document';
  }

  lookup(parent: number, name: string): number | undefined {
    const at = this.#at(parent);
    if (!at || at.kind === 'document') return undefined;
    if (at.kind === 'image') return this.#content.lookup(at, name);
    if (this.#documentsOf(at).includes(name)) return this.#documentNode(at, name);
    if (at.kind === 'plate') {
      const row = /^[A-Z]{1,2}$/.test(name) ? (parseWellName(`${name}1`)?.row ?? -1) : -1;
      return row >= 0 ? groupNode({ kind: 'row', row }) : undefined;
    }
    if (at.kind === 'row') {
      const column = /^[1-9]\d?$/.test(name) ? Number(name) - 1 : MAX_WELL_COLUMNS;
      return column < MAX_WELL_COLUMNS ? groupNode({ kind: 'well', row: at.row, column }) : undefined;
    }
    const image = parseImageName(name);
    const range = image && planesOfField(this.#shared.index, at.row, at.column, image.site);
    if (!image || !range) return undefined;
    const field = fieldOfPlane(this.#shared.fieldStarts, range.first);
    const { projection } = image;
    return this.#images.has({ field, projection }) ? this.#content.nodeOf({ field, projection }) : undefined;
  }

  /** The document with the attributes of the plate and of wells is of this generation. */
  #documentNode(group: Group, name: string): number {
    const hasAttributes = name !== '.zgroup' && group.kind !== 'row';
    return documentNode(group, hasAttributes ? this.#shared.generation : undefined);
  }

  /** Names of the documents of a group: one without attributes has no file for them. */
  #documentsOf({ kind }: Group): readonly string[] {
    return groupDocuments(this.#version).filter((name) => kind !== 'row' || name !== '.zattrs');
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    const at = this.#at(directory);
    if (!at || at.kind === 'document') return undefined;
    if (at.kind === 'image') return this.#content.entryAfter(at, cookie);
    const documents = this.#documentsOf(at);
    const document = documents[cookie];
    if (document !== undefined)
      return { name: document, node: this.#documentNode(at, document), cookie: cookie + 1 };
    const from = cookie - documents.length;
    const base = documents.length + 1;
    if (at.kind === 'plate') {
      const row = this.#wells.wells.find((well) => well.row >= from)?.row;
      if (row === undefined) return undefined;
      return { name: rowLetters(row), node: groupNode({ kind: 'row', row }), cookie: base + row };
    }
    if (at.kind === 'row') {
      const well = this.#wells.wells.find(({ row, column }) => row === at.row && column >= from);
      if (!well) return undefined;
      const node = groupNode({ kind: 'well', row: well.row, column: well.column });
      return { name: columnText(well.column), node, cookie: base + well.column };
    }
    return this.#imageAfter(at, from, base);
  }

  #imageAfter(at: Extract<Group, { kind: 'well' }>, from: number, base: number): TreeEntry | undefined {
    const well = this.#wells.find(at.row, at.column);
    const image = well && this.#wells.listedImages(well).find(({ place }) => place >= from);
    const node = image && this.#content.nodeOf(image);
    if (!image || node === undefined) return undefined;
    return { name: imageName(image.site, image.projection), node, cookie: base + image.place };
  }

  attributes(node: number): TreeAttributes | undefined {
    const at = this.#at(node);
    if (at?.kind === 'image') return this.#content.attributes(at);
    const mtimeMs = this.#shared.changedAtMs;
    if (at?.kind === 'document') {
      const isNow = at.generation === undefined || at.generation === this.#shared.generation;
      const bytes = !isNow || this.#exists(at.group) ? this.documentOf(node) : undefined;
      return bytes && { directory: false, sizeBytes: bytes.length, mtimeMs, live: false };
    }
    return at && this.#exists(at) ? { directory: true, sizeBytes: 0, mtimeMs, live: true } : undefined;
  }

  #exists(group: Group): boolean {
    if (group.kind === 'plate') return true;
    return this.#wells.wells.some(
      ({ row, column }) => row === group.row && (group.kind === 'row' || column === group.column),
    );
  }

  isKnown(node: number): boolean {
    const at = this.#at(node);
    return at?.kind !== 'image' || this.#content.isKnown(at);
  }

  content(): TreeContent {
    return { kind: 'rendered' };
  }

  /** The bytes of a document; undefined for chunks, and for documents of a generation that nobody remembers. */
  documentOf(node: number): Uint8Array | undefined {
    const at = this.#at(node);
    if (at?.kind === 'image') return this.#content.document(at);
    if (at?.kind !== 'document') return undefined;
    const { generation } = at;
    if (generation === undefined || generation === this.#shared.generation)
      return this.#groupDocument(node, at.group, generation !== undefined);
    return this.#earlier.find((view) => view.#shared.generation === generation)?.documentOf(node);
  }

  #groupDocument(node: number, group: PlateGroup, hasAttributes: boolean): Uint8Array | undefined {
    const known = this.#documents.get(node);
    if (known) return known;
    const name = this.#documentName(hasAttributes);
    const bytes = groupDocument(this.#version, name, () => this.#attributesOf(group));
    if (bytes) this.#documents.set(node, bytes);
    return bytes;
  }

  #documentName(hasAttributes: boolean): string {
    if (this.#version === '0.5') return 'zarr.json';
    return hasAttributes ? '.zattrs' : '.zgroup';
  }

  #attributesOf(group: PlateGroup): object | undefined {
    if (group.kind === 'plate') return this.#wells.plateAttributes(this.#version);
    const well = group.kind === 'well' ? this.#wells.find(group.row, group.column) : undefined;
    return well && this.#wells.wellAttributes(well, this.#version);
  }

  /** How a chunk is put together; undefined for every other node. */
  rendered(node: number): RenderedImage | undefined {
    const at = this.#at(node);
    return at?.kind === 'image' ? this.#content.rendered(at) : undefined;
  }

  pathOf(node: number): string {
    const at = this.#at(node);
    if (!at) return '';
    if (at.kind === 'image') {
      const image = this.#content.imageOf(at);
      const plane = image && this.#shared.fieldStarts[image.field];
      if (!image || plane === undefined) return '';
      const { rows, columns, sites } = this.#shared.index.planes;
      const well = { kind: 'well', row: rows[plane] ?? 0, column: columns[plane] ?? 0 } as const;
      const below = this.#content.pathOf(at) ?? '';
      const name = imageName(sites[plane] ?? 0, image.projection);
      return [pathOfGroup(well), name, below].filter((part) => part !== '').join('/');
    }
    if (at.kind !== 'document') return pathOfGroup(at);
    const name = this.#documentName(at.generation !== undefined);
    return [pathOfGroup(at.group), name].filter((part) => part !== '').join('/');
  }

  /** Where the documents are that are another file after every change of the plate. */
  changingDocuments(): PlaceInFolder[] {
    const name = this.#documentName(true);
    const groups: Group[] = [{ kind: 'plate' }];
    for (const { row, column } of this.#wells.wells) groups.push({ kind: 'well', row, column });
    return groups.map((group) => ({ parent: groupNode(group), name }));
  }

  /** Wells and rows that another view of the plate has not. */
  groupsWithout(other: OmeZarrView): PlaceInFolder[] {
    return this.#wells.wells.flatMap(({ row, column }) => {
      const inRow = { parent: groupNode({ kind: 'row', row }), name: columnText(column) };
      if (!other.#exists({ kind: 'row', row })) return [{ parent: this.root, name: rowLetters(row) }, inRow];
      return other.#exists({ kind: 'well', row, column }) ? [] : [inRow];
    });
  }

  /** Where a field's images are. */
  imagePlaces(field: number): PlaceInFolder[] {
    const { rows, columns, sites } = this.#shared.index.planes;
    const plane = this.#shared.fieldStarts[field] ?? 0;
    const parent = groupNode({ kind: 'well', row: rows[plane] ?? 0, column: columns[plane] ?? 0 });
    return [false, true]
      .filter((projection) => this.#images.has({ field, projection }))
      .map((projection) => ({ parent, name: imageName(sites[plane] ?? 0, projection) }));
  }

  /** Where a plane's chunks are: at every level that an image may have. */
  chunkPlaces(plane: number): (PlaceInFolder & { readonly chunk: number })[] {
    return this.#content.placesOf(plane);
  }

  /** Nodes of the images' documents with attributes. */
  imageDocuments(): number[] {
    const name = this.#documentName(true);
    return this.#wells.wells.flatMap((well) =>
      this.#wells.listedImages(well).flatMap((image) => {
        const folder = this.#content.nodeOf(image);
        return (folder === undefined ? undefined : this.lookup(folder, name)) ?? [];
      }),
    );
  }

  refresh(): void {}

  addFacts(node: number, facts: Map<string, string>): void {
    const at = this.#at(node);
    if (at?.kind === 'image') this.#content.addFacts(at, facts);
    else if (at?.kind === 'plate') addPixelSize(this.#shared.index, facts);
  }
}

function pathOfGroup(group: PlateGroup): string {
  if (group.kind === 'plate') return '';
  return group.kind === 'row'
    ? rowLetters(group.row)
    : `${rowLetters(group.row)}/${columnText(group.column)}`;
}
