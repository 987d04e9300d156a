import { readdir, realpath, stat } from 'node:fs/promises';
import { CancelledError, EmptyFolderError, NotAPlateError, UnreadableSourceError } from '../core/errors.ts';
import { loadAll } from '../core/plugin.ts';
import { shellWord } from '../core/shell-word.ts';
import { systemCode } from '../core/system-code.ts';
import type { FormatHandler, LayoutProposal } from '../formats.ts';
import type { RecognisedPlate } from '../model/plate.ts';
import { FORMATS } from '../registry.generated.ts';
import { containersOnly } from './container-folder.ts';
import { type Choice, settle, type Verdict } from './plate-choice.ts';

const code = (error: unknown): string => systemCode(error) ?? 'unknown error';

/** No format recognises a folder; its names may say something all the same. */
export class UnrecognisedFolderError extends NotAPlateError {
  readonly proposal: LayoutProposal | undefined;

  constructor(folder: string, detail: string, advice: string, proposal?: LayoutProposal) {
    super(folder, detail, { advice });
    this.proposal = proposal;
  }
}

/** Names shown when a folder is not recognised. */
const MAX_NAMES_SHOWN = 5;

/** @throws UnreadableSourceError, NotAPlateError, EmptyFolderError */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    if (!(await stat(folder)).isDirectory())
      throw new NotAPlateError(folder, 'it is a file', { advice: 'name the folder that holds the plate' });
    const names = await readdir(folder);
    if (names.length === 0) throw new EmptyFolderError(folder);
    return names.sort();
  } catch (cause) {
    if (code(cause) === 'ENOENT')
      throw new UnreadableSourceError(folder, 'does not exist', { cause, advice: 'check the path' });
    if (code(cause) === 'ENOTDIR')
      throw new UnreadableSourceError(folder, 'does not exist: a part of the path is a file', {
        cause,
        advice: 'check the path',
      });
    if (code(cause) === 'EACCES' || code(cause) === 'EPERM')
      throw new UnreadableSourceError(folder, 'you may not read it', {
        cause,
        advice: 'ask its owner for read and search permission',
      });
    if (cause instanceof Error && 'code' in cause && !('tag' in cause))
      throw new UnreadableSourceError(folder, "can't be listed", {
        cause,
        advice: 'check the disk or share',
      });
    throw cause;
  }
}

/** @throws NotAPlateError when no handler, or more than one, is the best. */
function choose(folder: string, verdicts: readonly Verdict[], names: readonly string[]): Choice {
  const certain = verdicts.filter(({ detection }) => detection.confidence === 'certain');
  const { best, gaveWay } =
    certain.length > 0
      ? settle(folder, certain)
      : { best: verdicts.filter((one) => one.detection.confidence === 'maybe'), gaveWay: [] };
  const [first, second] = best;
  if (first && second) {
    const both = best.map(({ handler, detection }) => `${handler.title} (${detection.reason})`).join(' and ');
    throw new NotAPlateError(folder, `it looks like ${both}`, {
      advice: 'name the folder of one of them',
    });
  }
  if (first) return { ...first, gaveWay };
  const shown = names.slice(0, MAX_NAMES_SHOWN).join(', ') + (names.length > MAX_NAMES_SHOWN ? ', …' : '');
  const reasons = verdicts
    .map(({ handler, detection }) => `${handler.title}: ${detection.reason}`)
    .join('; ');
  const proposal = verdicts.find(({ detection }) => detection.proposal)?.detection.proposal;
  const known = verdicts.filter(({ handler }) => !handler.takesLayout).map(({ handler }) => handler.title);
  throw new UnrecognisedFolderError(
    folder,
    `it holds ${shown}. ${reasons}`,
    proposal
      ? `see what its names might say:  platefs inspect ${shellWord(folder)}  then mount it as a plate with  --layout ${shellWord(proposal.template)}  or see each file by what it holds, with  --as sources`
      : `name the folder of a plate; recognised: ${known.join(', ')}`,
    proposal,
  );
}

/**
 * Finds out what a folder is, without indexing it. `path` is its real path, so that a link that is turned
 * elsewhere doesn't turn an open plate.
 * @throws NotAPlateError, EmptyFolderError, UnreadableSourceError, CancelledError
 */
export async function recognisePlate(
  folder: string,
  signal: AbortSignal,
  given?: readonly FormatHandler[],
): Promise<Choice & { readonly path: string }> {
  const names = await namesIn(folder);
  const path = await realpath(folder);
  if (signal.aborted) throw new CancelledError('opening the plate was cancelled');
  const handlers = (given ?? (await loadAll(FORMATS))).filter(({ indexesAnything }) => !indexesAnything);
  const verdicts = await Promise.all(
    handlers
      .filter((handler) => !handler.takesLayout)
      .map(async (handler) => ({ handler, detection: await handler.detect(path, signal) })),
  );
  if (verdicts.every(({ detection }) => detection.confidence === 'no')) {
    const refusal = await containersOnly(path);
    if (refusal) throw refusal;
    const lastResort = handlers.find((handler) => handler.takesLayout);
    if (lastResort) verdicts.push({ handler: lastResort, detection: await lastResort.detect(path, signal) });
  }
  return { ...choose(path, verdicts, names), path };
}

/** What {@link recognisePlate} found, as plain data for {@link openPlate} in another process. */
export function recognisedAs({
  handler,
  detection,
  gaveWay,
  path,
}: Awaited<ReturnType<typeof recognisePlate>>): RecognisedPlate {
  return {
    format: handler.id,
    root: detection.root ?? path,
    reason: detection.reason,
    descriptions: gaveWay.map((one) => ({ format: one.handler.id, root: one.detection.root ?? path })),
  };
}
