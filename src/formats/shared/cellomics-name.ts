import { parseWellName, type WellPosition } from '../../model/well.ts';

/** What a Cellomics name says; numbers as written, from 0. */
export interface CellomicsName {
  readonly plate: string;
  readonly well: WellPosition;
  readonly field: number;
  /** Absent where the name has no `d` or `o`. */
  readonly channel?: number;
  /** Slice of a `_z00_` in front of the well. */
  readonly z?: number;
}

const NAME = /^(.*)_([A-Z]{1,2}\d{2})f(\d{1,6})(?:[do](\d{1,4}))?\.[^._/]{1,8}$/is;
const SLICE = /_z(\d{1,6})(?:_\d{1,6})?$/i;

/**
 * Reads `<plate>_<well>f<field>d<channel>.<ext>`: `MFGTMP_141029170001_A01f00d0.C01`, `…_B02f0d0.TIF`, and
 * `…_p00_z00_0_A01f00d0.tif` of stacks, whose z counts from 0. The plate's name is free text, so the name is read
 * from its end. Source: the name patterns of Bio-Formats' CellomicsReader (field and channel from 0, channel `d` or
 * `o`), and names in files of CellInsight CX5 and CX7.
 */
export function parseCellomicsName(name: string): CellomicsName | undefined {
  const match = name.length > 255 ? null : NAME.exec(name);
  if (!match) return undefined;
  const [, plate = '', wellText = '', field = '', channel] = match;
  const well = parseWellName(wellText);
  if (!well) return undefined;
  const slice = SLICE.exec(plate)?.[1];
  return {
    plate,
    well,
    field: Number(field),
    ...(channel === undefined ? {} : { channel: Number(channel) }),
    ...(slice === undefined ? {} : { z: Number(slice) }),
  };
}
