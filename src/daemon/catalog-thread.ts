import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CancelledError } from '../core/errors.ts';
import type { IndexedSource, SourceOptions } from '../model/indexed-source.ts';
import type { FoundSource } from '../tree/sources/describe-source.ts';
import type { FromCatalogWorker, ToCatalogWorker } from './catalog-worker.ts';

/**
 * Looks into files and stores in a thread of its own: libraries that only that needs, which are large, are in memory
 * only so long. One look at a time.
 */
export class CatalogThread implements AsyncDisposable {
  #worker: Worker | undefined;

  /** As `describeSource`. @throws as that does. */
  async describe(
    found: FoundSource,
    options: SourceOptions,
    signal: AbortSignal,
  ): Promise<IndexedSource | undefined> {
    this.#worker ??= new Worker(new URL('./catalog-worker.ts', import.meta.url));
    const worker = this.#worker;
    worker.postMessage({ found, options } satisfies ToCatalogWorker);
    let answer: FromCatalogWorker;
    try {
      [answer] = (await once(worker, 'message', { signal })) as [FromCatalogWorker];
    } catch (error) {
      await this[Symbol.asyncDispose]();
      if (signal.aborted)
        throw new CancelledError(`looking into ${found.path} was cancelled`, { cause: signal.reason });
      throw error;
    }
    if (answer.type === 'described') return answer.source;
    const { describeSource } = await import('../tree/sources/describe-source.ts');
    return await describeSource(found, options, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
