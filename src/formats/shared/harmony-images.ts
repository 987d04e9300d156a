import { float64, GrowingColumn, uint8, uint16, uint32 } from '../../model/growing-column.ts';

/** One Image element of an Index, in plain numbers; what it doesn't say is -1 or NaN. */
export interface HarmonyImage {
  /** Number of its file, or -1 where there is none on disk. */
  file: number;
  /** Counting from 0. */
  row: number;
  column: number;
  /** The instrument's own number of the field. */
  field: number;
  plane: number;
  channel: number;
  timepointId: number;
  flimId: number;
  /** `sk`, `fk` and `fl` of its file's name. */
  slowKinetic: number;
  fastKinetic: number;
  lifetime: number;
  /** Position of the field relative to the well's centre, y upwards, and of the plane. */
  xUm: number;
  yUm: number;
  zUm: number;
  acquiredAtMs: number;
  elapsedS: number;
  /** Its file's name says nothing else of it. */
  agrees: boolean;
}

/** The images of an Index as columns: a million of them stay small. */
export class HarmonyImages {
  readonly #whole = {
    row: new GrowingColumn(uint8),
    column: new GrowingColumn(uint8),
    channel: new GrowingColumn(uint16),
    agrees: new GrowingColumn(uint8),
  };
  /** Plus 1, so that -1 can be held. */
  readonly #optional = {
    file: new GrowingColumn(uint32),
    field: new GrowingColumn(uint32),
    plane: new GrowingColumn(uint32),
    timepointId: new GrowingColumn(uint32),
    flimId: new GrowingColumn(uint32),
    slowKinetic: new GrowingColumn(uint32),
    fastKinetic: new GrowingColumn(uint32),
    lifetime: new GrowingColumn(uint32),
  };
  readonly #real = {
    xUm: new GrowingColumn(float64),
    yUm: new GrowingColumn(float64),
    zUm: new GrowingColumn(float64),
    acquiredAtMs: new GrowingColumn(float64),
    elapsedS: new GrowingColumn(float64),
  };

  get count(): number {
    return this.#whole.row.length;
  }

  /** Copies the image; returns its number. */
  push(image: HarmonyImage): number {
    const { row, column, channel, agrees } = this.#whole;
    agrees.push(image.agrees ? 1 : 0);
    column.push(image.column);
    channel.push(image.channel);
    const { file, field, plane, timepointId, flimId, slowKinetic, fastKinetic, lifetime } = this.#optional;
    file.push(image.file + 1);
    field.push(image.field + 1);
    plane.push(image.plane + 1);
    timepointId.push(image.timepointId + 1);
    flimId.push(image.flimId + 1);
    slowKinetic.push(image.slowKinetic + 1);
    fastKinetic.push(image.fastKinetic + 1);
    lifetime.push(image.lifetime + 1);
    const { xUm, yUm, zUm, acquiredAtMs, elapsedS } = this.#real;
    xUm.push(image.xUm);
    yUm.push(image.yUm);
    zUm.push(image.zUm);
    acquiredAtMs.push(image.acquiredAtMs);
    elapsedS.push(image.elapsedS);
    return row.push(image.row);
  }

  /** Says that an image has no file of its own after all. */
  dropFile(number: number): void {
    this.#optional.file.values[number] = 0;
  }

  /** Fills `image` with the values of one. */
  read(number: number, image: HarmonyImage): void {
    const { row, column, channel, agrees } = this.#whole;
    image.agrees = agrees.values[number] === 1;
    image.row = row.values[number] ?? 0;
    image.column = column.values[number] ?? 0;
    image.channel = channel.values[number] ?? 0;
    const { file, field, plane, timepointId, flimId, slowKinetic, fastKinetic, lifetime } = this.#optional;
    image.file = (file.values[number] ?? 0) - 1;
    image.field = (field.values[number] ?? 0) - 1;
    image.plane = (plane.values[number] ?? 0) - 1;
    image.timepointId = (timepointId.values[number] ?? 0) - 1;
    image.flimId = (flimId.values[number] ?? 0) - 1;
    image.slowKinetic = (slowKinetic.values[number] ?? 0) - 1;
    image.fastKinetic = (fastKinetic.values[number] ?? 0) - 1;
    image.lifetime = (lifetime.values[number] ?? 0) - 1;
    const { xUm, yUm, zUm, acquiredAtMs, elapsedS } = this.#real;
    image.xUm = xUm.values[number] ?? Number.NaN;
    image.yUm = yUm.values[number] ?? Number.NaN;
    image.zUm = zUm.values[number] ?? Number.NaN;
    image.acquiredAtMs = acquiredAtMs.values[number] ?? Number.NaN;
    image.elapsedS = elapsedS.values[number] ?? Number.NaN;
  }

  /** Every image in order; the same object each time. */
  *all(): Generator<HarmonyImage> {
    const image = emptyHarmonyImage();
    for (let i = 0; i < this.count; i += 1) {
      this.read(i, image);
      yield image;
    }
  }
}

export function emptyHarmonyImage(): HarmonyImage {
  return {
    file: -1,
    row: -1,
    column: -1,
    field: -1,
    plane: -1,
    channel: -1,
    timepointId: -1,
    flimId: -1,
    slowKinetic: -1,
    fastKinetic: -1,
    lifetime: -1,
    xUm: Number.NaN,
    yUm: Number.NaN,
    zUm: Number.NaN,
    acquiredAtMs: Number.NaN,
    elapsedS: Number.NaN,
    agrees: true,
  };
}
