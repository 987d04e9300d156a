import type { ByteCache } from '../memory/byte-cache.ts';
import type { IndexedSource } from '../model/indexed-source.ts';
import { type CatalogEncoders, loadCatalogEncoders } from '../tree/sources/catalog-encoders.ts';
import { OpenSources } from '../tree/sources/open-sources.ts';
import { PreparedDrivers } from '../tree/sources/source-drivers.ts';
import { SourceReader } from '../tree/sources/source-reader.ts';
import type { SourceTree } from '../tree/sources/source-tree.ts';

/** What a thread reads files of sources by. Only mounts that have some load it. */
export class SourceReaders {
  readonly #encoders: CatalogEncoders;
  readonly #drivers = new PreparedDrivers();
  readonly #open = new OpenSources(this.#drivers.byId);

  private constructor(encoders: CatalogEncoders) {
    this.#encoders = encoders;
  }

  static async load(): Promise<SourceReaders> {
    return new SourceReaders(await loadCatalogEncoders());
  }

  /** Whether all drivers that these sources are read by are loaded. */
  isReadyFor(sources: readonly IndexedSource[]): boolean {
    return this.#drivers.isReadyFor(sources);
  }

  async prepareFor(sources: readonly IndexedSource[]): Promise<void> {
    await this.#drivers.prepareFor(sources);
  }

  /** Lets go of what is open. */
  clear(): void {
    this.#open.clear();
  }

  /** @param base as for {@link SourceReader}. */
  reader(tree: SourceTree, decoded: ByteCache, base: number): SourceReader {
    return new SourceReader(tree, this.#encoders, this.#open, decoded, base);
  }
}
