import { flushCompileCache } from 'node:module';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { LandedFiles } from '../changes/landed-files.ts';
import { VersionReader } from '../changes/version-reader.ts';
import { decodedBytesSoFar } from '../core/decode-count.ts';
import { errnoOf } from '../core/errno.ts';
import { explain, SourceChangedError, SourceNotReadyError } from '../core/errors.ts';
import { boundKeptDecoded, keptDecodedBytes } from '../core/kept-decoded.ts';
import { heedSourceLooks } from '../core/source-look.ts';
import { FrontWake } from '../fuse/front-wake.ts';
import { writtenBody } from '../fuse/reply.ts';
import { replyTo } from '../fuse/reply-writer.ts';
import { SplicedReplies } from '../fuse/spliced-replies.ts';
import type { Landing } from '../materializer/landing.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import { runSync } from '../vfs/file-syncs.ts';
import type { MovableJob, ReaderJob, SyncJob, SyncReport } from '../vfs/jobs.ts';
import { type ByteJob, Reader, type ReaderResult } from '../vfs/reader.ts';
import { networkDiskKind } from '../watch/disk-kind.ts';
import { type AheadJob, DecodingAhead, type ForgetAheadJob } from './decoding-ahead.ts';
import type { FoundRender, ToFront } from './front-messages.ts';
import { type KeptFolders, keptStores } from './kept-stores.ts';
import { MountReader } from './mount-reader.ts';
import { ReaderCounters } from './reader-counters.ts';
import type { TreeAdoption } from './reader-pool.ts';
import { type FileRead, SourceLooks } from './source-looks.ts';
import { type ReadPartJob, type SplitOutcome, SplitRead } from './split-read.ts';
import { WaitingJobs } from './waiting-jobs.ts';

/** What a reader thread is started with. */
export interface ReaderData {
  readonly fuseFd: number;
  /** Memory of the {@link FrontWake}. */
  readonly wake: SharedArrayBuffer;
  readonly number: number;
  readonly mount: SharedMount;
  readonly outputFolder: string;
  readonly stateFolder: string;
  /** What it may keep decoded at the start. */
  readonly decodedBytes: number;
  readonly kept: KeptFolders;
  /** Memory of the {@link ReaderCounters}. */
  readonly counters: SharedArrayBuffer;
  readonly jobs: MessagePort;
}

/** Main thread to reader: keep no more decoded than this from now on. */
export interface ToReader {
  readonly type: 'bound';
  readonly boundBytes: number;
}

/** Reader to main thread. */
export type FromReader =
  | { readonly type: 'staged'; readonly node: number; readonly errno: number }
  /** The front was told, and kicked. */
  | { readonly type: 'render-found'; readonly found: FoundRender }
  /** The front decides what comes of it: the file may lie elsewhere by now. */
  | {
      readonly type: 'failed-job';
      readonly job: MovableJob;
      readonly errno: number;
      readonly message: string;
    }
  | { readonly type: 'synced'; readonly report: SyncReport }
  | { readonly type: 'failed'; readonly message: string }
  /** What a file is made of is not what it was: what the kernel keeps of it may be old. */
  | { readonly type: 'source-changed'; readonly node: number }
  /** What rendered files were made of. */
  | { readonly type: 'files-read'; readonly files: readonly FileRead[] }
  /** It keeps no more than that. */
  | { readonly type: 'bounded'; readonly boundBytes: number };

/** The share of what is kept decoded that may be what sources keep themselves: chunks, and parts of tables. */
const KEPT_BY_SOURCES = 0.5;

const data = workerData as ReaderData;
const tell = (message: FromReader): void => parentPort?.postMessage(message);

const counters = ReaderCounters.over(data.counters);
const decoded = new ByteCache(data.decodedBytes, keptDecodedBytes);
boundKeptDecoded(data.decodedBytes * KEPT_BY_SOURCES);
const versions = new VersionReader(data.stateFolder, data.outputFolder, decoded);
const rendered = await MountReader.open(
  data.mount,
  decoded,
  (node) => tell({ type: 'source-changed', node }),
  versions,
);
const landed = new LandedFiles({ state: data.stateFolder, output: data.outputFolder }, decoded);
const reader = new Reader({
  readRendered: (node, offsetBytes, target) => rendered.read(node, offsetBytes, target),
  pourRendered: (node, offsetBytes, sizeBytes) => rendered.pourable(node, offsetBytes, sizeBytes),
  readLanded: (record, offsetBytes, target) =>
    landed.readSync(record as unknown as Landing, offsetBytes, target.length, target),
});
const kept = keptStores(data.kept);
const spliced = new SplicedReplies(data.fuseFd);
const frontWake = new FrontWake(data.wake);

