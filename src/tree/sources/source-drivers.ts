import { loadById } from '../../core/plugin.ts';
import type { IndexedSource } from '../../model/indexed-source.ts';
import { SOURCES } from '../../registry.generated.ts';
import type { SourceDriver } from '../../sources.ts';
import type { SharedMount } from '../shared-mount.ts';

/** The sources of a mount that are no plates. */
export const sourcesOf = (mount: SharedMount): IndexedSource[] =>
  mount.flatMap(({ shared }) => shared.index.sources ?? []);

const keyOf = ({ driver, path }: IndexedSource): string => `${driver}\0${path}`;

/** The drivers that sources are read by, on one thread: loaded and prepared for each of them, and for no others. */
export class PreparedDrivers {
  /** By id. */
  readonly byId = new Map<string, SourceDriver>();
  readonly #prepared = new Set<string>();

  isReadyFor(sources: readonly IndexedSource[]): boolean {
    return sources.every((source) => this.#prepared.has(keyOf(source)));
  }

  async prepareFor(sources: readonly IndexedSource[]): Promise<void> {
    for (const source of sources) {
      if (this.#prepared.has(keyOf(source))) continue;
      const driver = this.byId.get(source.driver) ?? (await loadById(SOURCES, source.driver));
      if (!driver) throw new Error(`there is no driver ${source.driver}`);
      await driver.prepare?.(source.path);
      this.byId.set(source.driver, driver);
      this.#prepared.add(keyOf(source));
    }
  }
}
