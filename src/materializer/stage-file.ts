import type { AheadStaging } from './ahead-staging.ts';
import type { StagedFile } from './landing-commit.ts';
import type { AheadPage, StagedPlanes } from './landing-job.ts';
import type { Decision, ImageDecision, LandingPlan } from './landing-plan.ts';
import { type JobRunner, UndecodableImage } from './landing-pool.ts';

/** Parts that the pages of a large file are staged in: some more than workers, so that these end together. */
const PARTS_PER_WORKER = 4;
const PART_BYTES = 32 << 20;

/** Lets workers stage a file; as a plain file when its pixels turn out to be undecodable. */
export async function stageFile(
  pool: JobRunner,
  plan: LandingPlan,
  decision: Decision,
  ahead: AheadStaging,
  signal: AbortSignal,
): Promise<StagedFile> {
  if (decision.kind === 'plain') {
    const { file, stagedPath, table } = decision;
    const job = {
      kind: 'plain',
      file,
      stagedPath,
      ...(table === undefined ? {} : { table: table.job }),
    } as const;
    return { decision, report: await pool.run(job, signal) };
  }
  try {
    const staged = await sharePages(
      pool,
      decision,
      await ahead.take(decision.file, decision.job, signal),
      signal,
    );
    const job = staged === undefined ? decision.job : { ...decision.job, staged };
    return { decision, report: await pool.run(job, signal) };
  } catch (error) {
    if (!(error instanceof UndecodableImage)) throw error;
    return stageFile(pool, plan, plan.plain(decision.file, error.message), ahead, signal);
  }
}

/** Lets all workers stage the pages of a large file; undefined where one does it all. */
async function sharePages(
  pool: JobRunner,
  { file, job, pages, isStoredPlainly }: ImageDecision,
  ahead: readonly AheadPage[] | undefined,
  signal: AbortSignal,
): Promise<StagedPlanes | undefined> {
  const parts = Math.min(pages, PARTS_PER_WORKER * pool.size, Math.ceil(file.sizeBytes / PART_BYTES));
  const isStagedAhead = ahead !== undefined && isStoredPlainly;
  if (parts < 2 && !isStagedAhead) return undefined;
  const known = isStagedAhead ? { ahead } : {};
  const bound = (part: number): number => Math.floor((part * pages) / parts);
  const staged = await Promise.all(
    Array.from({ length: parts }, (_, part) =>
      pool.run({ kind: 'pages', image: job, from: bound(part), to: bound(part + 1), ...known }, signal),
    ),
  );
  return {
    planes: staged.flatMap(({ planes }) => planes),
    lower: staged.flatMap(({ lower }) => lower),
    givesFileBack: staged.every(({ givesFileBack }) => givesFileBack),
  };
}
