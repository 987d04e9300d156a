import type { PlaneAddress } from '../../model/plane-name.ts';
import { parseWellName } from '../../model/well.ts';
import { parseHarmonyName } from './harmony-name.ts';
import { tiffExtension } from './metaxpress-name.ts';

/** Which grammar a subdirectory's names follow, by its `source_filename_parser_name`. */
export type OpenHcsParser = 'imagexpress' | 'harmony' | 'either';

/** What the name of an OpenHCS image says. */
export interface OpenHcsName extends PlaneAddress {
  /** As spelt, with the dot. */
  readonly extension: string;
  /** Spelt as OpenHCS itself constructs names: every component there, padded as it pads. */
  readonly isConstructed: boolean;
}

/** Largest channel number that fits into an index. */
const MAX_CHANNEL = 65_535;

/**
 * `[prefix_]WELL[_sN][_wN][_zN][_tN].tif`, the components in this order (OpenHCS, ImageXpressFilenameParser). Read
 * from the end, so that a prefix may hold anything; what OpenHCS lets follow the components is a result's suffix.
 */
const IMAGEXPRESS =
  /^(.*_)?([A-Z]{1,2}\d{1,2})(?:_s(\d{1,9}))?(?:_w(\d{1,5}))?(?:_z(\d{1,9}))?(?:_t(\d{1,9}))?$/;
const CONSTRUCTED = /^[A-Z]\d{2,}_s\d{3,}_w\d+_z\d{3,}_t\d{3,}$/;
/** OpenHCS pads field and plane to three digits (OperaPhenixFilenameParser); Harmony itself writes two. */
const CONSTRUCTED_HARMONY = /^r\d{2}c\d{2}f\d{3,}p\d{3,}-ch\d+sk\d+fk1fl1$/i;

/** The grammar that a `source_filename_parser_name` means; either for one that is not known or not given. */
export function openHcsParser(name: string | undefined): OpenHcsParser {
  if (name === 'ImageXpressFilenameParser') return 'imagexpress';
  return name === 'OperaPhenixFilenameParser' ? 'harmony' : 'either';
}

/** Reads the name of an image; undefined when it isn't one, or names a place that no plate has. Absent parts mean 1. */
export function parseOpenHcsName(name: string, parser: OpenHcsParser): OpenHcsName | undefined {
  const extension = tiffExtension(name);
  if (extension === '') return undefined;
  const stem = name.slice(0, -extension.length);
  if (parser !== 'harmony') {
    const parsed = parseImageXpress(stem, extension);
    if (parsed || parser === 'imagexpress') return parsed;
  }
  const parsed = parseHarmonyName(name);
  if (parsed?.fastKinetic !== 1 || parsed.lifetime !== 1) return undefined;
  const { row, column, field, channel, plane, slowKinetic } = parsed;
  return {
    well: { row, column },
    site: field,
    channel,
    z: plane,
    t: slowKinetic,
    extension,
    isConstructed: CONSTRUCTED_HARMONY.test(stem),
  };
}

function parseImageXpress(stem: string, extension: string): OpenHcsName | undefined {
  const match = IMAGEXPRESS.exec(stem);
  if (!match) return undefined;
  const [, , wellText = '', s, w, z, t] = match;
  const well = parseWellName(wellText);
  const site = Number(s ?? 1);
  const channel = Number(w ?? 1);
  const time = Number(t ?? 1);
  if (!well || site < 1 || channel < 1 || channel > MAX_CHANNEL || time < 1) return undefined;
  return {
    well,
    site,
    channel,
    z: Number(z ?? 1),
    t: time,
    extension,
    isConstructed: CONSTRUCTED.test(stem),
  };
}
