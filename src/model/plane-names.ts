import { fieldNumberOf, siteOfField } from './field-numbers.ts';
import {
  CHANNEL,
  COLUMN,
  compileNameTemplate,
  FIELD,
  type NameTemplate,
  ROW,
  SITE,
  T,
  UNTOLD,
  untoldValues,
  Z,
} from './name-template.ts';
import { FOLDER_NUMBERS, fillValues, folderNumber, folderPathOf } from './plane-folders.ts';
import { isCanonical, type PlaneNaming } from './plane-naming.ts';
import type { PlateIndex } from './plate-index.ts';
import { planeByAddress, planeByName, planeName } from './plate-lookup.ts';

/** A folder: its level, and its place among those of the level. */
interface FolderPlace {
  readonly level: number;
  readonly at: number;
}

/**
 * Finds planes by their names and names by planes, as a {@link PlaneNaming} has them. A folder is told by its
 * number. Keeps no name: it costs a thread nothing per plane.
 */
export class PlaneNames {
  readonly #index: PlateIndex;
  readonly #naming: PlaneNaming;
  readonly #template: NameTemplate;
  readonly #values = untoldValues();
  /** Then names are found without a template, in two thirds of the time. */
  readonly #isCanonical: boolean;
  /** What names end in, where that is not what the template says. */
  readonly #ending: string | undefined;
  /** What the template ends in in its place. */
  readonly #literalExtension: string;

  /** `ending` stands in place of the extension of every name: `.png`. */
  constructor(index: PlateIndex, naming: PlaneNaming, ending?: string) {
    this.#index = index;
    this.#naming = naming;
    this.#ending = ending;
    this.#isCanonical = isCanonical(naming.template);
    this.#template = compileNameTemplate({ parameter: 'names', template: naming.template });
    const { hasExtension, fileSegment } = this.#template;
    this.#literalExtension = hasExtension ? '' : (/\.[a-z0-9]+$/i.exec(fileSegment.ending)?.[0] ?? '');
  }

  /** How many folders lie above each plane. */
  get depth(): number {
    return this.#template.segments.length - 1;
  }

