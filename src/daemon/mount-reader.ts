import type { VersionReader } from '../changes/version-reader.ts';
import type { PourableBytes } from '../core/byte-pipe.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import { type MountPart, MountTree } from '../tree/mount-tree.ts';
import { PlateTree } from '../tree/plate-tree.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import type { SharedTree } from '../tree/shared-tree.ts';
import { sourcesOf } from '../tree/sources/source-drivers.ts';
import type { SourceReader } from '../tree/sources/source-reader.ts';
import { StackReader } from '../tree/stack-reader.ts';
import { loadPlaneTools, type PlaneTools } from './plane-tools.ts';
import type { SourceReaders } from './source-readers.ts';

/** Reads any file of a mount that is put together when it is read, whatever part it belongs to. One per reader thread. */
export class MountReader {
  readonly #tree: MountTree;
  readonly #readers = new Map<number, StackReader | SourceReader>();
  readonly #sources: SourceReaders | undefined;
  readonly #decoded: ByteCache;
  readonly #versions: VersionReader | undefined;

  private constructor(
    mount: SharedMount,
    tools: PlaneTools,
    sources: SourceReaders | undefined,
    decoded: ByteCache,
    onChanged: (node: number) => void,
    versions: VersionReader | undefined,
  ) {
    this.#versions = versions;
    this.#tree = new MountTree(mount, tools);
    this.#sources = sources;
    this.#decoded = decoded;
    for (const { number, tree, base } of this.#tree.parts) {
      if (tree instanceof PlateTree)
        this.#readers.set(
          number,
          new StackReader(tree, tools.driver, decoded, base, (node) => onChanged(base + node)),
        );
      else if (sources) this.#readers.set(number, sources.reader(tree, decoded, base));
    }
  }

  /**
   * Loads what the mount's parts are read by, and nothing else.
   * @param onChanged as for {@link StackReader}.
   * @param versions reads what was written in earlier revisions, where those are shown.
   */
  static async open(
    mount: SharedMount,
    decoded: ByteCache,
    onChanged: (node: number) => void = () => {},
    versions?: VersionReader,
  ): Promise<MountReader> {
    const tools = await loadPlaneTools(mount.map(({ shared }) => shared.index));
    const hasSources = mount.some(({ shared }) => shared.index.scope);
    const sources = hasSources ? await (await import('./source-readers.ts')).SourceReaders.load() : undefined;
    await sources?.prepareFor(sourcesOf(mount));
    return new MountReader(mount, tools, sources, decoded, onChanged, versions);
  }

  /** Whether a part can be shown as it is now without loading anything first. */
  isReadyFor(shared: SharedTree): boolean {
    return this.#sources?.isReadyFor(shared.index.sources ?? []) ?? true;
  }

  /** Loads what a part needs as it is now. */
  async prepareFor(shared: SharedTree): Promise<void> {
    await this.#sources?.prepareFor(shared.index.sources ?? []);
  }

  /** Shows a part as it was found now; what it needs is loaded. */
  adopt(part: number, shared: SharedTree): void {
    this.#tree.adopt(part, shared);
    this.#readers.get(part)?.treeChanged();
  }

  /** The mount's own node that shows the same; undefined for what was written in a revision. */
  #own(node: number): number | undefined {
    return this.#versions ? this.#versions.baseOf(node) : node;
  }

  #at(node: number): { part: MountPart; reader: StackReader | SourceReader } {
    const part = this.#tree.partAt(node);
    const reader = this.#readers.get(part.number);
    if (!reader) throw new Error(`nothing reads node ${node}`);
    return { part, reader };
  }

  /** What was opened and kept is of no more use: sources may be others by now, as no node tells. */
  forget(): void {
    for (const reader of this.#readers.values()) reader.treeChanged();
    this.#sources?.clear();
    this.#decoded.clear();
  }

  /** As {@link StackReader.read}. */
  read(node: number, offsetBytes: number, target: Uint8Array): number {
    const own = this.#own(node);
    if (own === undefined) return this.#versions?.read(node, offsetBytes, target) ?? 0;
    const { part, reader } = this.#at(own);
    return reader.read(own - part.base, offsetBytes, target);
  }

  /** As {@link StackReader.isExactAt}. */
  isExactAt(node: number, offsetBytes: number): boolean {
    const own = this.#own(node);
    if (own === undefined) return true;
    const { part, reader } = this.#at(own);
    return reader.isExactAt(own - part.base, offsetBytes);
  }

  /** As {@link StackReader.decodeAhead}. */
  *decodeAhead(
    node: number,
    offsetBytes: number,
    sizeBytes: number,
    passedBytes: () => number,
  ): Generator<void> {
    const own = this.#own(node);
    if (own === undefined) return;
    const { part, reader } = this.#at(own);
    yield* reader.decodeAhead(own - part.base, offsetBytes, sizeBytes, passedBytes);
  }

  /** As {@link StackReader.keyOf}. */
  keyOf(node: number): string | undefined {
    const own = this.#own(node);
    if (own === undefined) return undefined;
    const { part, reader } = this.#at(own);
    return reader.keyOf(own - part.base);
  }

  pathOf(node: number): string {
    return this.#tree.pathOf(this.#own(node) ?? 1);
  }

  /** As {@link StackReader.pourable}. */
  pourable(node: number, offsetBytes: number, sizeBytes: number): PourableBytes | undefined {
    const own = this.#own(node);
    if (own === undefined) return undefined;
    const { part, reader } = this.#at(own);
    return reader.pourable(own - part.base, offsetBytes, sizeBytes);
  }
}
