/** Indexes a plate that changed, in a thread of its own: the main thread goes on meanwhile. */
import { parentPort, workerData } from 'node:worker_threads';
import { explain } from '../core/errors.ts';
import { loadById } from '../core/plugin.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { succession } from '../model/plate-succession.ts';
import { FORMATS } from '../registry.generated.ts';
import { warnOfTypes } from '../tree/forbidden-types.ts';
import { indexAgain } from '../tree/index-again.ts';
import { NewPlates } from '../tree/sources/new-plates.ts';
import { networkDiskKind } from '../watch/disk-kind.ts';
import { PlaneCompleteness, wholenessTest } from './plane-completeness.ts';

export interface IndexWorkerData {
  /** The plate as it is shown. */
  readonly shown: PlateIndex;
  readonly mountpoint: string;
}

/** To the worker: look again. `shown` is the plate as it is shown since the last look, where that changed. */
export interface LookAgain {
  readonly shown: PlateIndex;
  /** Whether directories may have changed; else only files that are waited for are looked at. */
  readonly walk: boolean;
  /** Whether sources are to be looked into again even where their files seem unchanged. */
  readonly isDoubted: boolean;
}

export type FromIndexWorker =
  | { readonly type: 'index'; readonly index: PlateIndex; readonly waiting: number }
  | { readonly type: 'failed'; readonly message: string };

const { shown: first, mountpoint } = workerData as IndexWorkerData;
const { layout } = first.facts;
const handler = await loadById(FORMATS, first.facts.format);
if (!handler) throw new Error(`there is no format ${first.facts.format}`);
const format = handler;
const completeness = new PlaneCompleteness(
  {
    isWhole: await wholenessTest(),
    isLocalDisk: first.scope?.kind !== 'url' && networkDiskKind(first.rootPath) === undefined,
    nowMs: () => performance.now(),
  },
  first,
);
const newPlates = first.scope?.kind === 'folder' ? new NewPlates(first) : undefined;
/** Everything that is there, planes that are being written included. */
let full: PlateIndex | undefined;

async function look({ shown, walk, isDoubted }: LookAgain): Promise<FromIndexWorker> {
  try {
    if (walk || !full) {
      const { linksFollowed, rootPath, descriptions = [], scope, sourceOptions = {} } = first;
      const thing = {
        handler: format,
        root: scope?.kind === 'file' ? `${rootPath}/${scope.name}` : rootPath,
        descriptions,
        ...(scope ? { scope } : {}),
      };
      const { sources = [], ...previous } = full ?? shown;
      const { signal } = new AbortController();
      const found = await indexAgain(thing, isDoubted ? previous : { ...previous, sources }, {
        followLinks: linksFollowed,
        mountpoint,
        sourceOptions,
        signal,
        ...(layout === undefined ? {} : { layout }),
      });
      full = scope ? found : await warnOfTypes({ ...found, sourceOptions }, sourceOptions.float64As);
      if (newPlates) full = await newPlates.tell(full, signal);
    }
    const { planes } = succession(shown, full);
    const isNew = (plane: number): boolean => planes[plane] === 0xffff_ffff;
    const { index, waiting, isOutdated } = completeness.look(full, isNew, shown);
    if (isOutdated) full = undefined;
    return { type: 'index', index, waiting };
  } catch (error) {
    return { type: 'failed', message: explain(error) };
  }
}

parentPort?.on('message', (message: LookAgain) => {
  void look(message).then((answer) => parentPort?.postMessage(answer));
});