const looks = new SourceLooks({
  tell: (files) => tell({ type: 'files-read', files }),
  isClockOurs: (_device, path) => networkDiskKind(path) === undefined,
  nowMs: () => Date.now(),
});
heedSourceLooks((look) => looks.heard(look));

function showHeld(): void {
  decoded.trim();
  counters.hold(data.number, decoded.usedBytes + keptDecodedBytes());
}

function noteChange(node: number, error: unknown): void {
  if (error instanceof SourceChangedError) tell({ type: 'source-changed', node });
}

const ahead = new DecodingAhead(
  function* (node, offsetBytes, sizeBytes, passedBytes) {
    for (const _ of rendered.decodeAhead(node, offsetBytes, sizeBytes, passedBytes)) {
      counters.decoded(data.number, decodedBytesSoFar());
      showHeld();
      yield;
    }
  },
  () => counters.finishJob(data.number),
);

/** @param isPoured whether any reader does reads of the file as well as this one. */
function noteRendered(node: number, sizeBytes: number, isPoured: boolean): void {
  counters.served(data.number, sizeBytes);
  counters.decoded(data.number, decodedBytesSoFar());
  if (counters.isPoured(node) !== isPoured) counters.setPoured(node, isPoured);
}

/** Looks whether a finished render of a file is kept that is good: as its sources are now, and whole. */
function findRender({ uniqueLow, uniqueHigh, node }: Extract<ReaderJob, { kind: 'find-render' }>): void {
  let path: string | undefined;
  try {
    const key = rendered.keyOf(node);
    for (const store of key === undefined ? [] : kept) {
      const render = store.use(key ?? '');
      if (render === 'corrupt')
        tell({
          type: 'failed',
          message: `a render of ${rendered.pathOf(node)} in ${store.folder} was damaged, and is thrown away`,
        });
      else if (render) {
        path = render.path;
        break;
      }
    }
  } catch (error) {
    // Whoever reads the file finds out what is wrong with its sources.
    tell({ type: 'failed', message: explain(error) });
  }
  counters.finishJob(data.number);
  const found = { uniqueLow, uniqueHigh, node, ...(path === undefined ? {} : { path }) };
  const message = { type: 'render-found', found } as const;
  data.jobs.postMessage(message satisfies ToFront);
  frontWake.kick();
  tell(message);
}

function answer(job: Exclude<ByteJob, { kind: 'stage' }>): void {
  const pourable =
    job.kind === 'read-rendered' && spliced.carries(job.sizeBytes)
      ? looks.during(job, () => reader.pourable(job))
      : undefined;
  if (pourable !== undefined && spliced.send(job.uniqueLow, job.uniqueHigh, pourable)) {
    if (job.kind === 'read-rendered') noteRendered(job.node, pourable.sizeBytes, true);
    return;
  }
  const before = decodedBytesSoFar();
  const bytes = runFor(job);
  if (job.kind === 'read-rendered') {
    const { node, offsetBytes } = job;
    const sizeBytes = bytes?.length ?? 0;
    ahead.passed(node, offsetBytes + sizeBytes);
    const isPoured =
      decodedBytesSoFar() === before ? counters.isPoured(node) : rendered.isExactAt(node, offsetBytes);
    noteRendered(node, sizeBytes, isPoured);
  }
  replyTo(data.fuseFd, job.uniqueLow, job.uniqueHigh, bytes === undefined ? [] : [bytes]);
}

/** Does a job; what it looks at is held to the handle that it is read through. */
function runFor(job: Exclude<ByteJob, { kind: 'stage' }>): ReaderResult {
  if (job.kind === 'read-rendered') return looks.during(job, () => reader.run(job));
  if (job.kind !== 'read-file' || job.renderOf === undefined) return reader.run(job);
  return looks.during({ node: job.renderOf, openedAtMs: job.openedAtMs }, () => reader.run(job));
}

