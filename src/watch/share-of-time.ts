import { setTimeout as delay } from 'node:timers/promises';

export interface Rounds {
  /** Before the first round. */
  readonly firstPauseMs: number;
  /** Between rounds, at least. */
  readonly pauseMs: number;
  /** What rounds may take of all time: after a long one the pause is longer. */
  readonly maxShare: number;
  /** Ends it, after the round that runs. */
  readonly signal: AbortSignal;
}

/** Does `round` again and again until the signal ends it; keeps no process alive. */
export async function repeatForShare(rounds: Rounds, round: () => Promise<void>): Promise<void> {
  const { signal } = rounds;
  let pauseMs = rounds.firstPauseMs;
  while (!signal.aborted) {
    try {
      await delay(pauseMs, undefined, { signal, ref: false });
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const begunMs = performance.now();
    await round();
    pauseMs = Math.max(rounds.pauseMs, (performance.now() - begunMs) / rounds.maxShare);
  }
}
