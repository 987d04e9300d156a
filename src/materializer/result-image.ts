import { BadZarrError } from '../core/errors.ts';
import type { Dtype } from '../core/nd-array.ts';
import type { ArrayShape, NgffVersion } from '../model/ngff.ts';
import { type ArrayFormat, arrayDocument, arrayDocumentName, readArrayDocument } from './array-format.ts';
import { isObject, type JsonObject, readJson } from './atomic-json.ts';
import { type GroupDocument, groupDocuments, readGroup } from './group-documents.ts';
import { type ImageLevels, levelArray } from './image-levels.ts';
import { labelAttributes } from './label-images.ts';
import { imageAttributes } from './ngff.ts';
import { openhcsArrayAttributes } from './openhcs-layout.ts';
import type { TiffFacts } from './tiff-facts.ts';
import { readWritten, type WrittenPlanes } from './written-planes.ts';

/** An image of the store: what its metadata says, and what is known of its planes. */
export interface ResultImage {
  /** Path of the image group below the store: `A/01/0`. */
  readonly path: string;
  readonly dtype: Dtype;
  readonly format: ArrayFormat;
  readonly levels: ImageLevels;
  /** Of the full resolution. */
  readonly shape: ArrayShape;
  /** Of a field: acquisition and site. */
  readonly group?: string;
  readonly site?: number;
  /** Its array says what its planes are called. */
  readonly layout?: 'openhcs';
  /** Of a field: its source, where that is another one than the store was begun with. */
  readonly plate?: string;
  /** Whether it lies below the image that it labels the pixels of. */
  readonly isLabel?: boolean;
  /** Names of channels by index on the c axis. */
  readonly channelNames: Readonly<Record<string, string>>;
  /** Their colours, hexadecimal RGB. */
  readonly channelColors: Readonly<Record<string, string>>;
  readonly facts: TiffFacts;
  /** The files that its planes are from. */
  readonly written: WrittenPlanes;
}

/** Layout of the `platefs` attribute. */
const ATTRIBUTE_VERSION = 1;

/** The documents of an image below its group, those of its arrays first; `name` is what people call it. */
export function imageDocuments(image: ResultImage, name: string): GroupDocument[] {
  const {
    group,
    site,
    plate,
    channelNames,
    channelColors,
    facts: known,
    dtype,
    shape,
    format,
    levels,
    written,
  } = image;
  const channelCount = shape[1];
  // A label has no channels to show: viewers would take them for an image's.
  const shown = image.isLabel ? { channelNames: {}, channelColors: {} } : { channelNames, channelColors };
  const ngff = {
    ...(image.isLabel ? labelAttributes(format.version) : {}),
    ...imageAttributes({ name, dtype, ...known, ...shown, channelCount, levels }, format.version),
  };
  const own = {
    version: ATTRIBUTE_VERSION,
    ...(group === undefined ? {} : { group }),
    ...(site === undefined ? {} : { site }),
    ...(image.layout === undefined ? {} : { layout: image.layout }),
    ...(plate === undefined ? {} : { plate }),
    channelNumbers: Array.from({ length: channelCount }, (_entry, index) => index + 1),
    channelNames,
    channelColors,
    facts: known,
    written,
  };
  // The full resolution last: it never has a plane that a lower one lacks.
  const arrays = Array.from({ length: levels.count }, (_, level) => ({
    name: `${level}/${arrayDocumentName(format.version)}`,
    content: arrayDocument(levelArray(image, level)),
  })).toReversed();
  const names =
    image.layout === 'openhcs' && format.version === '0.4'
      ? [{ name: '0/.zattrs', content: openhcsArrayAttributes(image) }]
      : [];
  return [...arrays, ...names, ...groupDocuments(format.version, ngff, own)];
}

/** Reads an image that PlateFS wrote; undefined when the folder is none. @throws BadZarrError when it is damaged. */
export function readResultImage(
  version: NgffVersion,
  storePath: string,
  path: string,
): ResultImage | undefined {
  const attributes = readGroup(version, `${storePath}/${path}`);
  const platefs = attributes?.platefs;
  const file = `${storePath}/${path}/0/${arrayDocumentName(version)}`;
  const document = readJson(file);
  if (!document || !platefs) return undefined;
  const array = readArrayDocument(document);
  if (!array) throw new BadZarrError(file, 'not as PlateFS wrote it');
  const { group, site, plate, facts } = platefs;
  return {
    path,
    ...array,
    levels: levelsOf(attributes.ngff),
    ...(typeof group === 'string' ? { group } : {}),
    ...(typeof site === 'number' ? { site } : {}),
    ...(typeof plate === 'string' ? { plate } : {}),
    ...(isObject(attributes.ngff['image-label']) ? { isLabel: true } : {}),
    ...(platefs['layout'] === 'openhcs' ? { layout: 'openhcs' as const } : {}),
    channelNames: textFields(platefs['channelNames']),
    channelColors: textFields(platefs['channelColors']),
    facts: (isObject(facts) ? facts : {}) as TiffFacts,
    written: readWritten(platefs['written']),
  };
}

function levelsOf({ multiscales }: JsonObject): ImageLevels {
  const first: unknown = Array.isArray(multiscales) ? multiscales[0] : undefined;
  const { datasets, type }: JsonObject = isObject(first) ? first : {};
  return {
    count: Array.isArray(datasets) ? Math.max(1, datasets.length) : 1,
    downsampling: type === 'nearest' ? 'nearest' : 'mean',
  };
}

function textFields(value: unknown): Record<string, string> {
  const fields: JsonObject = isObject(value) ? value : {};
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
