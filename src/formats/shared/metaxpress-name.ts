import { MAX_WELL_COLUMNS, MAX_WELL_ROWS } from '../../model/well.ts';

/**
 * What a MetaXpress image name says. The grammar, read off real plates of the database and the export:
 * `[<plate>_]<well>[_s<site>][_w<wave>][_thumb][<GUID>].(tif|tiff)`. The plate's name is free text and may hold
 * underscores and well-like tokens, so a name is read from its end. A GUID follows the wave without a mark
 * and may begin with a digit: it is told by its shape, 36 characters before the extension.
 */
export interface MetaXpressName {
  /** Free text before the well; '' where the name begins with the well. */
  plate: string;
  /** Counting from 0. */
  row: number;
  column: number;
  /** Absent tokens mean 1. */
  site: number;
  wave: number;
  /** Whether the name says site or wave itself. */
  hasSite: boolean;
  hasWave: boolean;
  thumbnail: boolean;
  /** 8-4-4-4-12 hex digits, or ''. */
  guid: string;
  /** As spelt, with the dot. */
  extension: string;
}

const ZERO = 48;
const UNDERSCORE = 95;
const THUMB = '_thumb';
const GUID_LENGTH = 36;
/** The instrument has at most nine waves; two digits are read so that a tenth would not be lost. */
const MAX_WAVE_DIGITS = 2;
const MAX_SITE_DIGITS = 6;

const isDigit = (code: number): boolean => code >= ZERO && code <= 57;
const isHex = (code: number): boolean =>
  isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);
const isUpper = (code: number): boolean => code >= 65 && code <= 90;

function isGuidAt(text: string, start: number): boolean {
  for (let i = 0; i < GUID_LENGTH; i += 1) {
    const unit = text.charCodeAt(start + i);
    const dash = i === 8 || i === 13 || i === 18 || i === 23;
    if (dash ? unit !== 45 : !isHex(unit)) return false;
  }
  return true;
}

/** The image extension at the end of a name as spelt (`.tif`, `.TIF`, `.tiff`), or ''. */
export function tiffExtension(name: string): string {
  const dot = name.lastIndexOf('.');
  const length = name.length - dot;
  if (dot < 0 || length < 4 || length > 5) return '';
  const extension = name.slice(dot);
  const lower = extension.toLowerCase();
  return lower === '.tif' || lower === '.tiff' ? extension : '';
}

/** Number of digits that end at `end`. */
function digitsBefore(text: string, end: number): number {
  let start = end;
  while (start > 0 && isDigit(text.charCodeAt(start - 1))) start -= 1;
  return end - start;
}

/**
 * Reads a token `_<letter><digits>` that ends at `end`. Returns the number, or -1 when there is none; the token
 * is `2 + digits` long.
 */
function tokenBefore(text: string, end: number, letter: string, maxDigits: number): number {
  const digits = digitsBefore(text, end);
  const start = end - digits - 2;
  if (digits < 1 || digits > maxDigits || start < 0) return -1;
  if (text.charCodeAt(start) !== UNDERSCORE || text[start + 1] !== letter) return -1;
  return Number(text.slice(end - digits, end));
}

/** Reads an image name, or undefined when it does not end as the grammar says. */
export function parseMetaXpressName(name: string): MetaXpressName | undefined {
  const extension = tiffExtension(name);
  if (extension === '') return undefined;
  let end = name.length - extension.length;
  let guid = '';
  if (end > GUID_LENGTH && isGuidAt(name, end - GUID_LENGTH)) {
    guid = name.slice(end - GUID_LENGTH, end);
    end -= GUID_LENGTH;
  }
  const thumbnail = name.endsWith(THUMB, end);
  if (thumbnail) end -= THUMB.length;
  const wave = tokenBefore(name, end, 'w', MAX_WAVE_DIGITS);
  if (wave >= 0) end -= digitsBefore(name, end) + 2;
  const site = tokenBefore(name, end, 's', MAX_SITE_DIGITS);
  if (site >= 0) end -= digitsBefore(name, end) + 2;
  const columnDigits = digitsBefore(name, end);
  if (columnDigits < 1 || columnDigits > 2) return undefined;
  const column = Number(name.slice(end - columnDigits, end)) - 1;
  end -= columnDigits;
  let row = name.charCodeAt(end - 1) - 65;
  if (end < 1 || !isUpper(row + 65)) return undefined;
  end -= 1;
  if (end > 0 && isUpper(name.charCodeAt(end - 1))) {
    row += (name.charCodeAt(end - 1) - 64) * 26;
    end -= 1;
  }
  if (end > 0 && name.charCodeAt(end - 1) !== UNDERSCORE) return undefined;
  if (row >= MAX_WELL_ROWS || column < 0 || column >= MAX_WELL_COLUMNS) return undefined;
  if (wave === 0 || site === 0) return undefined;
  return {
    plate: name.slice(0, Math.max(0, end - 1)),
    row,
    column,
    site: site < 0 ? 1 : site,
    wave: wave < 0 ? 1 : wave,
    hasSite: site >= 0,
    hasWave: wave >= 0,
    thumbnail,
    guid,
    extension,
  };
}

/** What a folder's name says of its images: the time point or the z step, from 0. */
export type AxisFolder = { readonly axis: 't' | 'z'; readonly value: number };

/** Reads `TimePoint_1`, `TimePoint-1`, `timepoint1`, `ZStep_3` …; undefined for any other folder. */
export function parseAxisFolder(name: string): AxisFolder | undefined {
  const match = /^(timepoint|zstep)[_-]?(\d{1,9})$/i.exec(name);
  if (!match) return undefined;
  return { axis: match[1]?.toLowerCase() === 'timepoint' ? 't' : 'z', value: Number(match[2]) };
}

export const isHtdName = (name: string): boolean => name.length > 4 && name.toLowerCase().endsWith('.htd');
