import { join } from 'node:path';
import { parseByteSize } from '../core/byte-size.ts';

/** Where finished renders are kept on disk, and how large they may grow together. */
export interface ColdCache {
  readonly folder: string;
  readonly limitBytes: number;
}

const DEFAULT_LIMIT_BYTES = 20 * 2 ** 30;

/** What `-o cold-cache`, `-o hot-cache`, a definition and the environment can say: a size in bytes, or 0 for none. */
export function parseCacheLimit(value: string | number, parameter: string): number {
  return value === 'off' ? 0 : parseByteSize(value, parameter);
}

/** The folder of renders: `PLATEFS_COLD_CACHE_DIR`, else one in the folder for things that can be made again. */
export function renderFolder(env: Readonly<Record<string, string | undefined>>, cacheFolder: string): string {
  const given = env['PLATEFS_COLD_CACHE_DIR'];
  return given?.startsWith('/') ? given : join(cacheFolder, 'renders');
}

/**
 * @param limitBytes what option or definition say; `PLATEFS_COLD_CACHE` counts where they say nothing.
 * @returns undefined where there is to be none.
 * @throws BadParameterError when the environment says no size.
 */
export function coldCache(
  env: Readonly<Record<string, string | undefined>>,
  cacheFolder: string,
  limitBytes: number | undefined,
): ColdCache | undefined {
  const given = env['PLATEFS_COLD_CACHE'];
  const said = given === undefined || given === '' ? undefined : parseCacheLimit(given, 'PLATEFS_COLD_CACHE');
  const most = limitBytes ?? said ?? DEFAULT_LIMIT_BYTES;
  return most === 0 ? undefined : { folder: renderFolder(env, cacheFolder), limitBytes: most };
}
