import { parentPort } from 'node:worker_threads';
import type { JobAnswer, LandingJob } from './landing-job.ts';
import { answerJob } from './perform-job.ts';

// A worker of the pool: its jobs one after another, each group of them answered by a JobAnswer per job.
const port = parentPort;
let turn: Promise<void> = Promise.resolve();
port?.on('message', (jobs: readonly LandingJob[]) => {
  turn = turn.then(async () => {
    const answers: JobAnswer[] = [];
    for (const job of jobs) answers.push(await answerJob(job));
    port.postMessage(answers);
  });
});
