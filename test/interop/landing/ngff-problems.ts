import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codecOfMetadata, decodeChunk } from '../../../src/materializer/chunk-codec.ts';

/**
 * What breaks OME-NGFF 0.4 in a store at rest, by the rules of the specification and of its JSON schemas
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

  constructor(store: string) {
    this.store = store;
  }

  run(): void {
    const attributes = this.json('.zattrs');
    if (attributes === undefined) return;
    this.group('');
    if (attributes.plate !== undefined) this.plate(attributes.plate);
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
    this.demand(this.json(join(path, '.zgroup'))?.zarr_format === 2, `${path}: no zarr v2 group`);
  }

  /** Folders outside the plate that say they are images; a group on the way to each is needed. */
  private plainImages(folder: string): string[] {
    const found: string[] = [];
    for (const entry of readdirSync(join(this.store, folder), { withFileTypes: true })) {
      if (!entry.isDirectory() || (folder === '' && /^[A-Z]{1,2}$/.test(entry.name))) continue;
      const path = join(folder, entry.name);
      if (existsSync(join(this.store, path, '.zattrs'))) found.push(path);
      else if (!/\.tiff?$/i.test(entry.name)) found.push(...this.plainImages(path));
    }
    return found;
  }

  private plate(plate: Json): void {
    this.demand(plate.version === '0.4', 'plate: version');
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
    const well = this.json(join(path, '.zattrs'))?.well;
    if (!well) {
      this.problems.push(`${path}: no well metadata`);
      return;
    }
    this.demand(well.version === '0.4', `${path}: version`);
    this.demand(well.images.length > 0, `${path}: no images`);
    for (const image of well.images) {
      this.demand(/^[A-Za-z0-9]+$/.test(image.path), `${path}: image path ${image.path}`);
      this.demand(acquisitions.includes(image.acquisition), `${path}: acquisition ${image.acquisition}`);
      this.image(join(path, image.path));
    }
  }

  private image(path: string): void {
    this.group(path);
    const attributes = this.json(join(path, '.zattrs'));
    const [multiscale] = attributes?.multiscales ?? [];
    if (!multiscale) {
      this.problems.push(`${path}: no multiscales`);
      return;
    }
    this.demand(multiscale.version === '0.4', `${path}: version`);
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
    const array = this.json(join(path, '.zarray'));
    if (!array) {
      this.problems.push(`${path}: no array`);
      return;
    }
    const codec = codecOfMetadata(array.compressor);
    this.demand(codec, `${path}: compressor`);
    this.demand(array.zarr_format === 2 && array.order === 'C' && array.filters === null, `${path}: format`);
    this.demand(array.dimension_separator === '/', `${path}: separator`);
    this.demand(array.shape.length === 5 && array.shape.every((n: number) => n > 0), `${path}: shape`);
    const itemBytes = Number(array.dtype.slice(2));
    const chunkBytes = array.chunks.reduce((size: number, n: number) => size * n, itemBytes);
    for (const entry of readdirSync(join(this.store, path), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.')) continue;
      const file = join(entry.parentPath, entry.name);
      const key = file.slice(join(this.store, path).length + 1);
      if (!/^\d+\/\d+\/\d+\/0\/0$/.test(key)) this.problems.push(`${path}: stray file ${key}`);
      else decodeChunk(codec ?? 'none', readFileSync(file), Buffer.alloc(chunkBytes), file);
    }
  }
}
