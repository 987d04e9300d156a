import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elementCount, itemSizeBytes } from '../../../src/core/nd-array.ts';
import { readArrayMetadata } from '../../../src/zarr/array-metadata.ts';
import { contiguousStrides } from '../../../src/zarr/box.ts';
import { readChunkBox } from '../../../src/zarr/read-chunk.ts';
import { ChunkFile } from '../../../src/zarr/stored-bytes.ts';
import { type NgffKind, ngffFaults } from '../../fixtures/ngff-rules.ts';

/**
 * What breaks OME-NGFF 0.4 or 0.5 in a store at rest, by the rules of the specification and of its JSON schemas
 * (plate, well, image); empty when nothing does. Every chunk of every named array is decoded.
 */
export function ngffProblems(store: string): string[] {
  if (!existsSync(store)) return [];
  const check = new StoreCheck(store);
  check.run();
  return check.problems;
}

// biome-ignore lint/suspicious/noExplicitAny: the JSON under test has any shape
type Json = any;

class StoreCheck {
  readonly problems: string[] = [];
  private readonly store: string;
  private readonly version: '0.4' | '0.5';

  constructor(store: string) {
    this.store = store;
    this.version = existsSync(join(store, 'zarr.json')) ? '0.5' : '0.4';
  }

  run(): void {
    const attributes = this.attributes('');
    if (attributes === undefined) return;
    this.group('');
    if (attributes.plate !== undefined) {
      this.rules('', 'plate');
      this.plate(attributes.plate);
    }
    for (const path of this.plainImages('')) this.image(path);
  }

  private demand(condition: unknown, what: string): void {
    if (!condition) this.problems.push(what);
  }

  private json(path: string): Json {
    const full = join(this.store, path);
    if (!existsSync(full)) return undefined;
    try {
      return JSON.parse(readFileSync(full, 'utf8'));
    } catch (error) {
      this.problems.push(`${path}: ${error}`);
      return undefined;
    }
  }

  private group(path: string): void {
    if (this.version === '0.4')
      this.demand(this.json(join(path, '.zgroup'))?.zarr_format === 2, `${path}: no zarr v2 group`);
    else {
      const document = this.json(join(path, 'zarr.json'));
      const isGroup = document?.zarr_format === 3 && document.node_type === 'group';
      this.demand(isGroup, `${path}: no zarr v3 group`);
    }
  }

  /** What OME-NGFF defines of a group's attributes. */
  private attributes(path: string): Json {
    if (this.version === '0.4') return this.json(join(path, '.zattrs'));
    const document = this.json(join(path, 'zarr.json'));
    return document && (document.attributes.ome ?? {});
  }

  private rules(path: string, kind: NgffKind): void {
    const all = this.version === '0.4' ? this.attributes(path) : { ome: this.attributes(path) };
    for (const fault of ngffFaults(this.version, kind, all)) this.problems.push(`${path}: ${fault}`);
  }

  /** Folders outside the plate that say they are images; a group on the way to each is needed. */
  private plainImages(folder: string): string[] {
    const found: string[] = [];
    for (const entry of readdirSync(join(this.store, folder), { withFileTypes: true })) {
      if (!entry.isDirectory() || (folder === '' && /^[A-Z]{1,2}$/.test(entry.name))) continue;
      const path = join(folder, entry.name);
      if (this.attributes(path)?.multiscales) found.push(path);
      else if (!/\.tiff?$/i.test(entry.name)) found.push(...this.plainImages(path));
    }
    return found;
  }

  private plate(plate: Json): void {
    for (const axis of ['rows', 'columns']) {
      const names: string[] = plate[axis].map((entry: Json) => entry.name);
      this.demand(names.length > 0, `plate: no ${axis}`);
      this.demand(new Set(names).size === names.length, `plate: ${axis} not unique`);
      this.demand(
        names.every((name) => /^[A-Za-z0-9]+$/.test(name)),
        `plate: ${axis} not alphanumeric`,
      );
    }
    this.demand(Number.isInteger(plate.field_count) && plate.field_count > 0, 'plate: field_count');
    const ids: number[] = plate.acquisitions.map((entry: Json) => entry.id);
    this.demand(new Set(ids).size === ids.length, 'plate: acquisition ids not unique');
    for (const { id, maximumfieldcount } of plate.acquisitions) {
      this.demand(Number.isInteger(id) && id >= 0, `plate: acquisition id ${id}`);
      if (maximumfieldcount !== undefined) this.demand(maximumfieldcount > 0, 'plate: maximumfieldcount');
    }
    this.demand(plate.wells.length > 0, 'plate: no wells');
    const paths: string[] = plate.wells.map((well: Json) => well.path);
    this.demand(new Set(paths).size === paths.length, 'plate: wells not unique');
    const order = plate.wells.map((well: Json) => well.rowIndex * 1000 + well.columnIndex);
    this.demand(
      order.every((key: number, index: number) => index === 0 || key > order[index - 1]),
      'plate: wells not sorted',
    );
    for (const { path, rowIndex, columnIndex } of plate.wells) {
      const expected = `${plate.rows[rowIndex]?.name}/${plate.columns[columnIndex]?.name}`;
      this.demand(path === expected, `plate: well ${path} is at ${expected}`);
      this.group(path.split('/')[0]);
      this.group(path);
      this.well(path, ids);
    }
  }

