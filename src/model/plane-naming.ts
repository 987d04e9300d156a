import { type FieldNumbers, fieldNumberOf, fieldNumbers } from './field-numbers.ts';
import {
  CHANNEL,
  COLUMN,
  compileNameTemplate,
  FIELD,
  type NameTemplate,
  ROW,
  SITE,
  SLOTS,
  T,
  UNTOLD,
  untoldValues,
  Z,
} from './name-template.ts';
import { layOutFolders, type PlaneFolders } from './plane-folders.ts';
import type { PlateIndex } from './plate-index.ts';
import { refuseTemplate } from './template-text.ts';

const CANONICAL = '{well}_s{site:03}_w{channel}_z{z:03}_t{t:03}{ext}';
/**
 * Harmony's own grammar, `r<RR>c<CC>f<F>p<P>-ch<C>sk<T>fk1fl1`. Harmony counts planes from 1, so p000 is no slice
 * of any measurement: it is a projection, as z000 is in canonical names.
 */
const harmony = (field: string): string =>
  `r{row:02}c{column:02}f{${field}:03}p{z:03}-ch{channel}sk{t}fk1fl1{ext}`;

/** The names that have a name, and what they are. */
export const NAME_STYLES: Readonly<Record<string, string>> = {
  canonical: 'A01_s001_w1_z001_t001.tif',
  harmony: "r01c01f001p001-ch1sk1fk1fl1.tiff, f being the instrument's own field number",
  openhcs:
    "the names that OpenHCS gives: Harmony's with fields in raster order for Harmony plates, else canonical",
};

/** The template that a style stands for on a plate of this format. */
function styleTemplate(names: string, format: string): string {
  if (names === 'canonical') return CANONICAL;
  if (names === 'harmony') return harmony('field');
  if (names === 'openhcs') return format === 'harmony' ? harmony('site') : CANONICAL;
  return names;
}

/** Whether a template gives the names of `plane-name.ts`. */
export const isCanonical = (template: string): boolean => template === CANONICAL;

/** OpenHCS's own parser of such names (as in OpenHCS 0.5.15), or undefined when it has none. */
export function openhcsParser(template: string): string | undefined {
  if (template === CANONICAL) return 'ImageXpressFilenameParser';
  return template === harmony('site') || template === harmony('field')
    ? 'OperaPhenixFilenameParser'
    : undefined;
}

/**
 * Checks names before there is a plate: a style, or a template that can be read back.
 * @throws BadParameterError
 */
export function checkNames(parameter: string, names: string): void {
  if (Object.hasOwn(NAME_STYLES, names)) return;
  if (/^[\w-]+$/.test(names))
    refuseTemplate(
      { parameter, template: names },
      `is no kind of names; write ${Object.keys(NAME_STYLES).join(', ')} or a template like ${CANONICAL}`,
    );
  compileNameTemplate({ parameter, template: names });
}

/** How the planes of one plate are named: plain data, whose arrays are shared between threads. */
export interface PlaneNaming {
  readonly template: string;
  /** What names don't tell because it is the same for all planes; {@link UNTOLD} for the rest. */
  readonly constants: Float64Array;
  /** Sites by the instrument's field numbers, where names tell those alone and some differ. */
  readonly fields?: FieldNumbers;
  readonly folders?: PlaneFolders;
}

interface Extent {
  readonly smallest: Float64Array;
  readonly largest: Float64Array;
}

