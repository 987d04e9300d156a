import type { PlaneNames } from '../../model/plane-names.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { WHOLE_FILE } from '../../model/plate-index.ts';
import { filePath, planeAddress } from '../../model/plate-lookup.ts';
import { wellName } from '../../model/well.ts';
import { line, type PlateTable } from './plate-table.ts';

const COLUMNS = [
  'name',
  'source',
  'page',
  'well',
  'row',
  'column',
  'field',
  'instrument_field',
  'channel',
  'channel_name',
  'z',
  't',
  'x_um',
  'y_um',
  'z_um',
  'acquired',
  'elapsed_s',
  'pixel_size_x_um',
  'pixel_size_y_um',
] as const;

/** `plate.csv`: a row per plane, by its path below images/, in the order of addresses. Everything counts from 1; z 0 is a projection. */
export function planeTable(index: PlateIndex, names: PlaneNames): PlateTable {
  const { planes, facts } = index;
  const channelNames = new Map(facts.channels.map(({ number, name }) => [number, name]));
  return {
    fileName: 'plate.csv',
    header: line(COLUMNS),
    rowCount: planes.count,
    row: (plane) => {
      const { well, site, channel, z, t } = planeAddress(index, plane);
      const page = planes.pages[plane] ?? WHOLE_FILE;
      const fieldId = planes.fieldIds[plane] ?? 0;
      const acquiredAtMs = planes.acquiredAtMs[plane] ?? Number.NaN;
      return line([
        names.pathOf(plane),
        filePath(index, planes.files[plane] ?? 0),
        page === WHOLE_FILE ? undefined : page,
        wellName(well),
        well.row + 1,
        well.column + 1,
        site,
        fieldId === 0 ? undefined : fieldId,
        channel,
        channelNames.get(channel),
        z,
        t,
        planes.xsUm[plane],
        planes.ysUm[plane],
        planes.zsUm[plane],
        Number.isNaN(acquiredAtMs) ? undefined : new Date(acquiredAtMs).toISOString(),
        planes.elapsedS[plane],
        facts.pixelSizeUm?.x,
        facts.pixelSizeUm?.y,
      ]);
    },
  };
}
