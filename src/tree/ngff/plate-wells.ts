import { type NgffVersion, type NgffWellImage, plateOf, wellOf } from '../../model/ngff.ts';
import { rowLetters, type WellPosition } from '../../model/well.ts';
import type { FieldImage, FieldImages } from '../field-images.ts';
import type { SharedTree } from '../shared-tree.ts';

/** A field of a well. */
interface WellField {
  readonly field: number;
  readonly site: number;
}

/** An image of a field, and its permanent place among those of the well. */
interface WellImage extends FieldImage {
  readonly site: number;
  readonly place: number;
}

interface Well extends WellPosition {
  readonly fields: readonly WellField[];
}

const STACK_ACQUISITION = 0;
const PROJECTION_ACQUISITION = 1;

/** The folder of a field's image: the site counted from 0, as others do; of its projections with a `p` before it. */
export const imageName = (site: number, projection: boolean): string => `${projection ? 'p' : ''}${site - 1}`;

/** The site and kind that an image's name says. */
export function parseImageName(name: string): { site: number; projection: boolean } | undefined {
  const match = /^(p?)(0|[1-9]\d{0,8})$/.exec(name);
  return match ? { site: Number(match[2]) + 1, projection: match[1] === 'p' } : undefined;
}

export const columnText = (column: number): string => String(column + 1);

/** The wells of a plate and what OME-NGFF says of them. Looked through when it is first asked. */
export class PlateWells {
  readonly #shared: SharedTree;
  readonly #images: FieldImages;
  #found: readonly Well[] | undefined;
  readonly #listed = new Map<Well, readonly WellImage[]>();

  constructor(shared: SharedTree, images: FieldImages) {
    this.#shared = shared;
    this.#images = images;
  }

  /** Every well in natural order. */
  get wells(): readonly Well[] {
    this.#found ??= this.#look();
    return this.#found;
  }

  #look(): Well[] {
    const { fieldStarts, index } = this.#shared;
    const { rows, columns, sites } = index.planes;
    const wells: (WellPosition & { fields: WellField[] })[] = [];
    for (let field = 0; field + 1 < fieldStarts.length; field += 1) {
      const plane = fieldStarts[field] ?? 0;
      const row = rows[plane] ?? 0;
      const column = columns[plane] ?? 0;
      let well = wells.at(-1);
      if (well?.row !== row || well.column !== column) {
        well = { row, column, fields: [] };
        wells.push(well);
      }
      well.fields.push({ field, site: sites[plane] ?? 0 });
    }
    return wells;
  }

  find(row: number, column: number): Well | undefined {
    return this.wells.find((well) => well.row === row && well.column === column);
  }

  /** Images of a well in the order of their sites, each at a place that stays its own. */
  listedImages(well: Well): readonly WellImage[] {
    const known = this.#listed.get(well);
    if (known) return known;
    const found = well.fields.flatMap(({ field, site }) =>
      [false, true].map((projection) => ({
        field,
        projection,
        site,
        place: 2 * site + (projection ? 1 : 0),
      })),
    );
    const images = found.filter((image) => this.#images.has(image));
    this.#listed.set(well, images);
    return images;
  }

  /** `{ well }` of a well. */
  wellAttributes(well: Well, version: NgffVersion): object {
    const images: NgffWellImage[] = this.listedImages(well).map(({ site, projection }) => ({
      path: imageName(site, projection),
      acquisition: projection ? PROJECTION_ACQUISITION : STACK_ACQUISITION,
    }));
    // Readers that show one image of a well take the first.
    images.sort((a, b) => a.acquisition - b.acquisition);
    return { well: wellOf(images, version) };
  }

  /** `{ plate }`: every row and column where the plate says how many it has, else those with wells. */
  plateAttributes(version: NgffVersion): object {
    const { axes, index } = this.#shared;
    const { name, plateRows, plateColumns } = index.facts;
    const { wells } = this;
    const rows = listed(plateRows, wells, 'row');
    const columns = listed(plateColumns, wells, 'column');
    const fieldCount = (projection: boolean): number =>
      Math.max(
        0,
        ...wells.map(
          (well) => this.listedImages(well).filter((image) => image.projection === projection).length,
        ),
      );
    const kinds = [
      { id: STACK_ACQUISITION, name: 'planes', channels: axes.stackChannels, fields: fieldCount(false) },
      {
        id: PROJECTION_ACQUISITION,
        name: 'projections',
        channels: axes.projectionChannels,
        fields: fieldCount(true),
      },
    ];
    const plate = plateOf(
      {
        name,
        fieldCount: Math.max(...wells.map(({ fields }) => fields.length), 0),
        acquisitions: kinds.filter(({ channels }) => channels.length > 0),
        rows: rows.map(rowLetters),
        columns: columns.map(columnText),
        wells: wells.map(({ row, column }) => ({
          rowIndex: rows.indexOf(row),
          columnIndex: columns.indexOf(column),
        })),
      },
      version,
    );
    return plate ? { plate } : {};
  }
}

/** Rows or columns of the plate: all that it has, or those with wells. */
function listed(
  count: number | undefined,
  wells: readonly WellPosition[],
  axis: 'row' | 'column',
): readonly number[] {
  const used = [...new Set(wells.map((well) => well[axis]))].sort((a, b) => a - b);
  const last = used.at(-1) ?? -1;
  return count !== undefined && count > last ? Array.from({ length: count }, (_, i) => i) : used;
}
