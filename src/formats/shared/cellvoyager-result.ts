import { BadMetadataError } from '../../core/errors.ts';
import { known, positiveNumber, wholeNumber } from '../../core/metadata-values.ts';
import type { PlateFacts } from '../../model/plate.ts';
import { MAX_WELL_COLUMNS } from '../../model/well.ts';
import type { XmlElement } from '../../xml/xml-scanner.ts';
import { scanXmlFile } from './xml-file.ts';

/** `W29(R3C5),A1,F1`: a well's number along the rows, its row and column, all from 1. */
const IMAGE_NAME = /^W(\d{1,5})\(R(\d{1,3})C(\d{1,3})\)/;

/** `MeasurementResult.ome.xml`, or `MeasurementResultMIP.ome.xml` and its like for projections. */
export const isCellVoyagerResult = (fileName: string): boolean =>
  /^MeasurementResult\w*\.ome\.xml$/i.test(fileName);

/** What the OME-XML of a CQ1 measurement tells. What it lacks, or is at odds with itself about, is absent. */
export interface MeasurementResult {
  readonly plateColumns?: number;
  readonly plateRows?: number;
  readonly pixelSizeUm?: NonNullable<PlateFacts['pixelSizeUm']>;
}

const inMicrometres = (pixels: XmlElement, axis: 'X' | 'Y'): number | undefined =>
  // OME 2013-06 has no units: lengths are in µm.
  /^(?:[µμu]m)$/i.test(pixels.attribute(`PhysicalSize${axis}Unit`) ?? 'µm')
    ? positiveNumber(pixels.attribute(`PhysicalSize${axis}`))
    : undefined;

/** Columns of a plate on which well `number` lies in this row and column; undefined where any number fits or none. */
function columnsBy([number = 0, row = 0, column = 0]: readonly number[]): number | undefined {
  const columns = row > 1 ? (number - column) / (row - 1) : 0;
  return Number.isInteger(columns) && columns >= column && columns <= MAX_WELL_COLUMNS ? columns : undefined;
}

/**
 * Reads a `MeasurementResult.ome.xml`, which CQ1 writes in place of an mlf: OME-XML whose Images are named after
 * their wells and whose Pixels have the physical size. File names count wells along the rows, so the plate's columns
 * are worked out from those. As described by several readers of CQ1 data.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readMeasurementResult(path: string, signal: AbortSignal): Promise<MeasurementResult> {
  const columns = new Set<number>();
  const sizes = new Map<string, { x: number; y: number }>();
  let plate: Pick<MeasurementResult, 'plateColumns' | 'plateRows'> = {};
  const count = (element: XmlElement, name: string): number | undefined =>
    wholeNumber(element.attribute(name)) || undefined;
  await scanXmlFile(
    path,
    {
      start(element) {
        const { name, depth } = element;
        if (depth === 1) {
          if (name !== 'OME') throw new BadMetadataError(path, 'is no OME-XML');
          return 'children';
        }
        if (name === 'Plate')
          plate = known({ plateColumns: count(element, 'Columns'), plateRows: count(element, 'Rows') });
        if (name === 'Pixels' && depth === 3) {
          const x = inMicrometres(element, 'X');
          const y = inMicrometres(element, 'Y');
          if (x !== undefined && y !== undefined && sizes.size < 2) sizes.set(`${x}/${y}`, { x, y });
        }
        if (name !== 'Image' || depth !== 2) return 'skip';
        // An overview of the whole well has another name, and pixels of its own.
        const match = IMAGE_NAME.exec(element.attribute('Name') ?? '');
        const found = match && columnsBy(match.slice(1).map(Number));
        if (found && columns.size < 2) columns.add(found);
        return match ? 'children' : 'skip';
      },
      end: () => undefined,
    },
    signal,
  );
  const only = <T>(values: Iterable<T>): T | undefined => {
    const [first, ...others] = values;
    return others.length === 0 ? first : undefined;
  };
  return known({
    plateRows: plate.plateRows,
    plateColumns: columns.size > 0 ? only(columns) : plate.plateColumns,
    pixelSizeUm: only(sizes.values()),
  });
}
