import { parentPort } from 'node:worker_threads';
import { BadTiffError, explain, UnsupportedTiffError, UnsupportedZarrError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { makeDurable } from './durable-sync.ts';
import type { JobAnswer, JobFailure, JobReport, LandingJob } from './landing-job.ts';
import { inspectFile, stageImage, stagePages, stagePlain } from './landing-tasks.ts';
import { packChunk } from './pack-chunk.ts';
import { stageAhead } from './stage-ahead.ts';

/** A worker of the pool: its jobs one after another, each group of them answered by a {@link JobAnswer} per job. */
async function perform(job: LandingJob): Promise<JobReport<LandingJob>> {
  if (job.kind === 'inspect') return job.files.map(inspectFile);
  if (job.kind === 'plain') return stagePlain(job.file, job.stagedPath);
  if (job.kind === 'image') return stageImage(job);
  if (job.kind === 'pages') return stagePages(job);
  if (job.kind === 'ahead') return stageAhead(job);
  if (job.kind === 'pack') return packChunk(job);
  return makeDurable(job.folder, job.files);
}

function failureOf(error: unknown): JobFailure {
  const code = systemCode(error);
  const isUndecodable =
    error instanceof BadTiffError ||
    error instanceof UnsupportedTiffError ||
    error instanceof UnsupportedZarrError;
  return { code, message: explain(error), isUndecodable };
}

const answer = async (job: LandingJob): Promise<JobAnswer> => {
  try {
    return { report: await perform(job) };
  } catch (error) {
    return { failure: failureOf(error) };
  }
};

const port = parentPort;
// Jobs share this thread's buffers: none starts before the one before it has ended.
let turn: Promise<void> = Promise.resolve();
port?.on('message', (jobs: readonly LandingJob[]) => {
  turn = turn.then(async () => {
    const answers: JobAnswer[] = [];
    for (const job of jobs) answers.push(await answer(job));
    port.postMessage(answers);
  });
});
