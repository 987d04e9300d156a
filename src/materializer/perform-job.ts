import { BadTiffError, explain, UnsupportedTiffError, UnsupportedZarrError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { makeDurable } from './durable-sync.ts';
import type { JobAnswer, JobFailure, JobReport, LandingJob } from './landing-job.ts';
import { inspectFile, stageImage, stagePages, stagePlain } from './landing-tasks.ts';
import { packChunk } from './pack-chunk.ts';
import { stageAhead } from './stage-ahead.ts';

async function perform(job: LandingJob): Promise<JobReport<LandingJob>> {
  if (job.kind === 'inspect') return job.files.map(inspectFile);
  if (job.kind === 'plain') return stagePlain(job);
  if (job.kind === 'image') return stageImage(job);
  if (job.kind === 'pages') return stagePages(job);
  if (job.kind === 'ahead') return stageAhead(job);
  if (job.kind === 'pack') return packChunk(job);
  return makeDurable(job.descriptor, job.files);
}

function failureOf(error: unknown): JobFailure {
  const code = systemCode(error);
  const isUndecodable =
    error instanceof BadTiffError ||
    error instanceof UnsupportedTiffError ||
    error instanceof UnsupportedZarrError;
  return { code, message: explain(error), isUndecodable };
}

/** Does a job in this thread, whose buffers jobs share: none may start before the one before it has ended. */
export async function answerJob(job: LandingJob): Promise<JobAnswer> {
  try {
    return { report: await perform(job) };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}
