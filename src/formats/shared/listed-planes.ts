import { recordedPath } from '../../core/recorded-path.ts';
import { wellName } from '../../model/well.ts';
import {
  differences,
  isPlace,
  type NameReading,
  type PlaceOfPlane,
  placeKey,
  stemOf,
} from './plane-place.ts';
import { PlanePositions } from './plane-positions.ts';
import type { PlateSurvey } from './plate-survey.ts';
import { WarningTally } from './warning-tally.ts';

/** An image as a metadata file lists it; an entry may lack parts of its place, or hold nonsense there. */
export interface ListedPlane extends NameReading {
  /** As it is written in the metadata, relative to the plate. */
  readonly path: string;
  /** Row and column, from 0, that the entry gives in numbers, where the well's label says another well. */
  readonly otherWell?: { readonly row: number; readonly column: number };
  readonly fieldId?: number;
  readonly xUm?: number;
  readonly yUm?: number;
  readonly zUm?: number;
  readonly acquiredAtMs?: number;
  readonly elapsedS?: number;
}

export interface ListOptions {
  /** The listing file's name, for messages. */
  readonly list: string;
  /** What a path's name says of its image, undefined when it follows no grammar. */
  readonly readName: (path: string) => NameReading | undefined;
  /** Whether a listed file may lie in another folder than listed, as long as only one bears its name. */
  readonly anyFolder?: boolean;
}

const extensionOf = (path: string): string => path.slice(path.lastIndexOf('.'));

/**
 * Brings together what a metadata file lists, what lies on disk and what names say. The list decides what an image
 * is; an image that it doesn't name is shown by its own name, where that takes no listed image's place.
 */
export class ListedPlanes {
  /** Where the planes lie, by what the list says of them. */
  readonly positions = new PlanePositions();
  /** Images that were listed and found. */
  found = 0;
  readonly #survey: PlateSurvey;
  readonly #options: ListOptions;
  readonly #claimed: Uint8Array;
  readonly #channels = new Set<number>();
  readonly #places = new Set<number | string>();
  #byBaseName: Map<string, number> | undefined;
  readonly #absent = new WarningTally();
  readonly #unsafe = new WarningTally();
  readonly #repeated = new WarningTally();
  readonly #placeless = new WarningTally();
  readonly #labels = new WarningTally();
  readonly #contradictions = new Map<string, WarningTally>();

  constructor(survey: PlateSurvey, options: ListOptions) {
    this.#survey = survey;
    this.#options = options;
    this.#claimed = new Uint8Array(survey.builder.fileCount);
  }

  /** Channels of the planes, from the lowest. */
  get channels(): number[] {
    return [...this.#channels].sort((a, b) => a - b);
  }

  /** Takes an entry of the list. Whatever it holds, it never throws: what can't be used is told by `finish`. */
  add(plane: ListedPlane): void {
    const path = recordedPath(plane.path);
    if (path === undefined) {
      this.#unsafe.add(this.#options.list, JSON.stringify(plane.path));
      return;
    }
    if (!isPlace(plane)) {
      this.#placeless.add(path);
      return;
    }
    if (plane.otherWell) {
      const { row, column } = plane.otherWell;
      this.#labels.add(path, `${path}: ${wellName(plane)}, row ${row + 1} column ${column + 1}`);
    }
    this.positions.note(plane);
    const found = this.#find(path);
    if (!found) {
      this.#absent.add(path, `${stemOf(plane)}: ${path}`);
      return;
    }
    if (this.#claimed[found.file] === 1) {
      this.#repeated.add(found.path);
      return;
    }
    this.#claimed[found.file] = 1;
    this.#compare(found.path, plane);
    this.#places.add(placeKey(plane));
    this.#channels.add(plane.channel);
    this.found += 1;
    const { row, column, site, channel, z, t, path: _path, otherWell: _well, ...detail } = plane;
    this.#survey.builder.addPlane(
      found.file,
      row,
      column,
      site,
      channel,
      z,
      t,
      extensionOf(found.path),
      detail,
    );
  }

