import { BadParameterError } from '../../core/errors.ts';
import { known } from '../../core/metadata-values.ts';
import type { ChannelFacts, PlateFacts } from '../../model/plate.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import type { MmFrame, MmSummary } from './mm-frame.ts';
import { type MmPosition, placePositions } from './mm-position.ts';
import { isPlace } from './plane-place.ts';
import { PlanePositions } from './plane-positions.ts';
import type { PlateSurvey } from './plate-survey.ts';
import { WarningTally } from './warning-tally.ts';

/** Images whose own metadata is read; of a larger acquisition only the first of each position is asked. */
export const MAX_FRAMES_READ = 20_000;

/** An image of an acquisition. */
export interface MmImage {
  readonly file: number;
  readonly path: string;
  /** Which image of the file; absent where the file is the image. */
  readonly page?: number;
  readonly shape?: PlaneShape;
  /** Number that {@link MmPlanes.position} gave. */
  readonly position: number;
  /** The channel's number from 0, or its name. */
  readonly channel: number | string;
  readonly z: number;
  readonly t: number;
  readonly frame?: MmFrame;
}

const NONE = -1;

const elapsedMs = (elapsedS: number | undefined): number | undefined =>
  elapsedS === undefined ? undefined : elapsedS * 1e3;

/** Gathers the images of an acquisition and lays them out as planes of a plate. */
export class MmPlanes {
  readonly #survey: PlateSurvey;
  readonly #positions: (MmPosition & { name?: string })[] = [];
  readonly #positionNumbers = new Map<string, number>();
  readonly #channelKeys = new Map<number | string, number>();
  readonly #channelNames = new Map<number | string, string>();
  readonly #shapes: PlaneShape[] = [];
  readonly #shapeNumbers = new Map<string, number>();
  /** One value per image. */
  readonly #images = {
    files: [] as number[],
    pages: [] as number[],
    shapes: [] as number[],
    positions: [] as number[],
    channels: [] as number[],
    zs: [] as number[],
    ts: [] as number[],
    xsUm: [] as number[],
    ysUm: [] as number[],
    zsUm: [] as number[],
    elapsedS: [] as number[],
  };
  readonly #extensions: string[] = [];
  readonly #extensionsOf: number[] = [];
  #pixelSizeUm: number | undefined;
  #pixelSizesDiffer = false;
  #lowestZ = 0;
  #lowestT = 0;

  constructor(survey: PlateSurvey) {
    this.#survey = survey;
  }

  get count(): number {
    return this.#images.files.length;
  }

  /** The number of a position; `key` tells it from others. A name that comes late is taken. */
  position(key: string, position: MmPosition): number {
    const known = this.#positionNumbers.get(key);
    if (known !== undefined) {
      const found = this.#positions[known];
      if (found && found.name === undefined && position.name !== undefined) found.name = position.name;
      return known;
    }
    const number = this.#positions.push({ ...position }) - 1;
    this.#positionNumbers.set(key, number);
    return number;
  }

  add({ file, path, page, shape, position, channel, z, t, frame = {} }: MmImage): void {
    const images = this.#images;
    images.files.push(file);
    images.pages.push(page ?? NONE);
    images.shapes.push(shape ? this.#shape(shape) : NONE);
    images.positions.push(position);
    images.channels.push(this.#channel(channel));
    images.zs.push(z);
    images.ts.push(t);
    images.xsUm.push(frame.xUm ?? Number.NaN);
    images.ysUm.push(frame.yUm ?? Number.NaN);
    images.zsUm.push(frame.zUm ?? Number.NaN);
    images.elapsedS.push(frame.elapsedS ?? Number.NaN);
    this.#extensionsOf.push(this.#extension(page === undefined ? path.slice(path.lastIndexOf('.')) : '.tif'));
    if (frame.channelName !== undefined && !this.#channelNames.has(channel))
      this.#channelNames.set(channel, frame.channelName);
    if (frame.pixelSizeUm !== undefined) {
      this.#pixelSizeUm ??= frame.pixelSizeUm;
      if (this.#pixelSizeUm !== frame.pixelSizeUm) this.#pixelSizesDiffer = true;
    }
    this.#lowestZ = Math.min(this.#lowestZ, z);
    this.#lowestT = Math.min(this.#lowestT, t);
  }

  #shape(shape: PlaneShape): number {
    const key = `${shape.width} ${shape.height} ${shape.dtype}`;
    let number = this.#shapeNumbers.get(key);
    if (number === undefined) {
      number = this.#shapes.push(shape) - 1;
      this.#shapeNumbers.set(key, number);
    }
    return number;
  }

  #extension(extension: string): number {
    const known = this.#extensions.indexOf(extension);
    return known < 0 ? this.#extensions.push(extension) - 1 : known;
  }

  #channel(key: number | string): number {
    let number = this.#channelKeys.get(key);
    if (number === undefined) {
      number = this.#channelKeys.size;
      this.#channelKeys.set(key, number);
    }
    return number;
  }

  /**
   * Numbers from 1 by the order in which channels came: numbers keep their own, names stand where the summary
   * lists them, others behind.
   */
  #channelNumbers(listed: readonly string[]): number[] {
    const numbers: number[] = [];
    const taken = new Set<number>();
    const give = (at: number, number: number): void => {
      numbers[at] = number;
      taken.add(number);
    };
    for (const [key, at] of this.#channelKeys) {
      const number = typeof key === 'number' ? key + 1 : listed.indexOf(key) + 1;
      if (number !== 0 && !taken.has(number)) give(at, number);
    }
    let next = 1;
    for (const at of this.#channelKeys.values()) {
      if (numbers[at] !== undefined) continue;
      while (taken.has(next)) next += 1;
      give(at, next);
    }
    return numbers;
  }

  #channelFacts(numbers: readonly number[], listed: readonly string[]): ChannelFacts[] {
    return [...this.#channelKeys]
      .map(([key, at]) => {
        const name = typeof key === 'string' ? key : (this.#channelNames.get(key) ?? listed[key]);
        return { number: numbers[at] ?? 0, ...(name === undefined || name === '' ? {} : { name }) };
      })
      .filter(({ number }) => number > 0)
      .sort((a, b) => a.number - b.number);
  }

  /** Adds the planes to the survey's index; returns the facts that follow. */
  finish(summary: MmSummary | undefined): {
    facts: Omit<PlateFacts, 'name' | 'format' | 'formatDetail'>;
    hasWells: boolean;
  } {
    const listed = summary?.channelNames ?? [];
    const { fields, hasWells } = placePositions(this.#positions);
    const numbers = this.#channelNumbers(listed);
    const unusable = new WarningTally();
    const measures = new PlanePositions();
    const images = this.#images;
    const extents = { zs: new Set<number>(), ts: new Set<number>() };
    for (let i = 0; i < this.count; i += 1) {
      const field = fields[images.positions[i] ?? 0] ?? { row: 0, column: 0, site: 0 };
      // Axes of an acquisition count from 0, and from below it where it was centred.
      const place = {
        ...field,
        channel: numbers[images.channels[i] ?? 0] ?? 0,
        z: (images.zs[i] ?? 0) - this.#lowestZ + 1,
        t: (images.ts[i] ?? 0) - this.#lowestT + 1,
      };
      const file = images.files[i] ?? 0;
      if (!isPlace(place)) {
        unusable.add(this.#survey.builder.path(file));
        continue;
      }
      extents.zs.add(place.z);
      extents.ts.add(place.t);
      const detail = this.#detail(i);
      // Times of acquisition and times since the first image have the same steps.
      measures.note({ ...place, ...detail, ...known({ acquiredAtMs: elapsedMs(detail.elapsedS) }) });
      try {
        const { row, column, site, channel, z, t } = place;
        const extension = this.#extensions[this.#extensionsOf[i] ?? 0] ?? '.tif';
        this.#survey.builder.addPlane(file, row, column, site, channel, z, t, extension, detail);
      } catch (error) {
        // More shapes than an index holds, or an extent that no image has.
        if (!(error instanceof BadParameterError)) throw error;
        const path = this.#survey.builder.path(file);
        unusable.add(path, `${path}: ${error.message}`);
      }
    }
    for (const warning of unusable.tell(
      'bad-metadata',
      'image has coordinates or a size that no plane has',
      'images have coordinates or sizes that no plane has',
      'they are reachable under source/ only',
    ))
      this.#survey.builder.addWarning(warning);
    return { hasWells, facts: this.#facts(summary, measures, extents, this.#channelFacts(numbers, listed)) };
  }

  #detail(i: number) {
    const { pages, shapes, xsUm, ysUm, zsUm, elapsedS } = this.#images;
    const shape = this.#shapes[shapes[i] ?? NONE];
    const page = pages[i] ?? NONE;
    const measured = (value: number | undefined): number | undefined =>
      value === undefined || Number.isNaN(value) ? undefined : value;
    return known({
      page: page === NONE ? undefined : page,
      shape,
      xUm: measured(xsUm[i]),
      yUm: measured(ysUm[i]),
      zUm: measured(zsUm[i]),
      elapsedS: measured(elapsedS[i]),
    });
  }

  #facts(
    summary: MmSummary | undefined,
    measures: PlanePositions,
    { zs, ts }: { zs: ReadonlySet<number>; ts: ReadonlySet<number> },
    channels: readonly ChannelFacts[],
  ): Omit<PlateFacts, 'name' | 'format' | 'formatDetail'> {
    const pixelSizeUm = this.#pixelSizesDiffer ? undefined : (this.#pixelSizeUm ?? summary?.pixelSizeUm);
    return {
      channels,
      ...(zs.size < 2 ? {} : { ...measures.zSpacing(), ...known({ zSpacingUm: summary?.zStepUm }) }),
      ...(ts.size < 2 ? {} : { ...measures.timeInterval(), ...known({ timeIntervalS: summary?.intervalS }) }),
      ...known({ pixelSizeUm: pixelSizeUm === undefined ? undefined : { x: pixelSizeUm, y: pixelSizeUm } }),
      ...measures.grid(),
    };
  }
}
