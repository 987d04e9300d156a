/**
 * Far more written than memory holds, and readers meanwhile:
 *
 *   npm run soak:pressure -- [--gib 50] [--budget 1G] [--readers 32] [--huge 0.4] [--folder DIR]
 *
 * Writes planes, a file each, and one file that takes the share `--huge` of all, side by side, through a mount with
 * that budget; samples what the daemon's processes and the memory folder hold, times every read, compares what is
 * read with what was written, and unmounts. Prints the figures as JSON and ends with 1 where a bar is missed. Needs
 * about as much room on the disk as it writes: images land compressed, and the large file lies there until it has.
 */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { parseByteSize } from '../../src/core/byte-size.ts';
import { memoryFolder } from '../../src/daemon/memory-folder.ts';
import { OwnMounts } from '../bench/own-mounts.ts';
import { memoryOf, processesOf } from '../bench/process-memory.ts';
import { makePlate } from '../plate-maker/plate-maker.ts';
import type { ReaderData, ReaderReport, ReadKind } from './reader-worker.ts';
import { makeNoise, PLANE_BYTES } from './soak-files.ts';
import type { WriterData } from './writer-worker.ts';

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '50' },
    budget: { type: 'string', default: '1G' },
    readers: { type: 'string', default: '32' },
    huge: { type: 'string', default: '0.4' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const planesTotal = Math.ceil((Number(values.gib) * 2 ** 30) / PLANE_BYTES);
const pages = Math.round(planesTotal * Number(values.huge));
const budgetBytes = parseByteSize(values.budget, '--budget');
const MAX_HELD = 1.2;
const MAX_P99_MS = 50;
const SAMPLE_MS = 100;
/** For so long readers are timed before anything is written. */
const ALONE_MS = 5000;

/** Memory that the files of a folder in tmpfs take. */
function allocatedBytes(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    try {
      if (entry.isFile()) sum += lstatSync(join(entry.parentPath, entry.name)).blocks * 512;
    } catch {
      // Gone since it was listed.
    }
  }
  return sum;
}

const sorted = (times: readonly number[]): number[] => times.toSorted((one, other) => one - other);
const share = (times: readonly number[], part: number): number =>
  Number((times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN).toFixed(1));

/** A worker's one message. @throws what it threw. */
function outcomeOf<T>(script: string, workerData: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(script, import.meta.url), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const folder = mkdtempSync(join(values.folder, 'platefs-soak-'));
const mounts = new OwnMounts(folder);
try {
  const { root } = await makePlate(join(folder, 'plate'), {
    wells: ['A01', 'A02', 'A03', 'A04'],
    channels: ['DAPI', 'FITC'],
    width: 1024,
    height: 1024,
    compression: 'deflate',
  });
  const mount = mounts.mount(root, ['--budget', values.budget]);
  const { pid, state } = mount.status;
  const pids = processesOf(pid).slice(1);
  const memory = memoryFolder(state);
  const noise = makeNoise();
  const planesWritten = new SharedArrayBuffer(4);
  const pagesWritten = new SharedArrayBuffer(4);
  const phase = new SharedArrayBuffer(4);
  const common = { mountpoint: mount.path, noise };
  const stacks = readdirSync(join(mount.path, 'stacks')).map((name) => join(mount.path, 'stacks', name));
  const reading = Promise.all(
    Array.from({ length: Number(values.readers) }, (_, seed) =>
      outcomeOf<ReaderReport>('./reader-worker.ts', {
        ...common,
        seed,
        planes: planesWritten,
        pages: pagesWritten,
        stacks,
        phase,
      } as ReaderData),
    ),
  );
  await delay(ALONE_MS);
  Atomics.store(new Int32Array(phase), 0, 1);
  const startMs = performance.now();
  const writing = Promise.all([
    outcomeOf<{ slowestMs: number }>('./writer-worker.ts', {
      ...common,
      kind: 'planes',
      count: planesTotal - pages,
      written: planesWritten,
    } as WriterData),
    outcomeOf<{ slowestMs: number }>('./writer-worker.ts', {
      ...common,
      kind: 'huge',
      count: pages,
      written: pagesWritten,
    } as WriterData),
  ]);
  const held = { rssBytes: 0, tmpfsBytes: 0, totalBytes: 0 };
  const sampling = new AbortController();
  const sampled = (async () => {
    for (let round = 0; !sampling.signal.aborted; round++) {
      const rssBytes = memoryOf(pids).rssMb * 2 ** 20;
      const tmpfsBytes = allocatedBytes(memory);
      held.rssBytes = Math.max(held.rssBytes, rssBytes);
      held.tmpfsBytes = Math.max(held.tmpfsBytes, tmpfsBytes);
      held.totalBytes = Math.max(held.totalBytes, rssBytes + tmpfsBytes);
      if (round % 100 === 0) {
        const planes = Atomics.load(new Int32Array(planesWritten), 0);
        const done = planes + Atomics.load(new Int32Array(pagesWritten), 0);
        const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
        console.error(
          `${Math.round((performance.now() - startMs) / 1000)} s: ${done} of ${planesTotal} planes, RSS ${mib(rssBytes)} MiB, tmpfs ${mib(tmpfsBytes)} MiB`,
        );
      }
      await delay(SAMPLE_MS);
    }
  })();
  const failed = Promise.race([writing, reading.then(() => new Promise<never>(() => {}))]);
  const slowest = (await failed).map(({ slowestMs }) => Math.round(slowestMs));
  const writtenSeconds = (performance.now() - startMs) / 1000;
  Atomics.store(new Int32Array(phase), 0, 2);
  const reports = await reading;
  const unmountMs = performance.now();
  mounts.umount(mount);
  const unmountSeconds = (performance.now() - unmountMs) / 1000;
  sampling.abort();
  await sampled.catch(() => undefined);
  const kinds: readonly ReadKind[] = ['plate', 'written', 'growing'];
  const timesOf = (kind: ReadKind): number[] => sorted(reports.flatMap((report) => report[kind]));
  const all = sorted(kinds.flatMap(timesOf));
  const p99Ms = share(all, 0.99);
  const heldShare = held.totalBytes / budgetBytes;
  const figures = {
    writtenGib: (planesTotal * PLANE_BYTES) / 2 ** 30,
    writtenSeconds: Math.round(writtenSeconds),
    slowestWriteMs: { planes: slowest[0], huge: slowest[1] },
    unmountSeconds: Math.round(unmountSeconds),
    rssMib: Math.round(held.rssBytes / 2 ** 20),
    tmpfsMib: Math.round(held.tmpfsBytes / 2 ** 20),
    heldOverBudget: Number(heldShare.toFixed(3)),
    reads: all.length,
    p50Ms: share(all, 0.5),
    p99Ms,
    maxMs: share(all, 1),
    p99MsOf: Object.fromEntries(
      [...kinds, 'alone' as const].map((kind) => [kind, share(timesOf(kind), 0.99)]),
    ),
  };
  console.log(JSON.stringify(figures));
  if (heldShare > MAX_HELD) console.error(`held ${heldShare.toFixed(2)} of the budget, bar ${MAX_HELD}`);
  if (p99Ms > MAX_P99_MS) console.error(`p99 ${p99Ms} ms, bar ${MAX_P99_MS}`);
  process.exitCode = heldShare > MAX_HELD || p99Ms > MAX_P99_MS ? 1 : 0;
} finally {
  mounts[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
}
