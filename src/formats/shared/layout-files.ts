import { GrowingColumn, uint32 } from '../../model/growing-column.ts';
import type { ChannelFacts } from '../../model/plate.ts';
import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import type { SourceLayout, SourceValues } from '../../model/source-layout.ts';
import { type AxisNumbers, numberTexts } from './axis-labels.ts';
import { LeftAside } from './left-aside.ts';
import { isJunkName, leftOut } from './left-out.ts';
import { tiffExtension } from './metaxpress-name.ts';
import { joinPath } from './plate-path.ts';
import type { WalkedDirectory } from './plate-walk.ts';
import { WalkAside } from './walk-aside.ts';

const MAX_CHANNEL_WORDS = 1000;
/** A larger one is a wavelength: a name. */
const LARGEST_CHANNEL = 99;
/** A larger one is a date. */
const LARGEST_T = 999_999;
const SOURCE_ONLY = 'they are reachable under source/ only';

/** Texts in the order they came, each once. */
class Texts {
  readonly list: string[] = [];
  readonly #places = new Map<string, number>();

  place(text: string): number {
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.list.push(text) - 1;
      this.#places.set(text, place);
    }
    return place;
  }
}

/** What the files of a layout came to. */
export interface LayoutPlanes {
  readonly channels: readonly ChannelFacts[];
  /** How numbers were made where names don't say them as they are shown. */
  readonly notes: readonly string[];
}

/** What a folder's place tells of its images: undefined where the layout has no such folder. */
type FolderPlace = { readonly level: number; readonly values: SourceValues } | undefined;

/** Reads the names of a plate by a user's layout. Axes are numbered once all names are known. */
export class LayoutFiles {
  readonly #layout: SourceLayout;
  readonly #builder: PlateIndexBuilder;
  readonly #leftAside = new LeftAside();
  readonly #walkAside = new WalkAside();
  readonly #places: FolderPlace[] = [];
  readonly #files = new GrowingColumn(uint32);
  readonly #wells = new GrowingColumn(uint32);
  readonly #sites = new GrowingColumn(uint32);
  readonly #zs = new GrowingColumn(uint32);
  readonly #channelPlaces = new GrowingColumn(uint32);
  readonly #tPlaces = new GrowingColumn(uint32);
  readonly #extensionPlaces = new GrowingColumn(uint32);
  readonly #channels = new Texts();
  readonly #ts = new Texts();
  readonly #extensions = new Texts();

  constructor(layout: SourceLayout, builder: PlateIndexBuilder) {
    this.#layout = layout;
    this.#builder = builder;
  }

  /** Takes in a folder; those above it come first. */
  take(number: number, directory: WalkedDirectory): void {
    const { path, name, parent, files } = directory;
    const place =
      number === 0 ? { level: 0, values: {} } : this.#placeBelow(this.#places[parent], name, path);
    this.#places[number] = place;
    for (const file of files) this.#takeFile(number, path, file, place);
    this.#walkAside.add(directory);
  }

