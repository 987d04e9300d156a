import { dirname } from 'node:path';
import type { PlaneNames } from '../../model/plane-names.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { planeAddress, planeByAddress } from '../../model/plate-lookup.ts';
import { wellName } from '../../model/well.ts';
import type { SharedTree } from '../shared-tree.ts';
import { line, type PlateTable } from './plate-table.ts';

/** One row: all channels of a field at one z and t. */
interface ImageSet {
  readonly z: number;
  readonly t: number;
}

/** What an image is called in a pipeline: letters, digits and `_`, as CellProfiler's measurement names allow. */
function imageNames(index: PlateIndex, channels: readonly number[]): string[] {
  const used = new Set<string>();
  return channels.map((channel) => {
    const known = index.facts.channels.find(({ number }) => number === channel)?.name;
    const wanted = known?.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '') ?? '';
    const plain = wanted === '' ? `w${channel}` : wanted;
    const name = used.has(plain) ? `${plain}_w${channel}` : plain;
    used.add(name);
    return name;
  });
}

/** The image sets of a field, by z, then t. */
function setsOf({ planes }: PlateIndex, first: number, end: number): ImageSet[] {
  const sets = new Map<string, ImageSet>();
  for (let plane = first; plane < end; plane += 1) {
    const z = planes.zs[plane] ?? 0;
    const t = planes.ts[plane] ?? 0;
    sets.set(`${z} ${t}`, { z, t });
  }
  return [...sets.values()].sort((a, b) => a.z - b.z || a.t - b.t);
}

/**
 * `LoadData.csv` for CellProfiler's module of that name: a row per image set, `FileName_` and `PathName_` of every
 * channel, and `Metadata_` columns (columns as in CellProfiler's manual, module LoadData). A channel that a set
 * lacks is an empty cell.
 */
export function loadDataTable(
  { index, axes, fieldStarts }: SharedTree,
  planeNames: PlaneNames,
  imagesFolder: string,
): PlateTable {
  const { channels } = axes;
  const names = imageNames(index, channels);
  const fields = Math.max(0, fieldStarts.length - 1);
  /** Row at which each field begins. */
  const firstRows = new Uint32Array(fields + 1);
  for (let field = 0; field < fields; field += 1)
    firstRows[field + 1] =
      (firstRows[field] ?? 0) + setsOf(index, fieldStarts[field] ?? 0, fieldStarts[field + 1] ?? 0).length;
  let lastField = -1;
  let lastSets: ImageSet[] = [];

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

  return {
    fileName: 'LoadData.csv',
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
      const first = fieldStarts[field] ?? 0;
      if (field !== lastField) {
        lastSets = setsOf(index, first, fieldStarts[field + 1] ?? 0);
        lastField = field;
      }
      const { z = 0, t = 0 } = lastSets[position - (firstRows[field] ?? 0)] ?? {};
      const { well, site } = planeAddress(index, first);
      const planes = channels.map((channel) =>
        planeByAddress(index, well.row, well.column, site, channel, z, t),
      );
      return line([
        ...planes.map((plane) => (plane === undefined ? undefined : planeNames.nameOf(plane))),
        ...planes.map((plane) =>
          plane === undefined ? undefined : dirname(`${imagesFolder}/${planeNames.pathOf(plane)}`),
        ),
        index.facts.name,
        wellName(well),
        well.row + 1,
        well.column + 1,
        site,
        z,
        t,
      ]);
    },
  };
}
