import type { ImageInfo, ImagePlane, PlaneLookup } from '../model/image.ts';
import type { ImagePart } from '../model/image-parts.ts';
import type { PlateAxes } from '../model/plate-axes.ts';
import type { PlaneShape, PlateIndex } from '../model/plate-index.ts';
import { planeAddress, planeByAddress } from '../model/plate-lookup.ts';

const isKnown = (value: number | undefined): value is number => value !== undefined && !Number.isNaN(value);

/** What of a field an image shows: its planes in z or its projections, all or a part. */
export interface ImageCut {
  readonly projection: boolean;
  readonly part?: ImagePart;
}

/** The channels that an image of this kind has along its c axis. */
export const channelNumbers = (axes: PlateAxes, projection: boolean): readonly number[] =>
  projection ? axes.projectionChannels : axes.stackChannels;

/** A field, or a part of it, as an image over the axes of the plate. */
export class PlaneGrid {
  readonly #index: PlateIndex;
  readonly #firstPlane: number;
  readonly #projection: boolean;
  readonly #ts: readonly number[];
  readonly #channels: readonly number[];
  readonly #zs: readonly number[];

  /** @param firstPlane any plane of the field. */
  constructor(index: PlateIndex, firstPlane: number, { projection, part }: ImageCut, axes: PlateAxes) {
    this.#index = index;
    this.#firstPlane = firstPlane;
    this.#projection = projection;
    const cut = (numbers: readonly number[], run?: { first: number; count: number }): readonly number[] =>
      run ? numbers.slice(run.first, run.first + run.count) : numbers;
    this.#ts = cut(axes.ts, part?.t);
    this.#channels = cut(channelNumbers(axes, projection), part?.c);
    this.#zs = projection ? [0] : cut(axes.zs, part?.z);
  }

  /** What an encoder needs to know of it. */
  info(name: string, { width, height, dtype }: PlaneShape, float64As?: 'float32'): ImageInfo {
    const { facts } = this.#index;
    const channels = this.#channels.map((number) => {
      const channel = facts.channels.find((candidate) => candidate.number === number);
      return {
        ...(channel?.name === undefined ? {} : { name: channel.name }),
        ...(channel?.emissionNm === undefined ? {} : { emissionNm: channel.emissionNm }),
        ...(channel?.excitationNm === undefined ? {} : { excitationNm: channel.excitationNm }),
        ...(channel?.color === undefined ? {} : { color: channel.color }),
      };
    });
    const acquiredAtMs = this.#acquiredAtMs();
    return {
      name,
      shape: [this.#ts.length, this.#channels.length, this.#zs.length, height, width],
      dtype,
      channels,
      ...(facts.pixelSizeUm === undefined ? {} : { pixelSizeUm: facts.pixelSizeUm }),
      ...(facts.zSpacingUm === undefined || this.#projection ? {} : { zSpacingUm: facts.zSpacingUm }),
      ...(facts.timeIntervalS === undefined ? {} : { timeIntervalS: facts.timeIntervalS }),
      ...(acquiredAtMs === undefined ? {} : { acquiredAtMs }),
      ...(float64As === undefined ? {} : { float64As }),
    };
  }

  /** When the first plane of the image was acquired: that of the first time point, channel and slice that says it. */
  #acquiredAtMs(): number | undefined {
    const { acquiredAtMs } = this.#index.planes;
    if (acquiredAtMs.length === 0) return undefined;
    for (let t = 0; t < this.#ts.length; t += 1) {
      let earliestMs = Number.POSITIVE_INFINITY;
      for (let z = 0; z < this.#zs.length; z += 1)
        for (let c = 0; c < this.#channels.length; c += 1) {
          const plane = this.planeAt(t, c, z);
          const atMs = plane === undefined ? undefined : acquiredAtMs[plane];
          if (isKnown(atMs)) earliestMs = Math.min(earliestMs, atMs);
        }
      if (earliestMs < Number.POSITIVE_INFINITY) return earliestMs;
    }
    return undefined;
  }

  /** What the index has of each plane; absent where the plate's metadata tells nothing of planes. */
  planes(): PlaneLookup | undefined {
    const { xsUm, ysUm, zsUm, acquiredAtMs, elapsedS } = this.#index.planes;
    if (xsUm.length + acquiredAtMs.length + elapsedS.length === 0) return undefined;
    const startedAtMs = this.#acquiredAtMs();
    return (t, c, z): ImagePlane | undefined => {
      const plane = this.planeAt(t, c, z);
      if (plane === undefined) return undefined;
      const [xUm, yUm, zUm] = [xsUm[plane], ysUm[plane], zsUm[plane]];
      const atMs = acquiredAtMs[plane];
      const elapsed =
        startedAtMs === undefined ? elapsedS[plane] : isKnown(atMs) ? (atMs - startedAtMs) / 1000 : undefined;
      return {
        ...(isKnown(xUm) ? { xUm } : {}),
        ...(isKnown(yUm) ? { yUm } : {}),
        ...(isKnown(zUm) ? { zUm } : {}),
        ...(isKnown(elapsed) ? { elapsedS: elapsed } : {}),
      };
    };
  }

  /** The plane at an image's indices, or undefined where the plate lacks it. */
  planeAt(t: number, c: number, z: number): number | undefined {
    const { well, site } = planeAddress(this.#index, this.#firstPlane);
    const [time, channel, position] = [this.#ts[t], this.#channels[c], this.#zs[z]];
    if (channel === undefined || position === undefined || time === undefined) return undefined;
    return planeByAddress(this.#index, well.row, well.column, site, channel, position, time);
  }
}