  #placeBelow(above: FolderPlace, name: string, path: string): FolderPlace {
    if (!above || isJunkName(name)) return undefined;
    const values = this.#layout.folder(above.level, name, above.values);
    if (values === 'ambiguous') this.#leaveAmbiguous(path);
    return typeof values === 'string' ? undefined : { level: above.level + 1, values };
  }

  #leaveAmbiguous(path: string): void {
    this.#leftAside.add(
      'ambiguous-name',
      path,
      `with a name that '${this.#layout.template}' reads in several ways`,
      'write more of what stands between the parts, or fewer *',
    );
  }

  #takeFile(directory: number, folder: string, name: string, place: FolderPlace): void {
    const reason = leftOut(name, folder);
    const file = this.#builder.addFile(directory, name, reason);
    const extension = tiffExtension(name);
    if (extension === '' || reason === 'junk') return;
    const path = joinPath(folder, name);
    if (place?.level !== this.#layout.depth) {
      this.#leftAside.add(
        'unrecognised-folder',
        path,
        `with the extension of an image in folders that '${this.#layout.template}' doesn't have`,
        SOURCE_ONLY,
      );
      return;
    }
    const values = this.#layout.image(name, place.values);
    if (values === 'ambiguous') this.#leaveAmbiguous(path);
    else if (values === 'other')
      this.#leftAside.add(
        'unrecognised-name',
        path,
        `with the extension of an image not named like '${this.#layout.template}'`,
        SOURCE_ONLY,
      );
    else this.#keep(file, values, extension);
  }

  #keep(
    file: number,
    { row = 0, column = 0, site = 1, z = 1, channel = '1', t = '1' }: SourceValues,
    extension: string,
  ): void {
    this.#files.push(file);
    this.#wells.push(row * 256 + column);
    this.#sites.push(site);
    this.#zs.push(z);
    this.#channelPlaces.push(this.#channels.place(channel));
    this.#tPlaces.push(this.#ts.place(t));
    this.#extensionPlaces.push(this.#extensions.place(extension));
  }

  /**
   * Adds the planes to the index. Call once, after the last folder.
   * @throws BadParameterError when the layout takes for a channel what is none.
   */
  finish(): LayoutPlanes {
    const channels = numberTexts(this.#channels.list, LARGEST_CHANNEL, MAX_CHANNEL_WORDS);
    const ts = numberTexts(this.#ts.list, LARGEST_T, Number.POSITIVE_INFINITY);
    const count = this.#files.length;
    const from = (column: GrowingColumn<Uint32Array>): 0 | 1 =>
      column.values.subarray(0, count).includes(0) ? 1 : 0;
    const siteShift = from(this.#sites);
    const zShift = from(this.#zs);
    for (let i = 0; i < count; i += 1) {
      const well = this.#wells.values[i] ?? 0;
      this.#builder.addPlane(
        this.#files.values[i] ?? 0,
        Math.floor(well / 256),
        well % 256,
        (this.#sites.values[i] ?? 0) + siteShift,
        channels.numbers[this.#channelPlaces.values[i] ?? 0] ?? 1,
        (this.#zs.values[i] ?? 0) + zShift,
        ts.numbers[this.#tPlaces.values[i] ?? 0] ?? 1,
        this.#extensions.list[this.#extensionPlaces.values[i] ?? 0] ?? '',
      );
    }
    for (const warning of [...this.#leftAside.warnings(), ...this.#walkAside.warnings()])
      this.#builder.addWarning(warning);
    return {
      channels: [...new Set(channels.numbers)]
        .sort((a, b) => a - b)
        .map((number) => {
          const name = channels.words?.get(number);
          return { number, ...(name === undefined ? {} : { name }) };
        }),
      notes: this.#notes({ site: siteShift === 1, z: zShift === 1, channel: channels, t: ts }),
    };
  }

  #notes(axes: { site: boolean; z: boolean; channel: AxisNumbers; t: AxisNumbers }): string[] {
    const { site, z, channel, t } = axes;
    const zeros = [
      site ? 'sites' : '',
      channel.countsFromZero ? 'channels' : '',
      z ? 'z' : '',
      t.countsFromZero ? 't' : '',
    ].filter((axis) => axis !== '');
    const hasRow = this.#layout.tells('row');
    const hasColumn = this.#layout.tells('column');
    const noWell =
      hasRow && hasColumn
        ? ''
        : hasRow || hasColumn
          ? `names say no ${hasRow ? 'column' : 'row'}: ${hasRow ? 'column 1' : 'row A'}`
          : 'names say no well: all is A01';
    return [
      noWell,
      zeros.length === 0 ? '' : `${zeros.join(', ')} count from 0 in the names, from 1 here`,
      t.words ? 'time points numbered in natural order of their texts' : '',
    ].filter((note) => note !== '');
  }
}
