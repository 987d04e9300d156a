import type { PlateWarning } from '../../model/plate.ts';
import type { HarmonyImage } from './harmony-images.ts';

/** Time point of an image, or why it has no place among the plate's axes. */
export type HarmonyTime = number | 'fast-series' | 'lifetime-series' | 'impossible';

interface Numbers {
  readonly slowKinetic: number;
  readonly fastKinetic: number;
  readonly lifetime: number;
}

const MAX_T = 999_999_999;

/** The smallest value seen, and whether there was another. */
class Spread {
  least = Number.POSITIVE_INFINITY;
  most = Number.NEGATIVE_INFINITY;

  add(value: number): void {
    if (value < 0) return;
    if (value < this.least) this.least = value;
    if (value > this.most) this.most = value;
  }

  get varies(): boolean {
    return this.most > this.least;
  }
}

/**
 * Settles what the time points of a plate are. The file name's `sk` counts from 1 in every version, while
 * TimepointID begins with 0 in V5, with 1 in V7 and, some users say, with 2: it decides only for images whose
 * name says nothing. A plate whose images differ in `fk` alone is one fast series, and `fk` is its time.
 */
export class HarmonyTimes {
  readonly #slow = new Spread();
  readonly #fast = new Spread();
  readonly #lifetime = new Spread();
  readonly #timepointId = new Spread();
  readonly #flimId = new Spread();
  /** `sk` less TimepointID, by the first image that has both. */
  #offset: number | undefined;
  #offOffset = 0;

  addNamed({ slowKinetic, fastKinetic, lifetime }: Numbers): void {
    this.#slow.add(slowKinetic);
    this.#fast.add(fastKinetic);
    this.#lifetime.add(lifetime);
  }

  add(image: HarmonyImage): void {
    this.addNamed(image);
    this.#timepointId.add(image.timepointId);
    this.#flimId.add(image.flimId);
    if (image.slowKinetic < 0 || image.timepointId < 0) return;
    const offset = image.slowKinetic - image.timepointId;
    this.#offset ??= offset;
    if (offset !== this.#offset) this.#offOffset += 1;
  }

  /** Call when all images were added. */
  ofNamed({ slowKinetic, fastKinetic, lifetime }: Numbers): HarmonyTime {
    if (lifetime > this.#lifetime.least) return 'lifetime-series';
    if (this.#slow.varies || !this.#fast.varies)
      return fastKinetic > this.#fast.least ? 'fast-series' : slowKinetic;
    return fastKinetic;
  }

  /** Call when all images were added. */
  of(image: HarmonyImage): HarmonyTime {
    if (image.slowKinetic > 0) return this.ofNamed(image);
    if (image.flimId > this.#flimId.least) return 'lifetime-series';
    const t = image.timepointId < 0 ? 1 : image.timepointId + (this.#offset ?? 1 - this.#timepointId.least);
    // Nothing says which time point it is, though there are several.
    if (image.timepointId < 0 && (this.#slow.varies || this.#timepointId.varies)) return 'impossible';
    return t >= 1 && t <= MAX_T ? t : 'impossible';
  }

  warnings(index: string): PlateWarning[] {
    if (this.#offOffset === 0 || this.#fast.varies) return [];
    return [
      {
        kind: 'contradiction',
        message: `TimepointID of ${this.#offOffset} ${this.#offOffset === 1 ? 'image' : 'images'} of ${index} does not go with the time point in the file name`,
        files: [index],
        rule: 'sk of the file name is the time point',
      },
    ];
  }
}
