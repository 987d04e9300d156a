import {
  finiteNumber,
  fromZero,
  known,
  plainText,
  positiveNumber,
  wholeNumber,
} from '../../core/metadata-values.ts';
import { parseWellName } from '../../model/well.ts';
import { type CsvRow, scanCsvFile } from './csv-rows.ts';
import { isHcsAiProjection, parseHcsAiName } from './hcsai-name.ts';
import type { ListedPlane } from './listed-planes.ts';

/** A row of a manifest, with the filter it names. */
export interface ManifestRow {
  readonly plane: ListedPlane;
  /** `ExcitationEmissionFilter`. */
  readonly filter?: string;
}

/**
 * One row of an `image_metadata_<n>.csv`: columns Well (`B - 7`), Row and Column (from 1), Field, Wavelength,
 * Timepoint and ZIndex (from 0), ImageSubFolderPath, ImageFileName, PositionXUm, PositionYUm, PositionZUm,
 * FieldOffsetPointX and Y (µm from the well's centre), TimeStampSec (Unix time), ExcitationEmissionFilter, as found
 * in files of MetaXpress Acquire 2025.2. Cells that are empty are made up for by the file's name.
 */
function planeOfRow(row: CsvRow): ManifestRow | undefined {
  const fileName = row('ImageFileName');
  if (fileName === '') return undefined;
  const named = parseHcsAiName(fileName);
  const label = parseWellName(row('Well'));
  const rowNumber = wholeNumber(row('Row'));
  const columnNumber = wholeNumber(row('Column'));
  const numbered =
    rowNumber === undefined || columnNumber === undefined
      ? undefined
      : { row: rowNumber - 1, column: columnNumber - 1 };
  const disagrees = label && numbered && (label.row !== numbered.row || label.column !== numbered.column);
  const t = fromZero(row('Timepoint')) ?? named?.t;
  const folder = row('ImageSubFolderPath') || (t === undefined ? '' : `timepoint${t - 1}`);
  const seconds = positiveNumber(row('TimeStampSec'));
  const filter = plainText(row('ExcitationEmissionFilter'));
  const zIndex = fromZero(row('ZIndex')) ?? named?.z;
  return {
    plane: {
      path: folder === '' ? fileName : `${folder}/${fileName}`,
      ...(label ?? numbered ?? (named ? { row: named.row, column: named.column } : {})),
      ...known({
        site: fromZero(row('Field')) ?? named?.site,
        channel: fromZero(row('Wavelength')) ?? named?.channel,
        z: isHcsAiProjection(fileName) ? 0 : zIndex,
        t,
        xUm: finiteNumber(row('FieldOffsetPointX')) ?? finiteNumber(row('PositionXUm')),
        yUm: finiteNumber(row('FieldOffsetPointY')) ?? finiteNumber(row('PositionYUm')),
        zUm: finiteNumber(row('PositionZUm')),
        acquiredAtMs: seconds === undefined ? undefined : seconds * 1e3,
      }),
      ...(disagrees ? { otherWell: numbered } : {}),
    },
    ...(filter === undefined ? {} : { filter }),
  };
}

/**
 * Reads a manifest row by row. Rows without a file name are told by `skipped`.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readManifest(
  path: string,
  row: (row: ManifestRow) => void,
  skipped: (line: number) => void,
  signal: AbortSignal,
): Promise<void> {
  await scanCsvFile(
    path,
    (cells, line) => {
      const read = planeOfRow(cells);
      if (read) row(read);
      else skipped(line);
    },
    signal,
  );
}
