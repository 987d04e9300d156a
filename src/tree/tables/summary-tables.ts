import type { PlateIndex } from '../../model/plate-index.ts';
import { wellName } from '../../model/well.ts';
import { line, type PlateTable } from './plate-table.ts';

function tableOf(
  fileName: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number | undefined)[])[],
): PlateTable {
  return {
    fileName,
    header: line(columns),
    rowCount: rows.length,
    row: (position) => line(rows[position] ?? []),
  };
}

/** `channels.csv`: a row per channel. */
export function channelTable(index: PlateIndex): PlateTable {
  const { channels, zs } = index.planes;
  const counts = new Map<number, { planes: number; projections: number }>();
  for (let plane = 0; plane < index.planes.count; plane += 1) {
    const channel = channels[plane] ?? 0;
    const count = counts.get(channel) ?? { planes: 0, projections: 0 };
    counts.set(channel, count);
    if (zs[plane] === 0) count.projections += 1;
    else count.planes += 1;
  }
  const rows = [...counts].sort(([a], [b]) => a - b);
  return tableOf(
    'channels.csv',
    ['channel', 'name', 'excitation_nm', 'emission_nm', 'planes', 'projections'],
    rows.map(([channel, { planes, projections }]) => {
      const known = index.facts.channels.find(({ number }) => number === channel);
      return [channel, known?.name, known?.excitationNm, known?.emissionNm, planes, projections];
    }),
  );
}

/** `wells.csv`: a row per well that has images. Planes are sorted by well. */
export function wellTable(index: PlateIndex): PlateTable {
  const { planes } = index;
  const rows: (string | number)[][] = [];
  for (let first = 0; first < planes.count; ) {
    const row = planes.rows[first] ?? 0;
    const column = planes.columns[first] ?? 0;
    const sets = { fields: new Set<number>(), channels: new Set<number>(), zs: new Set<number>() };
    const ts = new Set<number>();
    let end = first;
    for (; end < planes.count && planes.rows[end] === row && planes.columns[end] === column; end += 1) {
      sets.fields.add(planes.sites[end] ?? 0);
      sets.channels.add(planes.channels[end] ?? 0);
      sets.zs.add(planes.zs[end] ?? 0);
      ts.add(planes.ts[end] ?? 0);
    }
    const { fields, channels, zs } = sets;
    const name = wellName({ row, column });
    rows.push([name, row + 1, column + 1, end - first, fields.size, channels.size, zs.size, ts.size]);
    first = end;
  }
  return tableOf(
    'wells.csv',
    ['well', 'row', 'column', 'planes', 'fields', 'channels', 'z_positions', 'time_points'],
    rows,
  );
}
