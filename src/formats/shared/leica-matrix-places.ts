import type { LeicaMatrixImage } from './leica-matrix-name.ts';
import { type PlaceOfPlane, placeKey } from './plane-place.ts';

/** Channels ordered by job and channel, and by E and O where these tell images apart. */
interface ChannelKey {
  readonly job: number;
  readonly e: number;
  readonly o: number;
  readonly channel: number;
}

const order = (a: ChannelKey, b: ChannelKey): number =>
  a.job - b.job || a.e - b.e || a.o - b.o || a.channel - b.channel;
const text = ({ job, e, o, channel }: ChannelKey): string => `${job}/${e}/${o}/${channel}`;

/**
 * Turns the instrument's numbers into those of names, which needs all images of the plate: sites count the fields of
 * the plate row by row, time points go on through loops, channels go on through jobs.
 */
export class LeicaMatrixPlaces {
  /** Columns and rows of the field grid, where every place of it was imaged somewhere. */
  grid: { readonly columns: number; readonly rows: number } | undefined;
  /** Channels in the order of their numbers; `name` is '' where there is one job only. */
  channels: readonly { readonly name: string }[] = [];
  readonly #fields = new Map<string, { x: number; y: number }>();
  readonly #sites = new Map<string, number>();
  readonly #numbers = new Map<string, number>();
  #timesPerLoop = 1;
  #finest = false;

  constructor(images: readonly LeicaMatrixImage[]) {
    for (const { x, y, t } of images) {
      this.#fields.set(`${x}/${y}`, { x, y });
      this.#timesPerLoop = Math.max(this.#timesPerLoop, t + 1);
    }
    const fields = [...this.#fields.values()].sort((a, b) => a.y - b.y || a.x - b.x);
    for (const [i, { x, y }] of fields.entries()) this.#sites.set(`${x}/${y}`, i + 1);
    const columns = new Set(fields.map(({ x }) => x)).size;
    const rows = new Set(fields.map(({ y }) => y)).size;
    if (columns * rows === fields.length && fields.length > 0) this.grid = { columns, rows };
    this.#numberChannels(images);
    if (this.#repeats(images)) {
      this.#finest = true;
      this.#numberChannels(images);
    }
  }

  #keyOf({ job, e, o, channel }: LeicaMatrixImage): ChannelKey {
    return this.#finest ? { job, e, o, channel } : { job, e: 0, o: 0, channel };
  }

  #numberChannels(images: readonly LeicaMatrixImage[]): void {
    const keys = new Map<string, ChannelKey>();
    for (const image of images) {
      const key = this.#keyOf(image);
      keys.set(text(key), key);
    }
    const sorted = [...keys.values()].sort(order);
    // With one job the instrument's own numbers stay, gaps and all.
    const isPlain = !this.#finest && new Set(sorted.map(({ job }) => job)).size <= 1;
    this.#numbers.clear();
    for (const [i, key] of sorted.entries()) this.#numbers.set(text(key), isPlain ? key.channel + 1 : i + 1);
    this.channels = sorted.map(({ job, e, o, channel }) => ({
      name: isPlain ? '' : `job ${job}${this.#finest ? `, E ${e}, O ${o}` : ''}, channel ${channel}`,
    }));
  }

  #repeats(images: readonly LeicaMatrixImage[]): boolean {
    const seen = new Set<number | string>();
    for (const image of images) {
      const key = placeKey(this.place(image));
      if (seen.has(key)) return true;
      seen.add(key);
    }
    return false;
  }

  channelNumbers(): number[] {
    return [...this.#numbers.values()];
  }

  place(image: LeicaMatrixImage): PlaceOfPlane {
    return {
      row: image.v,
      column: image.u,
      site: this.#sites.get(`${image.x}/${image.y}`) ?? 0,
      channel: this.#numbers.get(text(this.#keyOf(image))) ?? 0,
      z: image.z + 1,
      t: image.loop * this.#timesPerLoop + image.t + 1,
    };
  }
}
