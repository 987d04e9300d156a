import { LRUCache } from 'lru-cache';
import { identityOf } from './render-key.ts';

/** Files that are remembered behind all names together, about 200 bytes each. */
const MAX_FILES = 65_536;

/** Tells a file from any other that is or was at its path, as {@link identityOf} does. */
export type Identify = (path: string) => string;

interface KnownKey {
  readonly key: string;
  /** Of the files behind it, as they were then, by path. */
  readonly identities: ReadonlyMap<string, string>;
}

/**
 * The names that files' bytes have as their sources are now ({@link renderKey}), put together anew only where one of the
 * files behind it is another than it was: an open costs a stat(2) per file, and no more.
 */
export class RenderKeys {
  readonly #known = new LRUCache<number, KnownKey>({
    maxSize: MAX_FILES,
    sizeCalculation: ({ identities }) => Math.min(identities.size + 1, MAX_FILES / 2),
  });

  /**
   * @param make puts the name together. It asks `identify` of every file that the bytes depend on, those among them that
   *   tell which files these are, and nothing else that changes before {@link clear}.
   * @param ask tells one of these files as it is now.
   * @returns what `make` does; undefined is not remembered.
   * @throws what `make` does, and the system's error when a file can't be asked.
   */
  of(
    node: number,
    make: (identify: Identify) => string | undefined,
    ask: Identify = identityOf,
  ): string | undefined {
    const known = this.#known.get(node);
    if (known && isAsItWas(known, ask)) return known.key;
    const identities = new Map<string, string>();
    const key = make((path) => {
      const identity = identities.get(path) ?? ask(path);
      identities.set(path, identity);
      return identity;
    });
    if (key === undefined) this.#known.delete(node);
    else this.#known.set(node, { key, identities });
    return key;
  }

  /** Files may be made of others now. */
  clear(): void {
    this.#known.clear();
  }
}

function isAsItWas({ identities }: KnownKey, ask: Identify): boolean {
  for (const [path, identity] of identities) if (ask(path) !== identity) return false;
  return true;
}
