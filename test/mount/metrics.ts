import type { PlateMount } from './plate-mount.ts';

/** For so long they are told as they were when first asked for. */
const SAME_MS = 1000;
const askedMs = new WeakMap<PlateMount, number>();

/** A figure of `.platefs/metrics` as it is now. */
export async function metric(mount: PlateMount, name: string): Promise<number> {
  const [figure = Number.NaN] = await metrics(mount, name);
  return figure;
}

/** Several, of one moment. */
export async function metrics(mount: PlateMount, ...names: string[]): Promise<number[]> {
  const waitMs = (askedMs.get(mount) ?? Number.NEGATIVE_INFINITY) + SAME_MS + 50 - performance.now();
  if (waitMs > 0) await new Promise((done) => setTimeout(done, waitMs));
  const text = await mount.shell('cat .platefs/metrics');
  askedMs.set(mount, performance.now());
  return names.map((name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]));
}

/** Bytes that a mount has decoded by now. */
export const decodedBytes = (mount: PlateMount): Promise<number> =>
  metric(mount, 'platefs_decoded_bytes_total');

/** Bytes that programs have asked its readers for by now. */
export const servedBytes = (mount: PlateMount): Promise<number> =>
  metric(mount, 'platefs_served_bytes_total');
