import type { PlateMount } from './plate-mount.ts';

/** Bytes that a mount has decoded by now. */
export async function decodedBytes(mount: PlateMount): Promise<number> {
  // Metrics are told as they were when first asked for within a second.
  const text = await mount.shell('sleep 1.1; cat .platefs/metrics');
  return Number(/^platefs_decoded_bytes_total (\d+)$/m.exec(text)?.[1]);
}
