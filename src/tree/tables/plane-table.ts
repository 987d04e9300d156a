import type { PlaneNames } from '../../model/plane-names.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { WHOLE_FILE } from '../../model/plate-index.ts';
import { directoryPath, nameAt } from '../../model/plate-lookup.ts';
import { wellName } from '../../model/well.ts';
import type { IsShown } from './image-sets.ts';
import { cell, line, type PlateTable } from './plate-table.ts';

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

/**
 * `plate.csv`: a row per plane, by its path below images/, in the order of addresses. Everything counts from 1; z 0 is
 * a projection. The name of a plane that images/ has no file of is empty.
 */
export function planeTable(index: PlateIndex, names: PlaneNames, isShown?: IsShown): PlateTable {
  const { planes, facts, files } = index;
  const channelNames = new Map(facts.channels.map(({ number, name }) => [number, cell(name)]));
  const pixelSize = `${cell(facts.pixelSizeUm?.x)},${cell(facts.pixelSizeUm?.y)}`;
  /** Paths of folders with a slash behind, by number, made when first needed. */
  const folders = [''];
  // Neighbouring planes share their field.
  let field = { row: -1, column: -1, site: -1, cells: '' };

  const fieldCells = (plane: number): string => {
    const row = planes.rows[plane] ?? 0;
    const column = planes.columns[plane] ?? 0;
    const site = planes.sites[plane] ?? 0;
    if (row !== field.row || column !== field.column || site !== field.site) {
      const cells = `${wellName({ row, column })},${row + 1},${column + 1},${site}`;
      field = { row, column, site, cells };
    }
    return field.cells;
  };

  const sourceCell = (plane: number): string => {
    const file = planes.files[plane] ?? 0;
    const number = files.directories[file] ?? 0;
    folders[number] ??= `${directoryPath(index, number)}/`;
    return cell(folders[number] + nameAt(files.names, file));
  };

  return {
    fileName: 'plate.csv',
    header: line(COLUMNS),
    rowCount: planes.count,
    row: (plane) => {
      const page = planes.pages[plane] ?? WHOLE_FILE;
      const fieldId = planes.fieldIds[plane] ?? 0;
      const channel = planes.channels[plane] ?? 0;
      const acquiredAtMs = planes.acquiredAtMs[plane] ?? Number.NaN;
      const name = isShown?.(plane) === false ? '' : cell(names.pathOf(plane));
      const image = `${name},${sourceCell(plane)},${page === WHOLE_FILE ? '' : page}`;
      const place = `${fieldCells(plane)},${fieldId === 0 ? '' : fieldId},${channel},${channelNames.get(channel) ?? ''}`;
      const position = `${cell(planes.xsUm[plane])},${cell(planes.ysUm[plane])},${cell(planes.zsUm[plane])}`;
      const acquired = Number.isNaN(acquiredAtMs) ? '' : new Date(acquiredAtMs).toISOString();
      return `${image},${place},${planes.zs[plane]},${planes.ts[plane]},${position},${acquired},${cell(planes.elapsedS[plane])},${pixelSize}\n`;
    },
  };
}
