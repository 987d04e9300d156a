import { SOURCES } from '../../registry.generated.ts';
import type { SourceDriver } from '../../sources.ts';
import type { SharedMount } from '../shared-mount.ts';

/** Ids of the drivers that the sources of a mount are read by. */
export const driversWanted = (mount: SharedMount): Set<string> =>
  new Set(mount.flatMap(({ shared }) => (shared.index.sources ?? []).map(({ driver }) => driver)));

/** Loads and prepares those drivers that are not loaded yet. */
export async function prepareDrivers(
  wanted: ReadonlySet<string>,
  loaded: Map<string, SourceDriver>,
): Promise<void> {
  for (const { id, load } of SOURCES) {
    if (!wanted.has(id) || loaded.has(id)) continue;
    const driver = await load();
    await driver.prepare?.();
    loaded.set(id, driver);
  }
}
