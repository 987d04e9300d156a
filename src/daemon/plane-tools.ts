import { loadAll, loadById } from '../core/plugin.ts';
import type { ImageEncoder } from '../encoders.ts';
import { ENCODERS, SOURCES } from '../registry.generated.ts';
import type { Probe } from '../tree/plate-tree.ts';
import type { PlaneDriver } from '../tree/stack-reader.ts';

/** What front and reader threads need of the plugs. */
export interface PlaneTools {
  readonly encoders: readonly ImageEncoder[];
  readonly probe: Probe;
  readonly driver: PlaneDriver;
}

/** Loads the encoders and the driver of plane files. */
export async function loadPlaneTools(): Promise<PlaneTools> {
  const driver = await loadById(SOURCES, 'tiff');
  const { probeSync, readPlaneSync } = driver ?? {};
  if (!probeSync || !readPlaneSync) throw new Error('the tiff driver has no synchronous side');
  return { encoders: await loadAll(ENCODERS), probe: probeSync, driver: { probeSync, readPlaneSync } };
}
