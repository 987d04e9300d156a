import { BadDefinitionError, BadParameterError, CancelledError } from '../core/errors.ts';

/** What the exit status of `platefs` says; printed into the README. */
export const EXIT_CODES = [
  { code: 0, name: 'ok', meaning: 'done' },
  { code: 1, name: 'failure', meaning: 'could not be done; the message says why and what to do' },
  {
    code: 2,
    name: 'usage',
    meaning: 'the command, an option or a mount definition is wrong; nothing was done',
  },
  {
    code: 3,
    name: 'kept',
    meaning: 'done, but some written files could not land and are kept for the next mount',
  },
  { code: 4, name: 'damaged', meaning: 'fsck found something that is damaged or lost' },
  { code: 130, name: 'interrupted', meaning: 'stopped by Ctrl-C' },
] as const;

export type ExitName = (typeof EXIT_CODES)[number]['name'];

export function exitCode(name: ExitName): number {
  return EXIT_CODES.find((row) => row.name === name)?.code ?? 1;
}

/** The exit status for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof BadParameterError || error instanceof BadDefinitionError) return exitCode('usage');
  if (error instanceof CancelledError) return exitCode('interrupted');
  return exitCode('failure');
}
