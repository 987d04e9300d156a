import { parseWellName } from '../../model/well.ts';
import type { NameReading } from './plane-place.ts';

/** `<plate>_D08_T0001F001L01A01Z01C01`: time point, field, time line, action, z and channel, from 1. */
const CV_NAME = /^(?:.*_)?([A-Z]{1,2}\d{2})_T(\d{4,9})F(\d{3,9})L\d{2,9}A\d{2,9}Z(\d{2,9})C(\d{2,5})$/;
/** `W0029F0001T0001Z000C1`: the well counts along rows from 1; z 000 is a projection. */
const CQ1_NAME = /^W(\d{4,5})F(\d{4,9})T(\d{4,9})Z(\d{2,9})C(\d{1,5})$/;
const IMAGE = /\.(?:tiff?|png)$/i;
const CORRECTION = /^(?:DC|SC)_/;

/** Whether a file is an image of any kind, by its extension; the instrument writes TIFF or PNG. */
export const isCellVoyagerImage = (fileName: string): boolean => IMAGE.test(fileName);

/** Whether an image follows one of the two grammars. */
export function followsCellVoyagerGrammar(fileName: string): boolean {
  const stem = fileName.replace(IMAGE, '');
  return stem !== fileName && (CV_NAME.test(stem) || CQ1_NAME.test(stem));
}

/** Dark (`DC_`) and shading (`SC_`) corrections that lie beside the images. */
export const isCellVoyagerCorrection = (fileName: string): boolean =>
  CORRECTION.test(fileName) && isCellVoyagerImage(fileName);

/**
 * What a path says of its image. The well of a CQ1 name is a number along the rows, so it needs the plate's
 * columns; without them the well is left out. Grammars as found in files of CV7000, CV8000, CQ1 and CQ3K.
 */
export function readCellVoyagerName(path: string, plateColumns: number | undefined): NameReading | undefined {
  const slash = path.lastIndexOf('/');
  const fileName = path.slice(slash + 1);
  const stem = fileName.replace(IMAGE, '');
  if (stem === fileName) return undefined;
  const cv = CV_NAME.exec(stem);
  if (cv) {
    const well = parseWellName(cv[1] ?? '');
    const [t, site, z, channel] = cv.slice(2).map(Number);
    return well && t !== undefined && site !== undefined && z !== undefined && channel !== undefined
      ? { ...well, site, channel, z, t }
      : undefined;
  }
  const cq1 = CQ1_NAME.exec(stem);
  if (!cq1) return undefined;
  const [well = 0, site = 0, t = 0, number = 0, channel = 0] = cq1.slice(1).map(Number);
  const z = /(?:^|\/)Projection$/i.test(path.slice(0, Math.max(0, slash))) ? 0 : number;
  if (plateColumns === undefined || well < 1) return { site, channel, z, t };
  return {
    row: Math.floor((well - 1) / plateColumns),
    column: (well - 1) % plateColumns,
    site,
    channel,
    z,
    t,
  };
}
