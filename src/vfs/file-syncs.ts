import { errnoOf } from '../core/errno.ts';
import { DamagedBytesError, explain } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import { storage, syncFile, syncFolderOf } from '../core/storage.ts';
import { crcOfUnits, damagedUnit, UNIT_BYTES } from '../core/unit-sums.ts';
import { DurableLogWriter } from '../overlay/durable-log.ts';
import type { SyncItem } from '../overlay/sync-plans.ts';
import type { SyncJob, SyncReport } from './jobs.ts';
import { readPieces } from './reader.ts';

type ItemReport = SyncReport['items'][number];

interface OpenLog {
  readonly item: SyncItem;
  readonly fd: number;
  readonly writer: DurableLogWriter;
}

const failureOf = (error: unknown) => ({ errno: errnoOf(error), message: explain(error) });

/**
 * Makes several files and the names so far survive power loss, for a thread that may wait: what changed of each is
 * added to its log, then everything is synced at once. A file that fails takes no other with it.
 */
export function runSync(job: SyncJob): SyncReport {
  const reports = new Map<number, ItemReport>();
  const logs: OpenLog[] = [];
  const fail = (inode: number, error: unknown): void => {
    reports.set(inode, { inode, failure: failureOf(error) });
  };
  try {
    for (const item of job.items)
      attempt(
        item.inode,
        (inode, error) => reports.set(inode, { inode, failure: failureOf(error), isSpillRefused: true }),
        () => syncSpill(item),
      );
    for (const item of job.items)
      if (!reports.has(item.inode)) attempt(item.inode, fail, () => addToLog(item, logs));
    passFaultPoint('sync.before-sync');
    // A sync ahead of another only has the disk take the bytes: that they are safe, the other one sees to.
    for (const { item, fd } of logs)
      attempt(item.inode, fail, () => (item.isAhead ? storage.writeOut(fd) : storage.syncData(fd)));
    const begun = logs.map(({ item }) => item).filter(({ isAhead, plan }) => !isAhead && !plan.isNameSafe);
    const [first] = begun;
    if (first) {
      try {
        syncFolderOf(first.plan.logPath);
      } catch (error) {
        for (const item of begun) fail(item.inode, error);
      }
    }
    for (const { item, writer } of logs)
      if (!reports.has(item.inode)) attempt(item.inode, fail, () => finish(item, writer, reports));
  } finally {
    for (const { fd } of logs) storage.close(fd);
  }
  let namesFailure: SyncReport['namesFailure'];
  try {
    if (job.journalPath !== '') syncFile(job.journalPath);
  } catch (error) {
    namesFailure = failureOf(error);
  }
  passFaultPoint('sync.before-reply');
  const items = job.items.map(({ inode }) => reports.get(inode) ?? { inode });
  return { items, ...(namesFailure === undefined ? {} : { namesFailure }) };
}

function attempt(inode: number, fail: (inode: number, error: unknown) => void, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error && ('code' in error || 'tag' in error))) throw error;
    fail(inode, error);
  }
}

/** What lies in the spill file is part of the file from there. */
function syncSpill({ pieces, state, isAhead }: SyncItem): void {
  for (const { path, offsetBytes } of pieces) {
    if (offsetBytes < state.splitAt || isAhead) continue;
    syncFile(path);
    syncFolderOf(path);
  }
}

function addToLog(item: SyncItem, logs: OpenLog[]): void {
  const { pieces, state, plan } = item;
  const fd = storage.open(plan.logPath, plan.logBytes === 0 ? 'w' : 'r+', 0o600);
  try {
    const writer = new DurableLogWriter(fd, plan.logBytes);
    const end = Math.min(state.sizeBytes, state.splitAt);
    for (const { from, to } of plan.ranges ?? [{ from: 0, to: end }])
      writer.extents({ from, to: Math.min(to, end) }, (at, target) => {
        readPieces(pieces, at, target);
        return checkUnits(item, at, target);
      });
    if (!item.isAhead) writer.commit(state);
    logs.push({ item, fd, writer });
  } catch (error) {
    storage.close(fd);
    throw error;
  }
}

/** @returns the CRC-32 of the bytes where their sums say it. @throws DamagedBytesError */
function checkUnits(
  { inode, pieces, state, sums }: SyncItem,
  offsetBytes: number,
  bytes: Uint8Array,
): number | undefined {
  if (!sums) return undefined;
  const unit = damagedUnit(sums, bytes, offsetBytes, state.sizeBytes, (at, into) =>
    readPieces(pieces, at, into),
  );
  if (unit !== undefined)
    throw new DamagedBytesError(`inode ${inode}`, unit * UNIT_BYTES, (unit + 1) * UNIT_BYTES);
  if (offsetBytes % UNIT_BYTES !== 0 || bytes.length % UNIT_BYTES !== 0) return undefined;
  const first = offsetBytes / UNIT_BYTES - sums.firstUnit;
  return crcOfUnits(sums.sums.subarray(first, first + bytes.length / UNIT_BYTES));
}

function finish(item: SyncItem, writer: DurableLogWriter, reports: Map<number, ItemReport>): void {
  if (!item.isAhead) {
    writer.safe();
    for (const path of item.plan.replacedPaths) storage.remove(path);
  }
  reports.set(item.inode, { inode: item.inode, logBytes: writer.sizeBytes });
}