  private well(path: string, acquisitions: readonly number[]): void {
    const well = this.attributes(path)?.well;
    if (!well) {
      this.problems.push(`${path}: no well metadata`);
      return;
    }
    this.rules(path, 'well');
    this.demand(well.images.length > 0, `${path}: no images`);
    for (const image of well.images) {
      this.demand(/^[A-Za-z0-9]+$/.test(image.path), `${path}: image path ${image.path}`);
      this.demand(acquisitions.includes(image.acquisition), `${path}: acquisition ${image.acquisition}`);
      this.image(join(path, image.path));
    }
  }

  /** Labels that are listed below an image: whole numbers on the image's grid with as many levels. */
  private labels(imagePath: string): void {
    const path = join(imagePath, 'labels');
    const labels: string[] | undefined = this.attributes(path)?.labels;
    if (labels === undefined) return;
    this.group(path);
    this.rules(path, 'labels');
    for (const name of labels) {
      const label = join(path, name);
      this.image(label, 'label');
      const of = (image: string): number => this.attributes(image)?.multiscales[0].datasets.length;
      this.demand(of(label) === of(imagePath), `${label}: not as many levels as its image`);
      const document = this.version === '0.4' ? '0/.zarray' : '0/zarr.json';
      const [array, own] = [imagePath, label].map((image) =>
        readArrayMetadata(join(this.store, image, document)),
      );
      this.demand(!own?.element.dtype.startsWith('float'), `${label}: not whole numbers`);
      this.demand(own?.shape.slice(3).join() === array?.shape.slice(3).join(), `${label}: another grid`);
    }
  }

  private image(path: string, kind: NgffKind = 'image'): void {
    if (kind === 'image') this.labels(path);
    this.group(path);
    const attributes = this.attributes(path);
    const [multiscale] = attributes?.multiscales ?? [];
    if (!multiscale) {
      this.problems.push(`${path}: no multiscales`);
      return;
    }
    this.rules(path, kind);
    const types: string[] = multiscale.axes.map((axis: Json) => axis.type);
    this.demand(types.join() === 'time,channel,space,space,space', `${path}: axes ${types}`);
    for (const { path: dataset, coordinateTransformations } of multiscale.datasets) {
      const [{ type, scale }] = coordinateTransformations;
      this.demand(type === 'scale' && scale.length === 5, `${path}: coordinate transformation`);
      this.demand(
        scale.every((value: number) => value > 0),
        `${path}: scale ${scale}`,
      );
      this.array(join(path, dataset));
    }
    for (const channel of attributes.omero?.channels ?? []) {
      this.demand(/^[0-9A-F]{6}$/.test(channel.color), `${path}: channel colour`);
      for (const key of ['min', 'max', 'start', 'end'])
        this.demand(typeof channel.window[key] === 'number', `${path}: channel window`);
    }
  }

  private array(path: string): void {
    const folder = join(this.store, path);
    const document = join(folder, this.version === '0.4' ? '.zarray' : 'zarr.json');
    if (!existsSync(document)) {
      this.problems.push(`${path}: no array`);
      return;
    }
    const { shape, chunkShape, element, chain, fill } = readArrayMetadata(document);
    this.demand(shape.length === 5 && shape.every((extent) => extent > 0), `${path}: shape ${shape}`);
    const itemBytes = itemSizeBytes(element.dtype);
    const planes = /^(?:c\/)?\d+\/\d+\/\d+\/0\/0$/;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.') || entry.name === 'zarr.json') continue;
      const file = join(entry.parentPath, entry.name);
      const key = file.slice(folder.length + 1);
      if (!planes.test(key)) {
        this.problems.push(`${path}: stray file ${key}`);
        continue;
      }
      using bytes = ChunkFile.open([file]);
      const output = new Uint8Array(elementCount(chunkShape) * itemBytes);
      const target = { bytes: output, offset: 0, strides: contiguousStrides(chunkShape) };
      const start = chunkShape.map(() => 0);
      readChunkBox(bytes!, chain, chunkShape, { itemBytes, fill }, { start, shape: chunkShape, target });
    }
  }
}