/** A part of a READ; whoever does the last part of it answers. */
function answerPart(job: ReadPartJob): void {
  const { uniqueLow, uniqueHigh, node, openedAtMs, offsetBytes, sizeBytes, atBytes } = job;
  const split = SplitRead.over(job.memory);
  let outcome: SplitOutcome | undefined;
  try {
    const at = { uniqueLow, uniqueHigh, node, openedAtMs, offsetBytes, sizeBytes };
    const bytes = runFor({ kind: 'read-rendered', ...at }) ?? new Uint8Array(0);
    noteRendered(node, bytes.length, rendered.isExactAt(node, offsetBytes));
    ahead.passed(node, offsetBytes + bytes.length);
    outcome = split.finish(atBytes, bytes);
  } catch (error) {
    if (isHeld(job, error)) return;
    outcome = split.fail(errnoOf(error));
    tell({ type: 'failed', message: explain(error) });
    noteChange(node, error);
  }
  counters.finishJob(data.number);
  if (outcome === undefined) return;
  replyTo(data.fuseFd, uniqueLow, uniqueHigh, outcome);
  split.release();
}

function run(job: ByteJob): void {
  let errno = 0;
  try {
    if (job.kind === 'stage') reader.run(job);
    else answer(job);
  } catch (error) {
    if (isHeld(job, error)) return;
    errno = errnoOf(error);
    const message = explain(error);
    if (job.kind === 'read-pieces' || job.kind === 'read-landed') {
      counters.finishJob(data.number);
      tell({ type: 'failed-job', job, errno, message });
      return;
    }
    tell({ type: 'failed', message });
    if (job.kind === 'read-rendered') noteChange(job.node, error);
    if (job.kind !== 'stage') replyTo(data.fuseFd, job.uniqueLow, job.uniqueHigh, errno);
  }
  counters.finishJob(data.number);
  if (job.kind === 'stage') tell({ type: 'staged', node: job.node, errno });
}

/** Answers who waits for a sync, but for what failed: the front knows better what to do then. */
function sync(job: SyncJob): void {
  const report = runSync(job);
  counters.finishJob(data.number);
  const failed = new Set(report.items.filter(({ failure }) => failure).map(({ inode }) => inode));
  for (const { uniqueLow, uniqueHigh, inode, writtenBytes } of job.tickets)
    if (!report.namesFailure && !failed.has(inode))
      replyTo(
        data.fuseFd,
        uniqueLow,
        uniqueHigh,
        writtenBytes === undefined ? [] : [writtenBody(writtenBytes)],
      );
  tell({ type: 'synced', report });
}

type Message = ReaderJob | ReadPartJob | AheadJob | ForgetAheadJob | TreeAdoption;

const messages = new WaitingJobs<Message>(take);

/** Whether a job that failed is done again once what it needs is there. */
function isHeld(job: Message, error: unknown): boolean {
  if (!(error instanceof SourceNotReadyError && messages.mayWait(job))) return false;
  messages.hold(job, error.ready);
  return true;
}

/** Loads what a part needs as it is now. What can't be loaded fails when it is read. */
async function loadFor({ shared }: TreeAdoption): Promise<void> {
  try {
    await rendered.prepareFor(shared);
  } catch (error) {
    tell({ type: 'failed', message: explain(error) });
    throw error;
  }
}

function take(message: Message): void {
  if (message.kind === 'adopt') {
    if (!rendered.isReadyFor(message.shared) && messages.mayWait(message)) {
      messages.hold(message, loadFor(message));
      return;
    }
    rendered.adopt(message.part, message.shared);
    ahead.clear();
  } else if (message.kind === 'read-part') answerPart(message);
  else if (message.kind === 'ahead') ahead.add(message);
  else if (message.kind === 'forget-ahead') ahead.forget(message.node);
  else if (message.kind === 'find-render') findRender(message);
  else if (message.kind === 'sync') sync(message);
  else run(message);
  looks.flush();
  showHeld();
}

data.jobs.on('message', (message: Message) => messages.hear(message));
parentPort?.on('message', ({ boundBytes }: ToReader) => {
  boundKeptDecoded(boundBytes * KEPT_BY_SOURCES);
  decoded.resize(boundBytes);
  showHeld();
  tell({ type: 'bounded', boundBytes });
});
// A thread that is killed leaves no compiled code for the next one.
setImmediate(flushCompileCache);
