/** Looks into files and stores, in a thread that ends with the mount's beginning: what it loads is given back. */
import { parentPort } from 'node:worker_threads';
import type { IndexedSource } from '../model/indexed-source.ts';
import { describeSource, type FoundSource } from '../tree/sources/describe-source.ts';

/** What came of one look; without `source` where it is nobody's. */
export type FromCatalogWorker =
  | { readonly type: 'described'; readonly source?: IndexedSource }
  /** Something is wrong with it. */
  | { readonly type: 'failed' };

async function look(found: FoundSource): Promise<FromCatalogWorker> {
  try {
    const source = await describeSource(found, new AbortController().signal);
    return { type: 'described', ...(source ? { source } : {}) };
  } catch {
    // Whoever asked looks again himself, and then has the error as it was thrown.
    return { type: 'failed' };
  }
}

parentPort?.on('message', (found: FoundSource) => {
  void look(found).then((answer) => parentPort?.postMessage(answer));
});
