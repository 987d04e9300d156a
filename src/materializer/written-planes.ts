import type { FileOrigin, HookOrigin } from '../model/file-origin.ts';
import type { PlaneIndex } from './array-format.ts';
import { isObject } from './atomic-json.ts';
import type { SealedFile } from './sealed-file.ts';
import type { TiffFacts } from './tiff-facts.ts';

/** What is said, in the `platefs` attribute of its group, of a file that pixels or a table were written from. */
export interface WrittenFile {
  /** Path in the mount. */
  readonly file: string;
  readonly sizeBytes: number;
  /** ISO 8601; when its bytes were last changed. */
  readonly modified: string;
  /** The rule that wrote it; absent for a program's file. */
  readonly hook?: HookOrigin;
}

/** By the plane's index, `t.c.z`, or {@link WHOLE_IMAGE}. */
export type WrittenPlanes = Readonly<Record<string, WrittenFile>>;

/** Of an image that one file is all of. */
export const WHOLE_IMAGE = 'all';
/** The document is written anew with each batch: of an image of more planes the later ones are not described. */
const MAX_PLANES = 1000;

export const planeKey = ([t, c, z]: PlaneIndex): string => `${t}.${c}.${z}`;

export function writtenFile({ mountPath, sizeBytes, mtimeMs, origin }: SealedFile): WrittenFile {
  const modified = new Date(mtimeMs).toISOString();
  return {
    file: mountPath,
    sizeBytes,
    modified,
    ...(origin?.hook === undefined ? {} : { hook: origin.hook }),
  };
}

/** With what is said of one more plane, or of one that was written again; a layout for OpenHCS needs all names. */
export function withPlane(
  { written: planes, layout }: { readonly written: WrittenPlanes; readonly layout?: 'openhcs' },
  key: string,
  file: WrittenFile,
): WrittenPlanes {
  const isFull = layout === undefined && Object.keys(planes).length >= MAX_PLANES;
  return key in planes || !isFull ? { ...planes, [key]: file } : planes;
}

export const withoutPlanes = (planes: WrittenPlanes, keys: ReadonlySet<string>): WrittenPlanes =>
  Object.fromEntries(Object.entries(planes).filter(([key]) => !keys.has(key)));

export function readWritten(value: unknown): WrittenPlanes {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([, file]) => isObject(file))) as WrittenPlanes;
}

/**
 * What a file's tags say of its pixels, and where they are silent what the plate says of the plane it is named after: the
 * same pixels, as long as there are as many.
 */
export function factsOf(
  tags: TiffFacts,
  origin: FileOrigin | undefined,
  [height, width]: readonly [height: number, width: number],
): TiffFacts {
  const plate = origin?.plate;
  if (!plate) return tags;
  const { pixelSizeUm, zSpacingUm, timeIntervalS, grid, channelName, channelColor } = plate;
  const isSameGrid = plate.width === width && plate.height === height;
  return {
    ...(pixelSizeUm === undefined || !isSameGrid ? {} : { pixelSizeUm }),
    ...(zSpacingUm === undefined ? {} : { zSpacingUm }),
    ...(timeIntervalS === undefined ? {} : { timeIntervalS }),
    ...(grid === undefined ? {} : { grid }),
    ...(channelName === undefined ? {} : { channelName }),
    ...(channelColor === undefined ? {} : { channelColor }),
    ...tags,
  };
}
