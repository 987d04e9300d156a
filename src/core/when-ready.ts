import { SourceNotReadyError } from './errors.ts';

/** What breaks down again and again at other places is not tried for ever. */
const MAX_TRIES = 16;

/**
 * Does what may need something that this thread is loading, and again when that is there.
 * @throws SourceNotReadyError when it is not ready after many tries; what loading it and `attempt` throw.
 */
export async function whenReady<T>(attempt: () => T | Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1)
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SourceNotReadyError) || tries >= MAX_TRIES) throw error;
      await error.ready;
    }
}
