import { BadZarrError } from '../core/errors.ts';
import type { Dtype } from '../core/nd-array.ts';
import type { ArrayShape } from '../model/ngff.ts';
import { isObject, type JsonObject, readJson } from './atomic-json.ts';
import { type ChunkCodec, codecOfMetadata } from './chunk-codec.ts';
import { arrayMetadata, dtypeOfZarr, imageAttributes } from './ngff.ts';
import type { TiffFacts } from './tiff-facts.ts';

/** An image of the store: what its metadata says, and what is known of its planes. */
export interface ResultImage {
  /** Path of the image group below the store: `A/01/0`. */
  readonly path: string;
  readonly dtype: Dtype;
  readonly codec: ChunkCodec;
  readonly shape: ArrayShape;
  /** Of a field: acquisition and site. */
  readonly group?: string;
  readonly site?: number;
  /** Names of channels by index on the c axis. */
  readonly channelNames: Readonly<Record<string, string>>;
  readonly facts: TiffFacts;
}

/** Layout of the `platefs` attribute. */
const ATTRIBUTE_VERSION = 1;

export function arrayJson(image: ResultImage): object {
  return arrayMetadata(image.shape, image.dtype, image.codec);
}

export function imageJson(image: ResultImage, name: string): object {
  const { group, site, channelNames, facts, dtype, shape } = image;
  const { channelName: _, ...known } = facts;
  return imageAttributes(
    { name, dtype, ...known, channelNames, channelCount: shape[1] },
    {
      version: ATTRIBUTE_VERSION,
      ...(group === undefined ? {} : { group }),
      ...(site === undefined ? {} : { site }),
      channelNumbers: Array.from({ length: shape[1] }, (_entry, index) => index + 1),
      channelNames,
      facts: known,
    },
  );
}

/** Reads an image that PlateFS wrote; undefined when the folder is none. @throws BadZarrError when it is damaged. */
export function readResultImage(storePath: string, path: string): ResultImage | undefined {
  const attributes = readJson(`${storePath}/${path}/.zattrs`);
  const array = readJson(`${storePath}/${path}/0/.zarray`);
  const platefs = attributes?.['platefs'];
  if (!array || !isObject(platefs)) return undefined;
  const file = `${storePath}/${path}/0/.zarray`;
  const shape = array['shape'];
  const dtype = dtypeOfZarr(array['dtype']);
  const codec = codecOfMetadata(array['compressor']);
  if (!isShape(shape) || !dtype || !codec) throw new BadZarrError(file, 'not as PlateFS wrote it');
  const group = platefs['group'];
  const site = platefs['site'];
  return {
    path,
    dtype,
    codec,
    shape,
    ...(typeof group === 'string' ? { group } : {}),
    ...(typeof site === 'number' ? { site } : {}),
    channelNames: textFields(platefs['channelNames']),
    facts: (isObject(platefs['facts']) ? platefs['facts'] : {}) as TiffFacts,
  };
}

function isShape(value: unknown): value is ArrayShape {
  return Array.isArray(value) && value.length === 5 && value.every(Number.isSafeInteger);
}

function textFields(value: unknown): Record<string, string> {
  const fields: JsonObject = isObject(value) ? value : {};
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