  /** Shows the images that the list doesn't name by their own names, and tells everything that went wrong. */
  finish(): void {
    const unlisted = new WarningTally();
    const rivals = new WarningTally();
    const unread = new WarningTally();
    for (const [path, file] of this.#survey.images) {
      if (this.#claimed[file] === 1) continue;
      const read = this.#options.readName(path);
      // A name without z or time point is that of an image that has but one.
      const name = read && { z: 1, t: 1, ...read };
      if (!name || !isPlace(name)) {
        unread.add(path);
        continue;
      }
      if (this.#places.has(placeKey(name))) {
        rivals.add(path, `${path}, which would be ${stemOf(name)}`);
        continue;
      }
      const { row, column, site, channel, z, t } = name;
      this.#survey.builder.addPlane(file, row, column, site, channel, z, t, extensionOf(path));
      this.#channels.add(channel);
      unlisted.add(path);
    }
    this.#warn(unlisted, rivals, unread);
  }

  #warn(unlisted: WarningTally, rivals: WarningTally, unread: WarningTally): void {
    const { list } = this.#options;
    const { builder } = this.#survey;
    for (const [axes, tally] of this.#contradictions)
      for (const warning of tally.tell(
        'contradiction',
        `image has another ${axes} in its name than in ${list}`,
        `images have another ${axes} in their names than in ${list}`,
        `${list} decides, the name is not used`,
      ))
        builder.addWarning(warning);
    const tell = (tally: WarningTally, kind: string, one: string, many: string, rule: string): void => {
      for (const warning of tally.tell(kind, one, many, rule)) builder.addWarning(warning);
    };
    tell(
      this.#labels,
      'contradiction',
      "image's well label and row and column numbers disagree",
      "images' well labels and row and column numbers disagree",
      'the label decides',
    );
    tell(
      this.#absent,
      'absent-image',
      `image that ${list} lists is not on disk`,
      `images that ${list} lists are not on disk`,
      'they are not shown; copy the missing files into the plate',
    );
    tell(
      this.#unsafe,
      'unsafe-path',
      `entry of ${list} names a file outside the plate`,
      `entries of ${list} name files outside the plate`,
      'such an entry is passed over',
    );
    tell(
      this.#placeless,
      'bad-metadata',
      `entry of ${list} lacks a usable well, field, channel, z or time point`,
      `entries of ${list} lack a usable well, field, channel, z or time point`,
      "the image's own name is used where it says them all",
    );
    tell(
      this.#repeated,
      'contradiction',
      `entry of ${list} names an image that an entry before it has named`,
      `entries of ${list} name images that entries before them have named`,
      'the first entry decides',
    );
    const others = 'its own name decides what an image is that the list leaves out';
    if (this.found > 0)
      tell(
        unlisted,
        'unlisted-image',
        `image is not listed in ${list}`,
        `images are not listed in ${list}`,
        others,
      );
    tell(
      rivals,
      'name-collision',
      `image that ${list} leaves out is named like one that it lists`,
      `images that ${list} leaves out are named like ones that it lists`,
      'the listed image is shown, the others stay reachable under source/',
    );
    tell(
      unread,
      'unrecognised-name',
      `image is neither listed in ${list} nor named in a way that says what it is`,
      `images are neither listed in ${list} nor named in a way that says what they are`,
      'they are reachable under source/ only',
    );
  }

  #find(path: string): { path: string; file: number } | undefined {
    const { images, builder } = this.#survey;
    const file = images.get(path);
    if (file !== undefined) return { path, file };
    if (this.#options.anyFolder !== true) return undefined;
    if (!this.#byBaseName) {
      this.#byBaseName = new Map();
      for (const [other, number] of images) {
        const base = other.slice(other.lastIndexOf('/') + 1);
        this.#byBaseName.set(base, this.#byBaseName.has(base) ? -1 : number);
      }
    }
    const only = this.#byBaseName.get(path.slice(path.lastIndexOf('/') + 1)) ?? -1;
    return only < 0 ? undefined : { path: builder.path(only), file: only };
  }

  #compare(path: string, plane: PlaceOfPlane): void {
    const name = this.#options.readName(path);
    const axes = name ? differences(plane, name) : [];
    if (axes.length === 0) return;
    const key = axes.join(', ');
    const tally = this.#contradictions.get(key) ?? new WarningTally();
    this.#contradictions.set(key, tally);
    tally.add(path, `${path}, shown as ${stemOf(plane)}`);
  }
}
