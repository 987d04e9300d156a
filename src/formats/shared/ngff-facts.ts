import type { ChannelFacts, PlateFacts } from '../../model/plate.ts';
import { inSeconds, inUm } from '../../zarr/ngff-axes.ts';
import type { NgffPlate } from '../../zarr/ngff-metadata.ts';
import type { NgffStore } from './ngff-images.ts';
import { extentOf, type PlacedImage } from './ngff-planes.ts';

/** Different values that are remembered. */
const MAX_TOLD = 4;

/** A fact that images tell one by one: kept while they agree. */
class Agreement<T> {
  readonly #values = new Map<string, T | undefined>();

  tell(value: T | undefined): void {
    if (this.#values.size < MAX_TOLD) this.#values.set(JSON.stringify(value ?? null), value);
  }

  get disagrees(): boolean {
    return this.#values.size > 1;
  }

  /** What all said, undefined when they differ or said nothing. */
  get value(): T | undefined {
    return this.disagrees ? undefined : this.#values.values().next().value;
  }

  /** The first few different ones, for people. */
  get told(): string {
    const more = this.#values.size === MAX_TOLD ? ', …' : '';
    return [...this.#values.values()].map((value) => value ?? 'none').join(', ') + more;
  }
}

/** First channel number less one of each acquisition. */
export type ChannelOffsets = ReadonlyMap<number | undefined, number>;

/**
 * Channels of a later acquisition count on where those of the one before end: it shows the same fields again. The
 * order is that of the plate's list, then by number; images that name none come first.
 */
export function channelOffsets(plate: NgffPlate | undefined, images: readonly PlacedImage[]): ChannelOffsets {
  const counts = new Map<number | undefined, number>();
  for (const image of images)
    counts.set(image.acquisition, Math.max(counts.get(image.acquisition) ?? 0, extentOf(image, 'c')));
  const listed = plate?.acquisitions.map(({ id }) => id) ?? [];
  const rank = (id: number | undefined): number => {
    if (id === undefined) return -1;
    const place = listed.indexOf(id);
    return place === -1 ? listed.length : place;
  };
  const order = [...counts.keys()].sort((a, b) => rank(a) - rank(b) || (a ?? 0) - (b ?? 0));
  const offsets = new Map<number | undefined, number>();
  let offset = 0;
  for (const id of order) {
    offsets.set(id, offset);
    offset += counts.get(id) ?? 0;
  }
  return offsets;
}

type Measured = Pick<PlateFacts, 'pixelSizeUm' | 'zSpacingUm' | 'timeIntervalS'>;

/** Pixel size, z spacing and time interval: what every image says, where its unit is known. */
export function measuredFacts(store: NgffStore, images: readonly PlacedImage[]): Measured {
  const pixel = new Agreement<{ x: number; y: number }>();
  const spacing = new Agreement<number>();
  const interval = new Agreement<number>();
  for (const placed of images) {
    const { axes, letters, image } = placed;
    const stepOf = (letter: string, convert: typeof inUm): number | undefined => {
      const axis = letters.indexOf(letter);
      const step = convert(image.measures[axis]?.scale, axes[axis]);
      return step !== undefined && step > 0 ? step : undefined;
    };
    const x = stepOf('x', inUm);
    const y = stepOf('y', inUm);
    pixel.tell(x === undefined || y === undefined ? undefined : { x, y });
    if (extentOf(placed, 'z') > 1) spacing.tell(stepOf('z', inUm));
    if (extentOf(placed, 't') > 1) interval.tell(stepOf('t', inSeconds));
  }
  for (const [what, { disagrees }] of [
    ['pixel size', pixel],
    ['z spacing', spacing],
    ['time interval', interval],
  ] as const)
    if (disagrees) store.warn('contradiction', '', `has images that differ in ${what}`, `no ${what} is told`);
  return {
    ...(pixel.value === undefined ? {} : { pixelSizeUm: pixel.value }),
    ...(spacing.value === undefined ? {} : { zSpacingUm: spacing.value }),
    ...(interval.value === undefined ? {} : { timeIntervalS: interval.value }),
  };
}

/** Channels told one by one as differing. */
const MAX_CHANNEL_WARNINGS = 8;

/** Names and colours of the channels, by their numbers. */
export function channelFacts(
  store: NgffStore,
  images: readonly PlacedImage[],
  offsets: ChannelOffsets,
): { readonly channels: readonly ChannelFacts[]; readonly colors: ReadonlyMap<number, string> } {
  const names = new Map<number, Agreement<string>>();
  const colors = new Map<number, Agreement<string>>();
  for (const placed of images) {
    const offset = offsets.get(placed.acquisition) ?? 0;
    for (let c = 0; c < extentOf(placed, 'c'); c += 1) {
      const number = offset + c + 1;
      const name = names.get(number) ?? new Agreement<string>();
      const color = colors.get(number) ?? new Agreement<string>();
      name.tell(placed.image.channels[c]?.label);
      color.tell(placed.image.channels[c]?.color);
      names.set(number, name);
      colors.set(number, color);
    }
  }
  const differing = [...names].filter(([, name]) => name.disagrees);
  for (const [number, { told }] of differing.slice(0, MAX_CHANNEL_WARNINGS))
    store.warn(
      'contradiction',
      '',
      `has images that name channel w${number} differently: ${told}`,
      'no name is told',
    );
  return {
    channels: [...names]
      .sort(([a], [b]) => a - b)
      .map(([number, { value }]) => ({ number, ...(value === undefined ? {} : { name: value }) })),
    colors: new Map(
      [...colors].flatMap(([number, { value }]) => (value === undefined ? [] : [[number, value]])),
    ),
  };
}

/** Whether any image lies elsewhere than at the origin: only then do translations tell positions. */
export function hasPositions(images: readonly PlacedImage[]): boolean {
  return images.some(({ image }) =>
    [image.measures.at(-1), image.measures.at(-2)].some((axis) => (axis?.translation ?? 0) !== 0),
  );
}

/** What the metadata declares and names alone don't show. */
export function declaredFacts(
  plate: NgffPlate | undefined,
  offsets: ChannelOffsets,
  colors: ReadonlyMap<number, string>,
  channelCount: number,
): Pick<PlateFacts, 'declared'> {
  const declared: Record<string, string> = {};
  if (offsets.size > 1) {
    const starts = [...offsets];
    starts.forEach(([id, offset], place) => {
      const end = starts[place + 1]?.[1] ?? channelCount;
      const name = plate?.acquisitions.find((one) => one.id === id)?.name;
      const title = id === undefined ? 'images of no acquisition' : `acquisition ${id}`;
      declared[name === undefined ? title : `${title} (${name})`] =
        offset + 1 === end ? `w${end}` : `w${offset + 1}–w${end}`;
    });
  }
  for (const [number, color] of colors) declared[`w${number} color`] = color;
  return Object.keys(declared).length > 0 ? { declared } : {};
}
