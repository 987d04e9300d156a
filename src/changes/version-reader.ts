import { LRUCache } from 'lru-cache';
import { FsRefusal } from '../core/errors.ts';
import type { Landing } from '../materializer/landing.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import { isOverlayNode, type LandingRecord } from '../overlay/inode.ts';
import { KeptLandings } from './kept-landings.ts';
import { RevisionStore } from './revision-store.ts';
import { isVersionNode, VersionNodes } from './version-nodes.ts';

/** Revisions of which a thread knows where files lie. */
const LOADED = 4;

/** Reads files of earlier revisions. One per reader thread. */
export class VersionReader {
  readonly #store: RevisionStore;
  readonly #nodes: VersionNodes;
  readonly #kept: KeptLandings;
  readonly #landings = new LRUCache<number, ReadonlyMap<number, LandingRecord>>({ max: LOADED });

  constructor(stateFolder: string, outputFolder: string, decoded: ByteCache) {
    this.#store = new RevisionStore(stateFolder);
    this.#nodes = new VersionNodes(stateFolder);
    this.#kept = new KeptLandings({ state: stateFolder, output: outputFolder }, decoded);
  }

  /**
   * The mount's own node that shows the same as a node, for everything that was not written.
   * @returns the node itself where it belongs to no revision; undefined for what was written.
   */
  baseOf(node: number): number | undefined {
    if (!isVersionNode(node)) return node;
    const place = this.#placeOf(node);
    return isOverlayNode(place.node) ? undefined : place.node;
  }

  #placeOf(node: number): { revision: number; node: number } {
    const known = this.#nodes.placeOf(node);
    // The table is given up only when it does not know: numbers are given to others at new mounts alone.
    if (!known) this.#nodes.reload();
    const place = known ?? this.#nodes.placeOf(node);
    if (!place) throw new FsRefusal('stale', 'this revision was dropped');
    return place;
  }

  /** Fills `target` with bytes of a written file of a revision. @returns bytes filled. */
  read(node: number, offsetBytes: number, target: Uint8Array): number {
    const { revision, node: inode } = this.#placeOf(node);
    const record = this.#landingsOf(revision).get(inode);
    if (!record) throw new FsRefusal('stale', 'this revision was dropped');
    return this.#kept.read(record as unknown as Landing, offsetBytes, target);
  }

  #landingsOf(revision: number): ReadonlyMap<number, LandingRecord> {
    const known = this.#landings.get(revision);
    if (known) return known;
    const found = new Map<number, LandingRecord>();
    for (const record of this.#store.records(revision))
      if (record.op === 'landed') found.set(record.inode, record.record);
    this.#landings.set(revision, found);
    return found;
  }
}
