import { dirname } from 'node:path';
import type { PlaneNames } from '../../model/plane-names.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { planeAddress } from '../../model/plate-lookup.ts';
import { wellName } from '../../model/well.ts';
import type { SharedTree } from '../shared-tree.ts';
import { type ImageSet, type IsShown, imageSets } from './image-sets.ts';
import { cell, line, type PlateTable } from './plate-table.ts';

/** What an image is called in a pipeline: letters, digits and `_`, as CellProfiler's measurement names allow. */
function imageNames(index: PlateIndex, channels: readonly number[]): string[] {
  // A database that the measurements are exported to doesn't tell upper case from lower.
  const used = new Set<string>();
  return channels.map((channel) => {
    const known = index.facts.channels.find(({ number }) => number === channel)?.name;
    const wanted = known?.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '') ?? '';
    let name = wanted === '' ? `w${channel}` : wanted;
    while (used.has(name.toLowerCase())) name += `_w${channel}`;
    used.add(name.toLowerCase());
    return name;
  });
}

/** Which image sets a table has: those with an image of every channel, or the others. */
export type ImageSetChoice = 'complete' | 'incomplete';

/**
 * `LoadData.csv` for CellProfiler's module of that name: a row per image set, `FileName_` and `PathName_` of every
 * channel, and `Metadata_` columns (columns as in CellProfiler's manual, module LoadData). CellProfiler opens an
 * image for every `FileName_` cell, also an empty one, and a run ends where that fails: sets that lack a channel
 * stand in a table of their own, `LoadData_incomplete.csv`, with empty cells. A plane that images/ has no file of is
 * taken for one that the plate lacks.
 */
export function loadDataTable(
  { index, axes, fieldStarts }: SharedTree,
  planeNames: PlaneNames,
  imagesFolder: string,
  choice: ImageSetChoice,
  isShown?: IsShown,
): PlateTable {
  const { channels } = axes;
  const names = imageNames(index, channels);
  const fields = Math.max(0, fieldStarts.length - 1);
  const setsOf = function* (first: number, end: number): Generator<ImageSet> {
    for (const set of imageSets(index, channels, first, end, isShown))
      if (set.planes.includes(-1) === (choice === 'incomplete')) yield set;
  };
  /** Row at which each field begins. */
  const firstRows = new Uint32Array(fields + 1);
  for (let field = 0; field < fields; field += 1) {
    let rows = firstRows[field] ?? 0;
    for (const _ of setsOf(fieldStarts[field] ?? 0, fieldStarts[field + 1] ?? 0)) rows += 1;
    firstRows[field + 1] = rows;
  }
  const plate = cell(index.facts.name);
  const flat = cell(imagesFolder);
  const pathOf = (plane: number): string =>
    planeNames.depth === 0 ? flat : cell(dirname(`${imagesFolder}/${planeNames.pathOf(plane)}`));
  /** The sets of one field as they are walked through, and the row that comes next: rows are asked for in order. */
  let walk = { field: -1, next: 0, place: '', sets: setsOf(0, 0) };

  const enter = (field: number): void => {
    const first = fieldStarts[field] ?? 0;
    const { well, site } = planeAddress(index, first);
    const place = `${plate},${wellName(well)},${well.row + 1},${well.column + 1},${site}`;
    const sets = setsOf(first, fieldStarts[field + 1] ?? 0);
    walk = { field, next: firstRows[field] ?? 0, place, sets };
  };

  const rowOf = (place: string, { z, t, planes }: ImageSet): string => {
    let images = '';
    let paths = '';
    for (const plane of planes) {
      images += plane < 0 ? ',' : `${cell(planeNames.nameOf(plane))},`;
      paths += plane < 0 ? ',' : `${pathOf(plane)},`;
    }
    return `${images}${paths}${place},${z},${t}\n`;
  };

  const fieldOfRow = (row: number): number => {
    let low = 0;
    let high = fields;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if ((firstRows[middle] ?? 0) <= row) low = middle;
      else high = middle;
    }
    return low;
  };

  const fileName = choice === 'complete' ? 'LoadData.csv' : 'LoadData_incomplete.csv';
  return {
    fileName,
    header: line([
      ...names.map((name) => `FileName_${name}`),
      ...names.map((name) => `PathName_${name}`),
      'Metadata_Plate',
      'Metadata_Well',
      'Metadata_Row',
      'Metadata_Column',
      'Metadata_Site',
      'Metadata_Z',
      'Metadata_T',
    ]),
    rowCount: firstRows[fields] ?? 0,
    row: (position) => {
      const field = fieldOfRow(position);
      if (field !== walk.field || position < walk.next) enter(field);
      for (;;) {
        const { value: set } = walk.sets.next();
        if (!set) throw new Error(`${fileName} has no row ${position}`);
        walk.next += 1;
        if (walk.next > position) return rowOf(walk.place, set);
      }
    },
  };
}