  #extensionOf(plane: number): string {
    const { planes, extensions } = this.#index;
    return this.#template.hasExtension ? (extensions[planes.extensions[plane] ?? 0] ?? '') : '';
  }

  /** What a template made of a plane, with what it ends in. */
  #ended(text: string, plane: number): string {
    return this.#ending === undefined
      ? text + this.#extensionOf(plane)
      : text.slice(0, text.length - this.#literalExtension.length) + this.#ending;
  }

  /** A name with what its template ends in; undefined where it ends otherwise than all do. */
  #asTemplated(name: string): string | undefined {
    if (this.#ending === undefined) return name;
    return name.endsWith(this.#ending)
      ? name.slice(0, name.length - this.#ending.length) + this.#literalExtension
      : undefined;
  }

  /** Name of a plane in its folder. */
  nameOf(plane: number): string {
    if (this.#isCanonical) return planeName(this.#index, plane, this.#ending);
    fillValues(this.#index, plane, this.#values);
    return this.#ended(this.#template.fileSegment.format(this.#values), plane);
  }

  /** Path of a plane from the uppermost folder on. */
  pathOf(plane: number): string {
    const path = folderPathOf(this.#template, fillValues(this.#index, plane, this.#values), this.depth);
    return this.#ended(path, plane);
  }

  /** The plane of this name in a folder, or at the top where names have no folders; undefined when there is none. */
  planeNamed(folder: number | undefined, name: string): number | undefined {
    const values = this.#values;
    if (this.#isCanonical) return planeByName(this.#index, name, this.#ending);
    const text = this.#asTemplated(name);
    if (text === undefined) return undefined;
    if (folder === undefined) {
      if (this.depth > 0) return undefined;
      values.fill(UNTOLD);
    } else if (!this.#fillFolder(folder, this.depth - 1)) return undefined;
    const { constants, fields } = this.#naming;
    const end = this.#template.fileSegment.parse(text, values);
    if (end < 0) return undefined;
    for (let slot = 0; slot < values.length; slot += 1)
      if (values[slot] === UNTOLD) values[slot] = constants[slot] ?? UNTOLD;
    const row = values[ROW] ?? 0;
    const column = values[COLUMN] ?? 0;
    const field = values[FIELD] ?? UNTOLD;
    let site = values[SITE];
    if (site === UNTOLD && field !== UNTOLD) site = fields ? siteOfField(fields, row, column, field) : field;
    if (site === undefined) return undefined;
    const plane = planeByAddress(
      this.#index,
      row,
      column,
      site,
      values[CHANNEL] ?? 0,
      values[Z] ?? 0,
      values[T] ?? 0,
    );
    if (plane === undefined || (field !== UNTOLD && fieldNumberOf(this.#index, plane) !== field))
      return undefined;
    const extension = this.#ending === undefined ? this.#extensionOf(plane) : '';
    return text.length === end + extension.length && text.endsWith(extension) ? plane : undefined;
  }

  /** Fills in what the folder of this number tells; false when there is none, or it is of another level. */
  #fillFolder(number: number, level: number): boolean {
    const place = this.#placeOf(number);
    if (place?.level !== level) return false;
    this.#fillFolderValues(place);
    return true;
  }

  #fillFolderValues(place: FolderPlace): void {
    const whole = fillValues(this.#index, this.#firstPlane(place), new Float64Array(this.#values.length));
    this.#values.fill(UNTOLD);
    for (const segment of this.#template.segments.slice(0, place.level + 1))
      for (const slot of segment.slots) this.#values[slot] = whole[slot] ?? UNTOLD;
  }

  #firstPlane({ level, at }: FolderPlace): number {
    const { folders } = this.#naming;
    return folders?.order[folders.starts[level]?.[at] ?? 0] ?? 0;
  }

  /** The folder with this number, or undefined. */
  #placeOf(number: number): FolderPlace | undefined {
    const { folders } = this.#naming;
    if (!folders) return undefined;
    const { numbers } = folders;
    let low = 0;
    let high = numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((numbers[middle] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    if (numbers[low] !== number) return undefined;
    let at = folders.folders[low] ?? 0;
    for (const [level, starts] of folders.starts.entries()) {
      if (at < starts.length - 1) return { level, at };
      at -= starts.length - 1;
    }
    return undefined;
  }

  /** Whether there is a folder of this number. */
  hasFolder(number: number): boolean {
    return this.#placeOf(number) !== undefined;
  }

  /** Path of a folder from the uppermost on. @throws when there is none of this number. */
  folderPath(number: number): string {
    const place = this.#placeOf(number);
    if (!place) throw new Error(`there is no folder ${number}`);
    return this.#pathOfPlace(place);
  }

  #pathOfPlace(place: FolderPlace): string {
    return folderPathOf(
      this.#template,
      fillValues(this.#index, this.#firstPlane(place), this.#values),
      place.level,
    );
  }

  /** The number of the folder at this path, or undefined. */
  #folderAt(path: string, level: number): number | undefined {
    const { numbers = new Float64Array(0) } = this.#naming.folders ?? {};
    // Of folders that share a number, all but one have one of the next.
    let number = folderNumber(path);
    for (let tries = 0; tries <= numbers.length; tries += 1) {
      const place = this.#placeOf(number);
      if (!place) return undefined;
      if (place.level === level && this.#pathOfPlace(place) === path) return number;
      number = (number + 1) % FOLDER_NUMBERS;
    }
    return undefined;
  }

  /** The folder of this name in a folder, or at the top; undefined when there is none. */
  folderNamed(folder: number | undefined, name: string): number | undefined {
    const above = folder === undefined ? undefined : this.#placeOf(folder);
    if (folder !== undefined && !above) return undefined;
    const level = above ? above.level + 1 : 0;
    if (level >= this.depth) return undefined;
    return this.#folderAt(above ? `${this.#pathOfPlace(above)}/${name}` : name, level);
  }

  /** The folders that a plane lies in, from the uppermost on. */
  foldersOf(plane: number): number[] {
    const found: number[] = [];
    for (let level = 0; level < this.depth; level += 1) {
      const path = folderPathOf(this.#template, fillValues(this.#index, plane, this.#values), level);
      const number = this.#folderAt(path, level);
      if (number === undefined) throw new Error(`there is no folder ${path}`);
      found.push(number);
    }
    return found;
  }

  /** The folder that a plane lies in; undefined where names have no folders. */
  folderOf(plane: number): number | undefined {
    return this.foldersOf(plane).at(-1);
  }

  /** The folder above a folder; undefined at the top. */
  folderAbove(folder: number): number | undefined {
    const place = this.#placeOf(folder);
    return place && place.level > 0 ? this.foldersOf(this.#firstPlane(place))[place.level - 1] : undefined;
  }

  /** The name of a folder in the one above it. */
  folderName(folder: number): string {
    const path = this.folderPath(folder);
    return path.slice(path.lastIndexOf('/') + 1);
  }

  /** The folders in a folder, or at the top, ascending. */
  foldersIn(folder: number | undefined): Float64Array {
    const { folders } = this.#naming;
    const place = folder === undefined ? undefined : this.#placeOf(folder);
    const level = place ? place.level + 1 : 0;
    const starts = folders?.starts[level];
    if (!folders || !starts || (folder !== undefined && !place)) return new Float64Array(0);
    const own = place && folders.starts[place.level];
    const first = place && own ? (own[place.at] ?? 0) : 0;
    const end = place && own ? (own[place.at + 1] ?? 0) : folders.order.length;
    const found: number[] = [];
    for (let at = firstAtOrBehind(starts, first); (starts[at] ?? end) < end; at += 1) {
      const number = this.#folderAt(this.#pathOfPlace({ level, at }), level);
      if (number !== undefined) found.push(number);
    }
    return Float64Array.from(found).sort();
  }

  /** The planes right in a folder; empty for a folder of folders. */
  planesIn(folder: number): Uint32Array {
    const { folders } = this.#naming;
    const place = this.#placeOf(folder);
    const starts = place && folders?.starts[place.level];
    if (!folders || !place || !starts || place.level < this.depth - 1) return new Uint32Array(0);
    return folders.order.subarray(starts[place.at], starts[place.at + 1]);
  }
}

function firstAtOrBehind(column: Uint32Array, value: number): number {
  let low = 0;
  let high = column.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((column[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
