import { BadParameterError } from '../core/errors.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import { float64, GrowingColumn, uint32 } from './growing-column.ts';
import { type PlaneShape, type PlateIndex, WHOLE_FILE } from './plate-index.ts';
import { PLANE_DETAIL_COLUMNS, type PlaneDetailColumn } from './plate-index-columns.ts';

/** What some instruments tell of a plane beside its address. Absent, or NaN, means that the metadata doesn't say. */
export interface PlaneDetail {
  /**
   * Which image of the file the plane is, in the file's own order from 0, where it has to be cut out of a
   * container; then `shape` is needed, so that its size is known before any pixel is read. Absent: the file is
   * the plane and is shown byte for byte.
   */
  readonly page?: number;
  readonly shape?: PlaneShape;
  /** The instrument's own number of the field, where it may differ from the site. */
  readonly fieldId?: number;
  /** Position of the plane in µm, as the metadata has it. */
  readonly xUm?: number;
  readonly yUm?: number;
  readonly zUm?: number;
  /** When it was acquired: Unix time in ms. */
  readonly acquiredAtMs?: number;
  /** When it was acquired: seconds since the first image. */
  readonly elapsedS?: number;
}

const MAX_SHAPES = 255;
const MAX_EXTENT_PX = 0x7fff_ffff;

type Columns = PlateIndex['planes'];
type DetailValues = Pick<
  Columns,
  'pages' | 'shapes' | 'fieldIds' | 'xsUm' | 'ysUm' | 'zsUm' | 'acquiredAtMs' | 'elapsedS'
>;

/** One value per plane, from the first plane on that has one; planes before it get the filler. */
class DetailColumn<A extends Uint8Array | Uint32Array | Float64Array> {
  readonly #column: GrowingColumn<A>;
  readonly #filler: number;
  #told = false;

  constructor(make: (length: number) => A, filler: number) {
    this.#column = new GrowingColumn(make, 0);
    this.#filler = filler;
  }

  get told(): boolean {
    return this.#told;
  }

  set(plane: number, value: number | undefined): void {
    if (!this.#told && (value === undefined || Number.isNaN(value))) return;
    this.#told = true;
    while (this.#column.length < plane) this.#column.push(this.#filler);
    this.#column.push(value ?? this.#filler);
  }

  at(plane: number): number {
    return plane < this.#column.length ? (this.#column.values[plane] ?? this.#filler) : this.#filler;
  }
}

/** Gathers the details of planes; costs nothing for what no plane has. */
export class PlaneDetails {
  readonly shapes: PlaneShape[] = [];
  readonly #shapeNumbers = new Map<string, number>();
  readonly #columns = {
    pages: new DetailColumn(uint32, WHOLE_FILE),
    shapes: new DetailColumn((length) => new Uint8Array(length), 0),
    fieldIds: new DetailColumn(uint32, 0),
    xsUm: new DetailColumn(float64, Number.NaN),
    ysUm: new DetailColumn(float64, Number.NaN),
    zsUm: new DetailColumn(float64, Number.NaN),
    acquiredAtMs: new DetailColumn(float64, Number.NaN),
    elapsedS: new DetailColumn(float64, Number.NaN),
  } satisfies Record<keyof DetailValues, unknown>;

  /**
   * Says what is known of plane `plane`, counted as they come.
   * @throws BadParameterError for a page without a shape, or a number that no column holds.
   */
  set(plane: number, detail: PlaneDetail): void {
    const { page, shape, fieldId } = detail;
    if (page !== undefined && (!Number.isInteger(page) || page < 0 || page >= WHOLE_FILE))
      throw new BadParameterError('page', `${page} is no number of an image in a file`);
    if (page !== undefined && shape === undefined)
      throw new BadParameterError('shape', 'an image in a container needs one');
    if (fieldId !== undefined && (!Number.isInteger(fieldId) || fieldId < 0 || fieldId >= 2 ** 32))
      throw new BadParameterError('fieldId', `${fieldId} is not 0 … 4294967295`);
    const shapeNumber = shape && this.#shapeNumber(shape);
    const columns = this.#columns;
    columns.pages.set(plane, page);
    columns.shapes.set(plane, shapeNumber);
    columns.fieldIds.set(plane, fieldId);
    columns.xsUm.set(plane, detail.xUm);
    columns.ysUm.set(plane, detail.yUm);
    columns.zsUm.set(plane, detail.zUm);
    columns.acquiredAtMs.set(plane, detail.acquiredAtMs);
    columns.elapsedS.set(plane, detail.elapsedS);
  }

  #shapeNumber(shape: PlaneShape): number {
    const { width, height, dtype } = shape;
    const key = `${width} ${height} ${dtype}`;
    const known = this.#shapeNumbers.get(key);
    if (known !== undefined) return known;
    const possible = (extent: number): boolean =>
      Number.isInteger(extent) && extent > 0 && extent <= MAX_EXTENT_PX;
    if (
      !possible(width) ||
      !possible(height) ||
      width * height * itemSizeBytes(dtype) > Number.MAX_SAFE_INTEGER
    )
      throw new BadParameterError('shape', `no image is ${width} × ${height} pixels`);
    if (this.shapes.length >= MAX_SHAPES)
      throw new BadParameterError('shape', `more than ${MAX_SHAPES} shapes of planes in one plate`);
    const number = this.shapes.push(shape);
    this.#shapeNumbers.set(key, number);
    return number;
  }

  /** The columns that the index needs. */
  needed(): PlaneDetailColumn[] {
    const { pages, shapes, fieldIds, xsUm, ysUm, zsUm, acquiredAtMs, elapsedS } = this.#columns;
    const told: Record<PlaneDetailColumn, boolean> = {
      pages: pages.told,
      shapes: shapes.told,
      fieldIds: fieldIds.told,
      positions: xsUm.told || ysUm.told || zsUm.told,
      acquiredAt: acquiredAtMs.told,
      elapsed: elapsedS.told,
    };
    return PLANE_DETAIL_COLUMNS.filter((column) => told[column]);
  }

  /** Writes plane `from`, as it came, to place `to` of the index. */
  write(target: DetailValues, from: number, to: number): void {
    for (const name of Object.keys(this.#columns) as (keyof DetailValues)[])
      if (target[name].length > 0) target[name][to] = this.#columns[name].at(from);
  }
}
