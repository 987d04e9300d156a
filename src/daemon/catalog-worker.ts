/** Looks into files and stores, in a thread that ends with the mount's beginning: what it loads is given back. */
import { parentPort } from 'node:worker_threads';
import type { IndexedSource, SourceOptions } from '../model/indexed-source.ts';
import { describeSource, type FoundSource } from '../tree/sources/describe-source.ts';

/** What is to be looked into, and how it is shown. */
export interface ToCatalogWorker {
  readonly found: FoundSource;
  readonly options: SourceOptions;
}

/** What came of one look; without `source` where it is nobody's. */
export type FromCatalogWorker =
  | { readonly type: 'described'; readonly source?: IndexedSource }
  /** Something is wrong with it. */
  | { readonly type: 'failed' };

async function look({ found, options }: ToCatalogWorker): Promise<FromCatalogWorker> {
  try {
    const source = await describeSource(found, options, new AbortController().signal);
    return { type: 'described', ...(source ? { source } : {}) };
  } catch {
    // Whoever asked looks again himself, and then has the error as it was thrown.
    return { type: 'failed' };
  }
}

parentPort?.on('message', (wanted: ToCatalogWorker) => {
  void look(wanted).then((answer) => parentPort?.postMessage(answer));
});
