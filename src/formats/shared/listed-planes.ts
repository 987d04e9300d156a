import { planeStem } from '../../model/plane-name.ts';
import { MAX_WELL_COLUMNS, MAX_WELL_ROWS } from '../../model/well.ts';
import { PlanePositions } from './plane-positions.ts';
import type { PlateSurvey } from './plate-survey.ts';
import { recordedPath } from './recorded-path.ts';
import { WarningTally } from './warning-tally.ts';

/** Largest number that a name takes, and the largest channel. */
const MAX_NUMBER = 999_999_999;
const MAX_CHANNEL = 0xffff;

/** Where a plane lies: row and column from 0, the rest as in names. */
export interface PlaceOfPlane {
  readonly row: number;
  readonly column: number;
  readonly site: number;
  readonly channel: number;
  readonly z: number;
  readonly t: number;
}

/** An image as a metadata file lists it. */
export interface ListedPlane extends PlaceOfPlane {
  /** As it is written in the metadata, relative to the plate. */
  readonly path: string;
  readonly fieldId?: number;
  readonly xUm?: number;
  readonly yUm?: number;
  readonly zUm?: number;
  readonly acquiredAtMs?: number;
  readonly elapsedS?: number;
}

/** What a file's name says; what it doesn't say is absent. */
export type NameReading = { readonly [axis in keyof PlaceOfPlane]?: number };

export interface ListOptions {
  /** The listing file's name, for messages. */
  readonly list: string;
  /** What a path's name says of its image, undefined when it follows no grammar. */
  readonly readName: (path: string) => NameReading | undefined;
  /** Whether a listed file may lie in another folder than listed, as long as only one bears its name. */
  readonly anyFolder?: boolean;
}

const AXES = ['site', 'channel', 'z', 't'] as const;
const AXIS_NAMES = { site: 'field', channel: 'channel', z: 'z', t: 'time point' } as const;

/** A place as one exact number where it is small, else as text. */
function placeKey({ row, column, site, channel, z, t }: PlaceOfPlane): number | string {
  if (site > 0x3fff || channel > 0xff || z > 0x3ff || t > 0x3ff)
    return `${row}/${column}/${site}/${channel}/${z}/${t}`;
  return ((((row * 64 + column) * 0x4000 + site) * 0x100 + channel) * 0x400 + z) * 0x400 + t;
}

/** Whether every number of a place can stand in a plane's name. */
export function isPlace(place: NameReading): place is PlaceOfPlane {
  const within = (value: number | undefined, from: number, to: number): boolean =>
    value !== undefined && Number.isInteger(value) && value >= from && value <= to;
  return (
    within(place.row, 0, MAX_WELL_ROWS - 1) &&
    within(place.column, 0, MAX_WELL_COLUMNS - 1) &&
    within(place.site, 1, MAX_NUMBER) &&
    within(place.channel, 1, MAX_CHANNEL) &&
    within(place.z, 0, MAX_NUMBER) &&
    within(place.t, 1, MAX_NUMBER)
  );
}

const stemOf = ({ row, column, site, channel, z, t }: PlaceOfPlane): string =>
  planeStem({ well: { row, column }, site, channel, z, t });

const extensionOf = (path: string): string => path.slice(path.lastIndexOf('.'));

function differences(place: PlaceOfPlane, name: NameReading): string[] {
  const told: string[] = [];
  const wellDiffers =
    (name.row !== undefined && name.row !== place.row) ||
    (name.column !== undefined && name.column !== place.column);
  if (wellDiffers) told.push('well');
  // The z that stands in the name of a projection is a filler.
  for (const axis of AXES)
    if (!(axis === 'z' && place.z === 0) && name[axis] !== undefined && name[axis] !== place[axis])
      told.push(AXIS_NAMES[axis]);
  return told;
}

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
  add(plane: Omit<ListedPlane, keyof PlaceOfPlane> & NameReading): void {
    const path = recordedPath(plane.path);
    if (path === undefined) {
      this.#unsafe.add(this.#options.list, JSON.stringify(plane.path));
      return;
    }
    if (!isPlace(plane)) {
      this.#placeless.add(path);
      return;
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
    const { row, column, site, channel, z, t, path: _path, ...detail } = plane;
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
