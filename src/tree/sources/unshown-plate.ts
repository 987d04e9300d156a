import { CancelledError, explain, PlateFsError } from '../../core/errors.ts';
import type { PlateWarning } from '../../model/plate.ts';

/** Kind of the warnings that {@link unshownPlate} makes; the plate is the one file they name. */
export const UNSHOWN_PLATE = 'unshown-plate';

/**
 * What is said of a folder in a folder of several that was recognised as a plate and can't be shown as one.
 * @throws `error` where it says nothing of the plate: that somebody cancelled, or a mistake of ours.
 */
export function unshownPlate(name: string, error: unknown): PlateWarning {
  if (!(error instanceof PlateFsError) || error instanceof CancelledError) throw error;
  return {
    kind: UNSHOWN_PLATE,
    message: `${name} is shown as it is: ${explain(error)}`,
    files: [name],
  };
}
