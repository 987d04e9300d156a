import type { PlateFacts, PlateWarning } from '../../model/plate.ts';
import { type FieldPosition, MAX_RASTER_FIELDS, rasterOrder } from './field-raster.ts';
import type { HarmonyImage } from './harmony-images.ts';

/** Fields named in a warning. */
const MAX_NAMED = 20;

interface Spot {
  readonly xUm: number;
  readonly yUm: number;
}

/** What images say of where one field lies. */
interface SeenField {
  readonly first: Spot;
  /** The spot that more than half of the images tell, if there is one, and by how many it leads. */
  candidate: Spot;
  lead: number;
  images: number;
  /** Images that tell the candidate's spot. */
  confirmed: number;
  minXUm: number;
  maxXUm: number;
  minYUm: number;
  maxYUm: number;
}

const isSpot = (a: Spot, xUm: number, yUm: number): boolean => a.xUm === xUm && a.yUm === yUm;

/** Where most images say that the field lies, else where the first one does. */
const spotOf = ({ first, candidate, confirmed, images }: SeenField): Spot =>
  confirmed * 2 > images ? candidate : first;

function strayUm(seen: SeenField): number {
  const { xUm, yUm } = spotOf(seen);
  return Math.max(seen.maxXUm - xUm, xUm - seen.minXUm, seen.maxYUm - yUm, yUm - seen.minYUm);
}

export interface SiteNumbers {
  /** Site of each field; where empty, a field's site is its own number. */
  readonly siteOf: ReadonlyMap<number, number>;
  readonly grid?: NonNullable<PlateFacts['grid']>;
  readonly orphans: readonly number[];
  readonly warnings: readonly PlateWarning[];
}

function named(fields: readonly number[]): string {
  return fields.slice(0, MAX_NAMED).join(', ') + (fields.length > MAX_NAMED ? ', …' : '');
}

/**
 * Numbers a plate's fields as they lie: Harmony numbers them as it visits them, the centre first and then
 * around it, so that its numbers say nothing of neighbours.
 */
export class HarmonySites {
  readonly #seen = new Map<number, SeenField>();
  readonly #fields = new Set<number>();

  /** Takes a field's number, and its place where the image says it. */
  add({ field, xUm, yUm }: Pick<HarmonyImage, 'field' | 'xUm' | 'yUm'>): void {
    const seen = this.#seen.get(field);
    if (!seen) this.#fields.add(field);
    if (Number.isNaN(xUm) || Number.isNaN(yUm)) return;
    if (!seen) {
      const first = { xUm, yUm };
      const extent = { minXUm: xUm, maxXUm: xUm, minYUm: yUm, maxYUm: yUm };
      this.#seen.set(field, { first, candidate: first, lead: 1, images: 1, confirmed: 0, ...extent });
      return;
    }
    seen.images += 1;
    if (isSpot(seen.candidate, xUm, yUm)) seen.lead += 1;
    else if (seen.lead > 0) seen.lead -= 1;
    else {
      seen.candidate = { xUm, yUm };
      seen.lead = 1;
    }
    if (xUm < seen.minXUm) seen.minXUm = xUm;
    else if (xUm > seen.maxXUm) seen.maxXUm = xUm;
    if (yUm < seen.minYUm) seen.minYUm = yUm;
    else if (yUm > seen.maxYUm) seen.maxYUm = yUm;
  }

  isPlaced(field: number): boolean {
    return this.#seen.has(field);
  }

  /** Takes every image that was added once more: only then is it known what most of them say. */
  confirm({ field, xUm, yUm }: Pick<HarmonyImage, 'field' | 'xUm' | 'yUm'>): void {
    const seen = this.#seen.get(field);
    if (seen && isSpot(seen.candidate, xUm, yUm)) seen.confirmed += 1;
  }

  /**
   * Sites from 1: fields in raster order, then orphans, then fields whose place nobody says, both by their own
   * number. Where no place is known at all, or too many are, sites are the fields' own numbers.
   */
  number(index: string): SiteNumbers {
    if (this.#seen.size === 0) return { siteOf: new Map(), orphans: [], warnings: this.#untold(index) };
    if (this.#fields.size > MAX_RASTER_FIELDS)
      return {
        siteOf: new Map(),
        orphans: [],
        warnings: [
          {
            kind: 'bad-metadata',
            message: `${index} tells of ${this.#fields.size} fields, which is more than a plate has`,
            files: [index],
            rule: "sites are the instrument's own field numbers",
          },
        ],
      };
    const positions = [...this.#seen].map(([field, seen]): FieldPosition => ({ field, ...spotOf(seen) }));
    const { inOrder, orphans, grid, toleranceUm } = rasterOrder(positions);
    const unplaced = [...this.#fields].filter((field) => !this.#seen.has(field)).sort((a, b) => a - b);
    const siteOf = new Map<number, number>();
    for (const field of [...inOrder, ...orphans, ...unplaced]) siteOf.set(field, siteOf.size + 1);
    const stray = [...this.#seen].filter(([, seen]) => strayUm(seen) > toleranceUm).map(([field]) => field);
    return { siteOf, orphans, ...(grid ? { grid } : {}), warnings: this.#warnings(index, stray, unplaced) };
  }

  #untold(index: string): PlateWarning[] {
    if (this.#fields.size < 2) return [];
    return [
      {
        kind: 'unplaced-field',
        message: `nothing says where the ${this.#fields.size} fields lie${index === '' ? '' : ` (${index} gives no positions)`}`,
        files: index === '' ? [] : [index],
        rule: "sites are the instrument's own field numbers, which are no raster order",
      },
    ];
  }

  #warnings(index: string, stray: number[], unplaced: number[]): PlateWarning[] {
    const warnings: PlateWarning[] = [];
    if (stray.length > 0)
      warnings.push({
        kind: 'contradiction',
        message: `${index} places ${stray.length === 1 ? 'field' : 'fields'} ${named(stray.sort((a, b) => a - b))} differently in different images`,
        files: [index],
        rule: 'a field lies where most of its images say, else where the first one says, on the whole plate',
      });
    if (unplaced.length > 0)
      warnings.push({
        kind: 'unplaced-field',
        message: `nothing says where ${unplaced.length === 1 ? 'field' : 'fields'} ${named(unplaced)} ${unplaced.length === 1 ? 'lies' : 'lie'}`,
        files: [index],
        rule: 'they are numbered after all others',
      });
    return warnings;
  }
}
