import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HookQueue, mayRetry } from '../../../src/compute/hook-queue.ts';
import { type HookJob, QueueLedger } from '../../../src/compute/queue-ledger.ts';
import {
  BadParameterError,
  BadTiffError,
  CancelledError,
  DeviceFailedError,
  HookFailedError,
} from '../../../src/core/errors.ts';

const OPTIONS = { maxAttempts: 3, retryDelayMs: 100, keepFinished: 5 };

describe('the ledger of hook jobs', () => {
  it('retries with growing pauses, then gives up with the reason', () => {
    const ledger = new QueueLedger(OPTIONS);
    const { job } = ledger.enqueue('nuclei', 'inbox/a.tif');
    ledger.start(job.id);
    expect(ledger.fail(job.id, 'device lost', true, 1000)).toMatchObject({
      state: 'waiting',
      notBeforeMs: 1100,
    });
    expect(ledger.next(1099)).toEqual({ atMs: 1100 });
    expect(ledger.next(1100).job?.id).toBe(job.id);
    ledger.start(job.id);
    expect(ledger.fail(job.id, 'device lost', true, 2000)).toMatchObject({ notBeforeMs: 2200 });
    ledger.start(job.id);
    expect(ledger.fail(job.id, 'device lost', true, 3000)).toMatchObject({
      state: 'failed',
      attempts: 3,
      message: 'device lost',
    });
    expect(ledger.next(1e9)).toEqual({});
  });

  it('lets later jobs pass one that waits for its next attempt', () => {
    const ledger = new QueueLedger(OPTIONS);
    const first = ledger.enqueue('r', 'a').job;
    ledger.enqueue('r', 'b');
    ledger.start(first.id);
    ledger.fail(first.id, 'x', true, 0);
    expect(ledger.next(0).job?.mountPath).toBe('b');
  });

  it('never has a rule twice on a file, loses no job, and forgets old ones', () => {
    const action = fc.record({
      kind: fc.constantFrom('enqueue', 'start', 'succeed', 'fail', 'cancel'),
      path: fc.constantFrom('a', 'b', 'c'),
      retry: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const ledger = new QueueLedger(OPTIONS);
        const running = (): HookJob | undefined => ledger.jobs().find(({ state }) => state === 'running');
        let enqueued = 0;
        let ended = 0;
        for (const { kind, path, retry } of actions) {
          if (kind === 'enqueue') {
            if (ledger.enqueue('r', path).cancelled) ended++;
            enqueued++;
          } else if (kind === 'start') ledger.start(ledger.next(0).job?.id ?? 0);
          else if (kind === 'succeed') ended += ledger.succeed(running()?.id ?? 0, ['x']) ? 1 : 0;
          else if (kind === 'fail') {
            ended += ledger.fail(running()?.id ?? 0, 'm', retry, -1e9)?.state === 'failed' ? 1 : 0;
          } else ended += ledger.cancelPath(path).length;
          const active = ledger.jobs().filter(({ state }) => state === 'waiting' || state === 'running');
          expect(new Set(active.map(({ mountPath }) => mountPath)).size).toBe(active.length);
          expect(active.length).toBe(ledger.waitingCount + ledger.runningCount);
          expect(active.length + ended).toBe(enqueued);
          expect(ledger.jobs().length - active.length).toBe(Math.min(ended, OPTIONS.keepFinished));
        }
      }),
    );
  });
});

describe('which failures are tried again', () => {
  it('the device’s and the system’s, not the file’s', () => {
    const noSpace = Object.assign(new Error('ENOSPC'), { errno: -28 });
    expect(mayRetry(new DeviceFailedError('x'))).toBe(true);
    expect(mayRetry(new HookFailedError('x', { cause: new DeviceFailedError('y') }))).toBe(true);
    expect(mayRetry(new HookFailedError('x', { cause: noSpace }))).toBe(true);
    expect(mayRetry(new HookFailedError('x'))).toBe(false);
    expect(mayRetry(new HookFailedError('x', { cause: new BadTiffError('a', 'truncated') }))).toBe(false);
    expect(mayRetry(new BadParameterError('sigma', 'x'))).toBe(false);
    expect(mayRetry(new TypeError('a bug'))).toBe(false);
  });
});

describe('the hook queue', () => {
  it('goes on after a poisoned file and says what happened to each', async () => {
    await using queue = new HookQueue({
      concurrency: 2,
      work: async ({ mountPath }) => {
        if (mountPath === 'bad') throw new HookFailedError('bad is no image');
        return [`out/${mountPath}`];
      },
    });
    const seen: string[] = [];
    queue.on('change', ({ mountPath, state }) => seen.push(`${mountPath} ${state}`));
    for (const path of ['a', 'bad', 'b']) queue.enqueue('r', path);
    await queue.idle();
    expect(
      queue.jobs().map(({ mountPath, state, message, outputs }) => [mountPath, state, message ?? outputs]),
    ).toEqual(
      expect.arrayContaining([
        ['a', 'done', ['out/a']],
        ['bad', 'failed', 'bad is no image'],
        ['b', 'done', ['out/b']],
      ]),
    );
    expect(seen.filter((line) => line.startsWith('a '))).toEqual(['a waiting', 'a running', 'a done']);
  });

  it('tries again what the device failed at', async () => {
    let attempts = 0;
    await using queue = new HookQueue({
      concurrency: 1,
      retryDelayMs: 1,
      work: async () => {
        if (++attempts < 3) throw new DeviceFailedError('lost');
        return [];
      },
    });
    queue.enqueue('r', 'a');
    await queue.idle();
    expect(queue.jobs()).toEqual([expect.objectContaining({ state: 'done', attempts: 3 })]);
    expect(queue.jobs()[0]).not.toHaveProperty('message');
  });

  it('runs no more than it may at once', async () => {
    let running = 0;
    let most = 0;
    await using queue = new HookQueue({
      concurrency: 3,
      work: async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
        return [];
      },
    });
    for (let i = 0; i < 20; i++) queue.enqueue('r', `f${i}`);
    await queue.idle();
    expect(most).toBe(3);
    expect(queue.jobs().filter(({ state }) => state === 'done')).toHaveLength(20);
  });

  it('cancels the work on a file that is written again, and does it anew', async () => {
    const aborted: number[] = [];
    await using queue = new HookQueue({
      concurrency: 1,
      work: async ({ id }, signal) => {
        if (id === 1) {
          await once(signal, 'abort');
          aborted.push(id);
          throw new CancelledError('cancelled');
        }
        return ['out'];
      },
    });
    queue.enqueue('r', 'a');
    queue.enqueue('r', 'a');
    await queue.idle();
    expect(aborted).toEqual([1]);
    expect(queue.jobs().map(({ id, state }) => [id, state])).toEqual([
      [1, 'cancelled'],
      [2, 'done'],
    ]);
  });

  it('ends everything when it is closed', async () => {
    const queue = new HookQueue({
      concurrency: 1,
      work: async (_, signal) => {
        await once(signal, 'abort');
        throw new CancelledError('cancelled');
      },
    });
    queue.enqueue('r', 'a');
    queue.enqueue('r', 'b');
    await queue[Symbol.asyncDispose]();
    expect(queue.jobs().map(({ state }) => state)).toEqual(['cancelled', 'cancelled']);
    await queue.idle();
  });
});
