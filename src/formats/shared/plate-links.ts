import { readlink, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemCode } from '../../core/system-code.ts';

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);

/** Which symbolic links of a plate are followed. */
export interface LinkRules {
  /** Real path of the folder that links must not leave; absent where they may. */
  readonly insideOf?: string;
  /** A folder that must not be touched, nor anything that holds it: where the plate is being mounted. */
  readonly avoid?: string;
}

/**
 * Whether a link is not to be followed. One that dangles leads nowhere and is kept; one that can't be resolved is not
 * trusted.
 */
export async function isForbiddenLink({ insideOf, avoid }: LinkRules, link: string): Promise<boolean> {
  if (insideOf === undefined && avoid === undefined) return false;
  try {
    // Before anything is asked of the target: asking may be what must not be done.
    if (avoid !== undefined && isWithin(resolve(dirname(link), await readlink(link)), avoid)) return true;
    const target = await realpath(link);
    if (avoid !== undefined && isWithin(avoid, target)) return true;
    return insideOf !== undefined && !isWithin(target, insideOf);
  } catch (error) {
    return systemCode(error) !== 'ENOENT';
  }
}
