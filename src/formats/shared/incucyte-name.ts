import { parseWellName, type WellPosition } from '../../model/well.ts';

/** What the path of an Incucyte image says. */
export interface IncucyteImage {
  /** Text before the well of an export; '' in raw files. */
  readonly prefix: string;
  readonly well: WellPosition;
  /** From 1. */
  readonly field: number;
  /** `C1`, `Ph` … of raw files; '' in an export. */
  readonly code: string;
  /** The plate: the innermost folder of raw files, `VID1607` where an export's name says it, else ''. */
  readonly vessel: string;
  /** The instrument's local time as if it were UTC, Unix time in ms. */
  readonly localMs?: number;
  /** Seconds since the first scan, where the export says that instead. */
  readonly elapsedS?: number;
}

const EXPORTED =
  /^(?:(.*)_)?([A-Z]{1,2}\d{1,2})_(\d{1,6})_(?:(\d{4})y(\d{2})m(\d{2})d_(\d{2})h(\d{2})m|(\d{1,4})d(\d{2})h(\d{2})m)\.tiff?$/is;
const RAW_NAME = /^([A-Z]{1,2}\d{1,2})-(\d{1,6})-([A-Za-z][A-Za-z0-9]{0,15})\.tiff?$/;
const RAW_FOLDER = /(?:^|\/)(\d{2})(\d{2})\/(\d{2})\/(\d{2})(\d{2})\/([^/]{1,64})$/s;

/** Unix time of a date that exists, else undefined. */
function dateMs(year: number, month: number, day: number, hour: number, minute: number): number | undefined {
  const ms = Date.UTC(year, month - 1, day, hour, minute);
  const date = new Date(ms);
  const isSame =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    minute < 60;
  return isSame ? ms : undefined;
}

/**
 * Reads an export's `<experiment>_<well>_<field>_2022y03m09d_00h00m.tif` or `…_00d06h00m.tif` with the time since the
 * first scan. The experiment is free text, may hold the channel, and may be missing, so the name is read from its end.
 * Source: names in public scripts for Incucyte exports (`VID1607_C1_2_00d00h00m.tif`, `R2_MDF_green_B2_1_00d00h00m.tif`,
 * `phase/B10_1_00d03h00m.tif`).
 */
export function parseIncucyteExport(name: string): IncucyteImage | undefined {
  const match = name.length > 255 ? null : EXPORTED.exec(name);
  const well = match && parseWellName(match[2] ?? '');
  if (!match || !well) return undefined;
  const [, prefix = '', , field = '', ...time] = match;
  const [year, month, day, hour, minute, days, hours, minutes] = time.map(Number);
  const vessel = /(?:^|_)(VID\d{1,9})(?=_|$)/i.exec(prefix)?.[1] ?? '';
  const common = { prefix, well, field: Number(field), code: '', vessel };
  if (time[0] === undefined)
    return { ...common, elapsedS: (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 };
  const localMs = dateMs(year ?? 0, month ?? 0, day ?? 0, hour ?? 0, minute ?? 0);
  return localMs === undefined ? undefined : { ...common, localMs };
}

/**
 * Reads a raw `EssenFiles/ScanData/<yymm>/<dd>/<hhmm>/<vessel>/<well>-<field>-<channel>.tif` below the folder it is
 * given, which may be any of those above the month. Channels are `C1`, `C2`, `Ph`. Source: the Incucyte converters
 * of Leiden-Cell-Observatory/OMERO_scripts.
 */
export function parseIncucyteRaw(name: string, folder: string): IncucyteImage | undefined {
  const file = name.length > 255 ? null : RAW_NAME.exec(name);
  const place = file && RAW_FOLDER.exec(folder);
  const well = file && parseWellName(file[1] ?? '');
  if (!file || !place || !well) return undefined;
  const [, year, month, day, hour, minute] = place.map(Number);
  const localMs = dateMs(2000 + (year ?? 0), month ?? 0, day ?? 0, hour ?? 0, minute ?? 0);
  if (localMs === undefined) return undefined;
  return { prefix: '', well, field: Number(file[2]), code: file[3] ?? '', vessel: place[6] ?? '', localMs };
}

/** Either grammar. */
export const parseIncucyte = (name: string, folder: string): IncucyteImage | undefined =>
  parseIncucyteExport(name) ?? parseIncucyteRaw(name, folder);
