import { prepareSupervisor, type WaitingSupervisor } from '../daemon/supervisor-process.ts';

let waiting: WaitingSupervisor | undefined;

/**
 * Starts a supervisor before the command line is even parsed, where it plainly asks for a mount in the background:
 * it loads at the same time as the command does. One that is not taken ends with this process.
 */
export function startEarly(argv: readonly string[]): void {
  const asksForMore = argv.some((word) => /^(-f|-h|--foreground|--help|--version)$/.test(word));
  if (argv[0] === 'mount' && argv.length > 1 && !asksForMore) waiting = prepareSupervisor('ignore');
}

/** The supervisor that was started early, once; or a new one. */
export function takeSupervisor(output: 'ignore' | 'inherit'): WaitingSupervisor {
  const early = output === 'ignore' ? waiting : undefined;
  if (early) waiting = undefined;
  return early ?? prepareSupervisor(output);
}

/** Lets one go that was started early and not needed. */
export function abandonEarly(): void {
  waiting?.abandon();
  waiting = undefined;
}
