import { LRUCache } from 'lru-cache';
import { FsRefusal } from '../../core/errors.ts';

const MAX_KNOWN = 65_536;
/** How often a server is asked whether it has what it had, in milliseconds; 0 for never. */
const CHECK_VARIABLE = 'PLATEFS_REMOTE_CHECK_MS';
const CHECK_MS = 60_000;

/** How long what a server said of its objects is taken to hold; 0 for ever. */
export const remoteCheckMs = Math.max(0, Number(process.env[CHECK_VARIABLE] ?? CHECK_MS) || 0);

/** Another text each time that {@link remoteCheckMs} went by: what was fetched earlier is fetched again. */
export function remoteEpoch(): string {
  return remoteCheckMs > 0 ? String(Math.floor(performance.now() / remoteCheckMs)) : '';
}

/** What a server said of its objects, each asked for again once the answer is {@link remoteCheckMs} old. */
export class RemoteIdentities {
  readonly #known = new LRUCache<string, string>({ max: MAX_KNOWN, ttl: remoteCheckMs });

  /**
   * @param ask asks the server; undefined where it tells no versions apart.
   * @throws FsRefusal, not-supported, then; what `ask` does.
   */
  of(path: string, ask: () => string | undefined): string {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const identity = ask();
    if (identity === undefined)
      throw new FsRefusal(
        'not-supported',
        `nobody can tell when ${path} changes: the server gives neither ETag nor Last-Modified`,
      );
    this.#known.set(path, identity);
    return identity;
  }

  clear(): void {
    this.#known.clear();
  }
}
