import { parentPort } from 'node:worker_threads';
import { BadTiffError, explain, UnsupportedTiffError } from '../core/errors.ts';
import { makeDurable } from './durable-sync.ts';
import type { JobFailure, JobReport, LandingJob } from './landing-job.ts';
import { inspectFile, stageImage, stagePlain } from './landing-tasks.ts';

/** A worker of the pool: its jobs one after another, each answered by `{ report }` or `{ failure }`. */
async function perform(job: LandingJob): Promise<JobReport<LandingJob>> {
  if (job.kind === 'inspect') return job.files.map(inspectFile);
  if (job.kind === 'plain') return stagePlain(job.file, job.stagedPath);
  if (job.kind === 'image') return stageImage(job);
  return makeDurable(job.folder, job.files);
}

function failureOf(error: unknown): JobFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const isUndecodable = error instanceof BadTiffError || error instanceof UnsupportedTiffError;
  return { code, message: explain(error), isUndecodable };
}

const port = parentPort;
// Jobs share this thread's buffers: none starts before the one before it has ended.
let turn: Promise<void> = Promise.resolve();
port?.on('message', (job: LandingJob) => {
  turn = turn
    .then(() => perform(job))
    .then(
      (report) => port.postMessage({ report }),
      (error: unknown) => port.postMessage({ failure: failureOf(error) }),
    );
});
