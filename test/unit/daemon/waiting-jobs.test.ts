import { describe, expect, it } from 'vitest';
import { WaitingJobs } from '../../../src/daemon/waiting-jobs.ts';

interface Job {
  readonly name: string;
}

/** Does jobs, but `slow` only after `loaded`, and writes down which were done. */
function desk(loaded: Promise<void>, mostWaitMs?: number) {
  const done: string[] = [];
  let isLoaded = false;
  loaded.then(
    () => (isLoaded = true),
    () => {},
  );
  const jobs: WaitingJobs<Job> = new WaitingJobs<Job>((job) => {
    if (job.name !== 'slow' || isLoaded) done.push(job.name);
    else if (jobs.mayWait(job)) jobs.hold(job, loaded);
    else done.push('slow failed');
  }, mostWaitMs);
  return { jobs, done };
}

describe('jobs of a thread', () => {
  it('wait for what is being loaded, and those behind them keep their order', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { jobs, done } = desk(promise);
    for (const name of ['a', 'slow', 'b', 'slow', 'c']) jobs.hear({ name });
    expect(done).toEqual(['a']);
    resolve();
    await expect.poll(() => done).toEqual(['a', 'slow', 'b', 'slow', 'c']);
    jobs.hear({ name: 'd' });
    expect(done.at(-1)).toBe('d');
  });

  it('that can not be loaded fail once, and hold up no others', async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    const { jobs, done } = desk(promise);
    for (const name of ['slow', 'b']) jobs.hear({ name });
    reject(new Error('no memory'));
    await expect.poll(() => done).toEqual(['slow failed', 'b']);
  });

  it('wait no longer than they may', async () => {
    const { jobs, done } = desk(Promise.resolve(), 0);
    const never: WaitingJobs<Job> = new WaitingJobs<Job>((job) => {
      if (never.mayWait(job)) never.hold(job, Promise.resolve());
      else done.push('given up');
    }, 0);
    never.hear({ name: 'x' });
    await expect.poll(() => done).toEqual(['given up']);
    jobs.hear({ name: 'a' });
    expect(done).toEqual(['given up', 'a']);
  });
});
