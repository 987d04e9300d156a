import { flushCompileCache } from 'node:module';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { errnoOf } from '../core/errno.ts';
import { explain } from '../core/errors.ts';
import { replyTo } from '../fuse/reply-writer.ts';
import { SplicedReplies } from '../fuse/spliced-replies.ts';
import { LandedReader } from '../materializer/landed-reader.ts';
import type { Landing } from '../materializer/landing.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import { PlateTree } from '../tree/plate-tree.ts';
import type { SharedTree } from '../tree/shared-tree.ts';
import { StackReader } from '../tree/stack-reader.ts';
import type { MovableJob, ReaderJob } from '../vfs/jobs.ts';
import { Reader } from '../vfs/reader.ts';
import { loadPlaneTools } from './plane-tools.ts';
import type { TreeAdoption } from './reader-pool.ts';

/** What a reader thread is started with. */
export interface ReaderData {
  readonly fuseFd: number;
  readonly number: number;
  readonly shared: SharedTree;
  readonly outputFolder: string;
  /** What it may keep decoded at the start. */
  readonly decodedBytes: number;
  /** What each reader keeps decoded, for the main thread to see. */
  readonly held: BigInt64Array;
  readonly jobs: MessagePort;
  readonly finished: Int32Array;
}

/** Main thread to reader: keep no more decoded than this from now on. */
export interface ToReader {
  readonly type: 'bound';
  readonly boundBytes: number;
}

/** Reader to main thread. */
export type FromReader =
  | { readonly type: 'staged'; readonly node: number; readonly errno: number }
  /** The front decides what comes of it: the file may lie elsewhere by now. */
  | {
      readonly type: 'failed-job';
      readonly job: MovableJob;
      readonly errno: number;
      readonly message: string;
    }
  | { readonly type: 'failed'; readonly message: string }
  /** It keeps no more than that. */
  | { readonly type: 'bounded'; readonly boundBytes: number };

const data = workerData as ReaderData;
const tell = (message: FromReader): void => parentPort?.postMessage(message);

const { encoders, probe, driver } = await loadPlaneTools(data.shared.index);
const tree = new PlateTree(data.shared, encoders, probe);
const decoded = new ByteCache(data.decodedBytes);
const stacks = new StackReader(tree, driver, decoded);
const landed = new LandedReader(data.outputFolder, decoded);
const reader = new Reader({
  readRendered: (node, offsetBytes, target) => stacks.read(node, offsetBytes, target),
  pourRendered: (node, offsetBytes, sizeBytes) => stacks.pourable(node, offsetBytes, sizeBytes),
  readLanded: (record, offsetBytes, target) =>
    landed.readSync(record as unknown as Landing, offsetBytes, target.length, target),
});
const spliced = new SplicedReplies(data.fuseFd);

const showHeld = (): void => void Atomics.store(data.held, data.number, BigInt(decoded.usedBytes));

function answer(job: Exclude<ReaderJob, { kind: 'stage' }>): void {
  const pourable =
    job.kind === 'read-rendered' && spliced.carries(job.sizeBytes) ? reader.pourable(job) : undefined;
  if (pourable !== undefined && spliced.send(job.uniqueLow, job.uniqueHigh, pourable)) return;
  const bytes = reader.run(job);
  replyTo(data.fuseFd, job.uniqueLow, job.uniqueHigh, bytes === undefined ? [] : [bytes]);
}

function run(job: ReaderJob): void {
  let errno = 0;
  try {
    if (job.kind === 'stage') reader.run(job);
    else answer(job);
  } catch (error) {
    errno = errnoOf(error);
    const message = explain(error);
    if (job.kind === 'read-pieces' || job.kind === 'read-landed' || job.kind === 'persist') {
      Atomics.add(data.finished, data.number, 1);
      tell({ type: 'failed-job', job, errno, message });
      return;
    }
    tell({ type: 'failed', message });
    if (job.kind !== 'stage') replyTo(data.fuseFd, job.uniqueLow, job.uniqueHigh, errno);
  }
  Atomics.add(data.finished, data.number, 1);
  if (job.kind === 'stage') tell({ type: 'staged', node: job.node, errno });
}

data.jobs.on('message', (message: ReaderJob | TreeAdoption) => {
  if (message.kind === 'adopt') {
    tree.adopt(message.shared);
    stacks.treeChanged();
  } else run(message);
  showHeld();
});
parentPort?.on('message', ({ boundBytes }: ToReader) => {
  decoded.resize(boundBytes);
  showHeld();
  tell({ type: 'bounded', boundBytes });
});
// A thread that is killed leaves no compiled code for the next one.
setImmediate(flushCompileCache);
