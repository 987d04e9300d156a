/**
 * Measures what of sources only reading tells, in a thread of its own that ends when all is measured: neither the front
 * nor readers wait for it, and what it loads is given back.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { errnoOf } from '../core/errno.ts';
import { explain, SourceChangedError } from '../core/errors.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import { loadCatalogEncoders } from '../tree/sources/catalog-encoders.ts';
import { OpenSources } from '../tree/sources/open-sources.ts';
import { PreparedDrivers } from '../tree/sources/source-drivers.ts';
import { type Measure, takeMeasure, unmeasured } from '../tree/sources/source-measures.ts';

export interface MeasureWorkerData {
  readonly mount: SharedMount;
}

/** What is to be measured: which part, and which of its sources by name, and item. */
export interface MeasureAddress {
  readonly part: number;
  readonly source: string;
  readonly item: number;
}

/** To the worker: somebody waits for this one, before all others. */
export type ToMeasureWorker = MeasureAddress;

export type FromMeasureWorker =
  | (MeasureAddress & {
      readonly type: 'measured';
      /** 0 when it is. */
      readonly errno: number;
      readonly message?: string;
      readonly isSourceChanged?: boolean;
    })
  /** Nothing is left to be done. */
  | { readonly type: 'rests' };

/** How long it works before it hears whether somebody waits. */
const SLICE_MS = 20;

const { mount } = workerData as MeasureWorkerData;
const tell = (message: FromMeasureWorker): void => parentPort?.postMessage(message);

const left = new Map<string, { readonly address: MeasureAddress; readonly measure: Measure }>();
const keyOf = ({ part, source, item }: MeasureAddress): string => `${part}/${item}/${source}`;
for (const { number: part, shared } of mount)
  for (const measure of unmeasured(shared.index.sources ?? [])) {
    const address = { part, source: measure.source.name, item: measure.item };
    left.set(keyOf(address), { address, measure });
  }

const wanted: string[] = [];
parentPort?.on('message', (message: ToMeasureWorker) => wanted.push(keyOf(message)));

const drivers = new PreparedDrivers();
await drivers.prepareFor([...left.values()].map(({ measure }) => measure.source));
const encoders = await loadCatalogEncoders();
const sources = new OpenSources(drivers.byId);

/** Measures one; those that somebody waits for come in between. */
async function take(key: string): Promise<void> {
  const one = left.get(key);
  if (!one) return;
  left.delete(key);
  const { address, measure } = one;
  try {
    let untilMs = performance.now() + SLICE_MS;
    for (const _ of takeMeasure(measure, encoders, (work) => sources.use(measure.source, work))) {
      if (performance.now() < untilMs) continue;
      await breathe();
      await takeWanted();
      untilMs = performance.now() + SLICE_MS;
    }
    tell({ type: 'measured', ...address, errno: 0 });
  } catch (error) {
    const isSourceChanged = error instanceof SourceChangedError;
    tell({ type: 'measured', ...address, errno: errnoOf(error), message: explain(error), isSourceChanged });
  }
}

async function takeWanted(): Promise<void> {
  for (let key = wanted.shift(); key !== undefined; key = wanted.shift()) await take(key);
}

for (;;) {
  await breathe();
  await takeWanted();
  const [next] = left.keys();
  if (next === undefined) break;
  await take(next);
}
sources[Symbol.dispose]();
tell({ type: 'rests' });
