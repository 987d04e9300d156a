import { parseWellName, type WellPosition } from '../../model/well.ts';
import { tiffExtension } from './metaxpress-name.ts';

/** What an IN Cell image name says. What it doesn't say is absent. */
export interface InCellName {
  readonly well: WellPosition;
  readonly field: number;
  /** The wave as the name writes it: `Blue - FITC`. */
  readonly wave: string;
  readonly z?: number;
  readonly t?: number;
}

/**
 * `[<prefix>_]C - 03(fld 01 wv Blue - FITC z 01 tm 0001)`, as found in files of IN Cell 2000 and 6000; z and tm only
 * where there are several. Older ones write ` - time 01 - 0 ms`.
 */
const NAME =
  /^(?:.*_)?([A-Z]{1,2}) ?- ?(\d{1,3})\(fld (\d{1,8}) wv ([^()]{1,200}?)(?: z (\d{1,8}))?(?: tm (\d{1,8})| - time (\d{1,8})(?: - \d+ ms)?)?\)$/;

/** Reads an image's name, or undefined when it follows another grammar. */
export function parseInCellName(fileName: string): InCellName | undefined {
  const extension = tiffExtension(fileName);
  const match = extension === '' ? null : NAME.exec(fileName.slice(0, -extension.length));
  const well = match && parseWellName(`${match[1]}${match[2]}`);
  if (!match || !well) return undefined;
  const [, , , field, wave = '', z, tm, time] = match;
  const t = tm ?? time;
  return {
    well,
    field: Number(field),
    wave,
    ...(z === undefined ? {} : { z: Number(z) }),
    ...(t === undefined ? {} : { t: Number(t) }),
  };
}
