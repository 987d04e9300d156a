import type { ByteCache } from '../memory/byte-cache.ts';
import type { SourceDriver } from '../sources.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import { type CatalogEncoders, loadCatalogEncoders } from '../tree/sources/catalog-encoders.ts';
import { OpenSources } from '../tree/sources/open-sources.ts';
import { driversWanted, prepareDrivers } from '../tree/sources/source-drivers.ts';
import { SourceReader } from '../tree/sources/source-reader.ts';
import type { SourceTree } from '../tree/sources/source-tree.ts';

/** What a thread reads files of sources by. Only mounts that have some load it. */
export class SourceReaders {
  readonly #encoders: CatalogEncoders;
  readonly #drivers = new Map<string, SourceDriver>();
  readonly #open = new OpenSources(this.#drivers);

  private constructor(encoders: CatalogEncoders) {
    this.#encoders = encoders;
  }

  static async load(): Promise<SourceReaders> {
    return new SourceReaders(await loadCatalogEncoders());
  }

  /** Whether all drivers that these sources are read by are loaded. */
  isReadyFor(mount: SharedMount): boolean {
    return [...driversWanted(mount)].every((id) => this.#drivers.has(id));
  }

  async prepareFor(mount: SharedMount): Promise<void> {
    await prepareDrivers(driversWanted(mount), this.#drivers);
  }

  reader(tree: SourceTree, decoded: ByteCache): SourceReader {
    return new SourceReader(tree, this.#encoders, this.#open, decoded);
  }
}
