import { LandedReader } from '../materializer/landed-reader.ts';
import type { Landing } from '../materializer/landing.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import type { BranchPlace } from './branch-store.ts';
import { SharedLandings } from './kept-landings.ts';

/**
 * Reads the landed files of a mount: those in its own output folder, and those that its branch has from others. As
 * {@link LandedReader} otherwise; one per thread.
 */
export class LandedFiles {
  readonly #own: LandedReader;
  readonly #shared: SharedLandings;

  constructor(place: BranchPlace, decoded: ByteCache) {
    this.#own = new LandedReader(place.output, decoded);
    this.#shared = new SharedLandings(place, decoded);
  }

  /** As {@link LandedReader.readSync}. */
  readSync(landing: Landing, offsetBytes: number, sizeBytes: number, target: Uint8Array): number {
    if (landing.owner === undefined) return this.#own.readSync(landing, offsetBytes, sizeBytes, target);
    const count = Math.max(0, Math.min(sizeBytes, target.length, landing.sizeBytes - offsetBytes));
    return count === 0 ? 0 : this.#shared.read(landing, offsetBytes, target.subarray(0, count));
  }
}
