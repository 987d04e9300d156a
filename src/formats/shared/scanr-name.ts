import { parseWellName, type WellPosition } from '../../model/well.ts';

/** What a ScanR name says; numbers as written. */
export interface ScanRName {
  /** Free text, mostly the well's name (`B2`); '' where the name begins with `W`. */
  readonly label: string;
  /** The well that the label names, if any. */
  readonly well?: WellPosition;
  /** From 1, along the rows of the plate. */
  readonly wellNumber: number;
  /** From 1. */
  readonly position: number;
  /** From 0. */
  readonly z: number;
  readonly t: number;
  readonly channel: string;
}

const NAME = /^(?:(.*)--)?W(\d{1,6})--P(\d{1,6})--Z(\d{1,6})--T(\d{1,6})--(.+)\.tiff?$/is;

/**
 * Reads `B2--W00014--P00001--Z00000--T00000--405 nm #1.tif`. Wells and positions count from 1, z and t from 0.
 * Source: the file blocks that Bio-Formats' ScanrReader looks for, and names in files of ScanR at several sites.
 */
export function parseScanRName(name: string): ScanRName | undefined {
  const match = name.length > 255 ? null : NAME.exec(name);
  if (!match) return undefined;
  const [, label = '', w, p, z, t, channel = ''] = match;
  const well = parseWellName(label);
  return {
    label,
    ...(well ? { well } : {}),
    wellNumber: Number(w),
    position: Number(p),
    z: Number(z),
    t: Number(t),
    channel,
  };
}

/** The columns that a label and its W number agree on; undefined for wells of the first row, which fit any plate. */
export function columnsBetween({ well, wellNumber }: ScanRName): number | undefined {
  if (!well || well.row === 0) return undefined;
  const columns = (wellNumber - 1 - well.column) / well.row;
  return Number.isInteger(columns) && columns > well.column ? columns : undefined;
}
