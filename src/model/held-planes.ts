import { EXCLUSIONS, type PlateIndex } from './plate-index.ts';
import { countsOf, layOutColumns } from './plate-index-columns.ts';

/** The same plate without the planes of some files, which are excluded as `incomplete`. */
export function holdPlanes(index: PlateIndex, held: ReadonlySet<number>): PlateIndex {
  if (held.size === 0) return index;
  const { planes } = index;
  const kept: number[] = [];
  for (let plane = 0; plane < planes.count; plane += 1)
    if (!held.has(planes.files[plane] ?? 0)) kept.push(plane);
  const { columns } = layOutColumns({ ...countsOf(index), planes: kept.length });
  copyColumns(index.directories, columns.directories);
  copyColumns(index.files, columns.files);
  columns.files.planes.fill(0);
  for (const name of Object.keys(columns.planes) as (keyof PlateIndex['planes'])[]) {
    const from = planes[name];
    const to = columns.planes[name];
    if (typeof from === 'number' || typeof to === 'number' || to.length === 0) continue;
    for (const [position, plane] of kept.entries()) to[position] = from[plane] ?? 0;
  }
  for (const position of kept.keys()) {
    const file = columns.planes.files[position] ?? 0;
    if (columns.files.planes[file] === 0) columns.files.planes[file] = position + 1;
  }
  for (const file of held) columns.files.exclusions[file] = EXCLUSIONS.indexOf('incomplete');
  return { ...index, ...columns };
}

function copyColumns<T extends PlateIndex['directories'] | PlateIndex['files']>(from: T, to: T): void {
  to.names.bytes.set(from.names.bytes);
  to.names.starts.set(from.names.starts);
  for (const [name, column] of Object.entries(to)) {
    const source = from[name as keyof T];
    if (column instanceof BigUint64Array && source instanceof BigUint64Array) column.set(source);
    else if (
      (column instanceof Uint32Array && source instanceof Uint32Array) ||
      (column instanceof Float64Array && source instanceof Float64Array) ||
      (column instanceof Uint8Array && source instanceof Uint8Array)
    )
      column.set(source);
  }
}
