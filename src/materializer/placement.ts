import { parsePlaneName } from '../model/plane-name.ts';
import type { WellPosition } from '../model/well.ts';
import { rowLetters } from '../model/well.ts';
import { TABLES_GROUP } from './store-tables.ts';

/** A plane's place on the plate. */
export interface PlatePlacement {
  /** Name of the acquisition: folder, suffix, projection. */
  readonly group: string;
  /** Of the file, `.` at the root of the mount. */
  readonly folder: string;
  /** What follows the plane's name, without the extension. */
  readonly suffix: string;
  readonly isProjection: boolean;
  readonly well: WellPosition;
  readonly site: number;
  /** Index on t, c, z of the field's array. */
  readonly index: readonly [t: number, c: number, z: number];
  readonly channel: number;
}

/** An array is as long as its largest index: beyond these a number in a name is no count any more. */
const MAX_CHANNEL = 1000;
const MAX_FRAMES = 1_000_000;

const EXTENSION = /\.tiff?$/i;

/** Pure: whether a name may be an image at all. */
export function isTiffName(mountPath: string): boolean {
  return EXTENSION.test(mountPath);
}

/** Pure: the place that a file's name gives it on the plate, undefined when the name is no plane's. */
export function platePlacement(mountPath: string): PlatePlacement | undefined {
  const slash = mountPath.lastIndexOf('/');
  const parsed = parsePlaneName(mountPath.slice(slash + 1));
  if (!parsed) return undefined;
  const { well, site, channel, z, t } = parsed.address;
  if (site < 1 || channel < 1 || t < 1) return undefined;
  if (channel > MAX_CHANNEL || z > MAX_FRAMES || t > MAX_FRAMES) return undefined;
  const suffix = parsed.rest.replace(EXTENSION, '');
  const folder = slash < 0 ? '.' : mountPath.slice(0, slash);
  const isProjection = z === 0;
  const group = [folder, suffix, isProjection ? 'projection' : ''].filter((part) => part !== '').join(' ');
  return {
    group,
    folder,
    suffix,
    isProjection,
    well,
    site,
    channel,
    index: [t - 1, channel - 1, Math.max(z, 1) - 1],
  };
}

/** Pure: rows as they are named in the store; a folder of the mount may not take such a name. */
const isRowName = (text: string): boolean => /^[A-Z]{1,2}$/.test(text);

const safe = (part: string): string =>
  part
    .normalize('NFC')
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .replace(/^\.+/, '_') || '_';

/**
 * Pure: the path below the store of an image that is no plane, from its path in the mount. Folders never look like
 * an image or a row, so no image lies inside another; `attempt` above 1 tells equal names apart.
 */
export function imagePath(mountPath: string, attempt: number): string {
  const parts = mountPath.split('/').map(safe);
  const name = parts.pop() ?? '_';
  const folders = parts.map((part, index) =>
    EXTENSION.test(part) || (index === 0 && (isRowName(part) || part === TABLES_GROUP)) ? `${part}_` : part,
  );
  const unique = attempt === 1 ? name : name.replace(EXTENSION, (extension) => `.${attempt}${extension}`);
  return [...folders, unique].join('/');
}

/** Pure: what a file's table is called, from its path in the mount: `results_counts` of `results/counts.csv`. */
export const tableName = (mountPath: string): string =>
  mountPath
    .replace(/\.[^./]*$/, '')
    .split('/')
    .map(safe)
    .join('_');

/** Pure: `A/01`. */
export function wellPath(well: WellPosition): string {
  return `${rowLetters(well.row)}/${columnName(well.column)}`;
}

export function columnName(column: number): string {
  return String(column + 1).padStart(2, '0');
}
