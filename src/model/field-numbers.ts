import type { NameTemplate } from './name-template.ts';
import type { PlateIndex } from './plate-index.ts';
import { refuseTemplate } from './template-text.ts';
import { MAX_WELL_COLUMNS, wellName } from './well.ts';

/** Sites of a plate by well and the instrument's own field number, sorted by key. */
export interface FieldNumbers {
  readonly keys: Float64Array;
  readonly sites: Uint32Array;
}

/** The instrument's own number of a plane's field; the site where it has none. */
export function fieldNumberOf({ planes }: PlateIndex, plane: number): number {
  return planes.fieldIds[plane] || (planes.sites[plane] ?? 0);
}

/** Field numbers have 32 bits, wells 11. */
const keyOf = (row: number, column: number, field: number): number =>
  (row * MAX_WELL_COLUMNS + column) * 2 ** 32 + field;

/**
 * The sites by their field numbers, or undefined where every number is the site.
 * @throws BadParameterError when a number stands for two sites, or a site has two.
 */
export function fieldNumbers(index: PlateIndex, { origin }: NameTemplate): FieldNumbers | undefined {
  const { count, rows, columns, sites } = index.planes;
  const found: { key: number; site: number }[] = [];
  let differs = false;
  for (let i = 0; i < count; i += 1) {
    const row = rows[i] ?? 0;
    const column = columns[i] ?? 0;
    const site = sites[i] ?? 0;
    const field = fieldNumberOf(index, i);
    const key = keyOf(row, column, field);
    differs ||= field !== site;
    const isSameSite = i > 0 && rows[i - 1] === row && columns[i - 1] === column && sites[i - 1] === site;
    if (!isSameSite) found.push({ key, site });
    else if (found.at(-1)?.key !== key)
      refuseTemplate(
        origin,
        `names planes by the instrument's field number, and planes of ${wellName({ row, column })} site ${site} have several; write {site}`,
      );
  }
  if (!differs) return undefined;
  found.sort((a, b) => a.key - b.key);
  const keys = new Float64Array(new SharedArrayBuffer(8 * found.length));
  const numbers = new Uint32Array(new SharedArrayBuffer(4 * found.length));
  for (const [i, { key, site }] of found.entries()) {
    if (i > 0 && keys[i - 1] === key) {
      const well = Math.floor(key / 2 ** 32);
      const name = wellName({ row: Math.floor(well / MAX_WELL_COLUMNS), column: well % MAX_WELL_COLUMNS });
      refuseTemplate(
        origin,
        `names planes by the instrument's field number, and ${key % 2 ** 32} is that of two sites of ${name}; write {site}`,
      );
    }
    keys[i] = key;
    numbers[i] = site;
  }
  return { keys, sites: numbers };
}

/** The site with this field number, or undefined. */
export function siteOfField(
  { keys, sites }: FieldNumbers,
  row: number,
  column: number,
  field: number,
): number | undefined {
  const key = keyOf(row, column, field);
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? 0) < key) low = middle + 1;
    else high = middle;
  }
  return keys[low] === key ? sites[low] : undefined;
}
