import type { PlateFacts } from '../../model/plate.ts';
import type { HarmonyImage } from './harmony-images.ts';
import { regularStep } from './regular-step.ts';

/** Share of a step by which values of one position may differ and still be that position's. */
const SAME_POSITION = 0.1;
/** Share by which the steps of two channels may differ and still be the plate's. */
const SAME_STEP = 0.01;

interface Range {
  first: number;
  stray: number;
}

/** Finds the step between planes and between time points, where all images agree on it. */
export class HarmonyMeasures {
  /** Heights by plane, by channel: channels may be focused apart from each other. */
  readonly #heights = new Map<number, Map<number, Range>>();
  /** Earliest offset of each time point. */
  readonly #begins = new Map<number, number>();

  add({ channel, plane, zUm, elapsedS }: HarmonyImage, t: number): void {
    if (!Number.isNaN(zUm)) {
      let heights = this.#heights.get(channel);
      if (!heights) {
        heights = new Map();
        this.#heights.set(channel, heights);
      }
      const seen = heights.get(plane);
      if (!seen) heights.set(plane, { first: zUm, stray: 0 });
      else if (seen.first !== zUm) seen.stray = Math.max(seen.stray, Math.abs(zUm - seen.first));
    }
    if (Number.isNaN(elapsedS)) return;
    const begin = this.#begins.get(t);
    if (begin === undefined || elapsedS < begin) this.#begins.set(t, elapsedS);
  }

  facts(): Pick<PlateFacts, 'zSpacingUm' | 'timeIntervalS'> {
    const zSpacingUm = this.#zSpacing();
    const timeIntervalS = regularStep([...this.#begins].map(([at, value]) => ({ at, value })));
    return {
      ...(zSpacingUm === undefined ? {} : { zSpacingUm }),
      ...(timeIntervalS === undefined ? {} : { timeIntervalS }),
    };
  }

  #zSpacing(): number | undefined {
    let common: number | undefined;
    for (const heights of this.#heights.values()) {
      if (heights.size < 2) continue;
      const step = regularStep([...heights].map(([at, { first }]) => ({ at, value: first })));
      if (step === undefined) return undefined;
      for (const { stray } of heights.values()) if (stray > SAME_POSITION * step) return undefined;
      if (common !== undefined && Math.abs(step - common) > SAME_STEP * common) return undefined;
      common ??= step;
    }
    return common;
  }
}
