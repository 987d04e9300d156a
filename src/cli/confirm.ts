import { createInterface } from 'node:readline/promises';
import { BadParameterError, CancelledError } from '../core/errors.ts';

/** Where a person answers; process.stdin and process.stderr in the program. */
export interface AnswerPorts {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/**
 * Asks on a terminal whether to go on.
 * @throws CancelledError when the answer is no; BadParameterError where nobody can be asked.
 */
export async function confirm(
  question: string,
  signal: AbortSignal,
  { input, output }: AnswerPorts = { input: process.stdin, output: process.stderr },
): Promise<void> {
  if (!input.isTTY)
    throw new BadParameterError('--yes', 'is needed where nobody can be asked; nothing was changed');
  const lines = createInterface({ input, output });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    lines.close();
  }
  throw new CancelledError('nothing was changed');
}