function extentOf(index: PlateIndex): Extent {
  const { planes } = index;
  const smallest = untoldValues().fill(Number.POSITIVE_INFINITY);
  const largest = untoldValues().fill(0);
  const columns = [
    [ROW, planes.rows],
    [COLUMN, planes.columns],
    [SITE, planes.sites],
    [CHANNEL, planes.channels],
    [Z, planes.zs],
    [T, planes.ts],
  ] as const;
  for (const [slot, column] of columns) {
    let low = Number.POSITIVE_INFINITY;
    let high = 0;
    for (let i = 0; i < planes.count; i += 1) {
      const value = column[i] ?? 0;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    smallest[slot] = low;
    largest[slot] = high;
  }
  for (let i = 0; i < planes.count; i += 1) {
    const value = fieldNumberOf(index, i);
    smallest[FIELD] = Math.min(smallest[FIELD] ?? value, value);
    largest[FIELD] = Math.max(largest[FIELD] ?? 0, value);
  }
  return { smallest, largest };
}

/** How each value is best told, and told of. */
const ADVICE: Readonly<Record<number, { readonly token: string; readonly what: string }>> = {
  [ROW]: { token: '{well}', what: 'rows' },
  [COLUMN]: { token: '{well}', what: 'columns' },
  [SITE]: { token: '_s{site:03}', what: 'sites' },
  [CHANNEL]: { token: '_w{channel}', what: 'channels' },
  [Z]: { token: '_z{z:03}', what: 'z positions' },
  [T]: { token: '_t{t:03}', what: 'time points' },
};

const withToken = (template: string, token: string): string => {
  if (token === '{well}') return `{well}_${template}`;
  const end = /(?:\{ext\}|\.[a-zA-Z0-9]+)$/.exec(template);
  return end ? template.slice(0, end.index) + token + end[0] : template + token;
};

function checkAxes({ origin, told }: NameTemplate, { smallest, largest }: Extent): void {
  for (const [slot, { token, what }] of Object.entries(ADVICE)) {
    const axis = Number(slot);
    if (told.has(axis) || (axis === SITE && told.has(FIELD)) || smallest[axis] === largest[axis]) continue;
    const base = axis <= COLUMN ? 1 : 0;
    refuseTemplate(
      origin,
      `doesn't tell ${what} apart, and the plate has ${(smallest[axis] ?? 0) + base} to ${(largest[axis] ?? 0) + base}: ` +
        `several planes would have one name; write for instance ${withToken(origin.template, token)}`,
    );
  }
}

/** A name may be this long. */
const MAX_NAME_BYTES = 255;

function checkLengths(
  { origin, segments, fileSegment, hasExtension }: NameTemplate,
  index: PlateIndex,
  extent: Extent,
): void {
  for (const segment of segments) {
    const fault = segment.overflow(extent.largest);
    if (fault) {
      const token = SLOTS[fault.slot];
      refuseTemplate(
        origin,
        `leaves too little room for ${token}, which has ${fault.digits} digits on this plate, before what follows it; write {${token}:0${fault.digits}}`,
      );
    }
    const longestExtension = Math.max(
      0,
      ...index.extensions.map((extension) => Buffer.byteLength(extension)),
    );
    const bytes =
      segment.longestBytes(extent.largest) + (segment === fileSegment && hasExtension ? longestExtension : 0);
    if (bytes > MAX_NAME_BYTES)
      refuseTemplate(
        origin,
        `gives names of ${bytes} bytes; a name has at most ${MAX_NAME_BYTES}, so write a shorter one`,
      );
  }
}

const kindOf = (extension: string): string => extension.toLowerCase().replace(/^\.tiff$/, '.tif');

function checkExtensions({ origin, fileSegment, hasExtension }: NameTemplate, index: PlateIndex): void {
  if (hasExtension) return;
  const own = /\.[a-z0-9]+$/i.exec(fileSegment.ending)?.[0] ?? '';
  const other = index.extensions.find((extension) => kindOf(extension) !== kindOf(own));
  if (other !== undefined)
    refuseTemplate(
      origin,
      `ends in ${own}, but images of the plate are ${other}; write ${origin.template.slice(0, -own.length)}{ext}`,
    );
}

/**
 * Names the planes of a plate. `names` is a style of {@link NAME_STYLES} or a template; canonical unless given.
 * @throws BadParameterError when two planes would have one name, or a name could not be.
 */
export function namePlanes(index: PlateIndex, names = 'canonical', parameter = 'names'): PlaneNaming {
  const template = styleTemplate(names, index.facts.format);
  const compiled = compileNameTemplate({ parameter, template });
  const constants = untoldValues();
  if (template === CANONICAL) return { template, constants };
  const extent = extentOf(index);
  checkAxes(compiled, extent);
  checkLengths(compiled, index, extent);
  checkExtensions(compiled, index);
  const { told } = compiled;
  for (const axis of [ROW, COLUMN, SITE, CHANNEL, Z, T])
    if (!told.has(axis) && !(axis === SITE && told.has(FIELD)))
      constants[axis] = extent.smallest[axis] ?? UNTOLD;
  const fields = told.has(FIELD) && !told.has(SITE) ? fieldNumbers(index, compiled) : undefined;
  const folders = layOutFolders(index, compiled);
  return { template, constants, ...(fields ? { fields } : {}), ...(folders ? { folders } : {}) };
}
