import type { PlateIndex } from '../../model/plate-index.ts';

/** Whether a plane has a file in images/. */
export type IsShown = (plane: number) => boolean;

/** One z and t of a field, with the plane of each channel; -1 where there is none. */
export interface ImageSet {
  readonly z: number;
  readonly t: number;
  readonly planes: readonly number[];
}

/** Where each channel's planes begin in a field, and behind the last its end. */
function channelStarts(
  { planes }: PlateIndex,
  channels: readonly number[],
  first: number,
  end: number,
): number[] {
  const starts: number[] = [];
  let at = first;
  for (const channel of channels) {
    starts.push(at);
    while (at < end && planes.channels[at] === channel) at += 1;
  }
  return [...starts, at];
}

/**
 * The image sets of the field `first … end`, by z, then t. The planes of a field are sorted by channel, then z, then
 * t: the channels' planes are merged. `channels` are all that the plate has, sorted. The same object each time.
 * A plane that is not shown is taken for one that is not there.
 */
export function* imageSets(
  index: PlateIndex,
  channels: readonly number[],
  first: number,
  end: number,
  isShown?: IsShown,
): Generator<ImageSet> {
  const { zs, ts } = index.planes;
  const at = channelStarts(index, channels, first, end);
  const ends = at.slice(1);
  const set = { z: 0, t: 0, planes: channels.map(() => -1) };
  for (;;) {
    let z = Number.POSITIVE_INFINITY;
    let t = Number.POSITIVE_INFINITY;
    for (let c = 0; c < ends.length; c += 1) {
      const plane = at[c] ?? 0;
      if (plane >= (ends[c] ?? 0)) continue;
      const ownZ = zs[plane] ?? 0;
      const ownT = ts[plane] ?? 0;
      if (ownZ < z || (ownZ === z && ownT < t)) {
        z = ownZ;
        t = ownT;
      }
    }
    if (z === Number.POSITIVE_INFINITY) return;
    set.z = z;
    set.t = t;
    let isEmpty = true;
    for (let c = 0; c < ends.length; c += 1) {
      const plane = at[c] ?? 0;
      const isHere = plane < (ends[c] ?? 0) && zs[plane] === z && ts[plane] === t;
      if (isHere) at[c] = plane + 1;
      const isNamed = isHere && isShown?.(plane) !== false;
      set.planes[c] = isNamed ? plane : -1;
      if (isNamed) isEmpty = false;
    }
    if (!isEmpty) yield set;
  }
}
