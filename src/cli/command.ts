import type { Argv } from 'yargs';
import type { Terminal } from './terminal.ts';

/** What every command runs with. `signal` fires at Ctrl-C. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** One command of `platefs`; its file holds everything about it. `Args` is what `options` declares. */
export interface Command<Args> {
  /** As yargs spells it: `umount <mountpoint>`. */
  readonly usage: string;
  readonly summary: string;
  readonly examples: readonly string[];
  options(yargs: Argv): unknown;
  /** @returns the exit status. */
  run(args: Args, context: CommandContext): Promise<number>;
}
