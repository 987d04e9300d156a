/** What files and stores that are no plates need of a machine. Without it plates of TIFFs can be mounted all the same. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Environment } from '../config/xdg.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { explain, PlateFsError } from '../core/errors.ts';
import { loadById } from '../core/plugin.ts';
import { lockExclusively } from '../fuse/syscalls.ts';
import { SOURCES } from '../registry.generated.ts';
import { coldCache } from '../renders/render-folder.ts';
import { RenderStore } from '../renders/render-store.ts';
import { s3Settings } from '../zarr/remote/s3-settings.ts';
import type { Finding } from './doctor-checks.ts';

type Found = Omit<Finding, 'check'>;

/** Loads the library, which a mount does only when it has such a file. */
export async function hdf5Library(): Promise<Found> {
  try {
    const driver = await loadById(SOURCES, 'hdf5');
    await driver?.prepare?.();
    return { verdict: 'ok', detail: 'HDF5 and AnnData files can be read' };
  } catch (error) {
    return {
      verdict: 'warn',
      detail: `HDF5 and AnnData files can't be read: ${explain(error)}`,
      advice: "run 'npm ci' on this machine",
    };
  }
}

/** Where `platefs warm` keeps finished files: whether it can, how much lies there, and how much room there is. */
export function coldCacheFolder(env: Environment, cacheFolder: string): Found {
  let cold: ReturnType<typeof coldCache>;
  try {
    cold = coldCache(env, cacheFolder, undefined);
  } catch (error) {
    if (!(error instanceof PlateFsError)) throw error;
    return { verdict: 'warn', detail: error.message, advice: 'write a size like 20GiB, or off' };
  }
  if (!cold) return { verdict: 'ok', detail: 'off, by PLATEFS_COLD_CACHE' };
  const { folder, limitBytes } = cold;
  let place = folder;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch {
    return {
      verdict: 'warn',
      detail: `${folder} cannot be written`,
      advice:
        'name another folder:  export PLATEFS_COLD_CACHE_DIR=/path, or turn it off:  PLATEFS_COLD_CACHE=off',
    };
  }
  const usedBytes = new RenderStore({ folder, lock: lockExclusively })
    .list()
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { bsize, bavail } = statfsSync(place);
  const freeBytes = bsize * bavail;
  const detail = `${folder}: ${formatByteSize(usedBytes)} of at most ${formatByteSize(limitBytes)}, ${formatByteSize(freeBytes)} free on its disk`;
  return freeBytes + usedBytes < limitBytes
    ? {
        verdict: 'warn',
        detail,
        advice: `the disk is full before the limit is reached; lower it:  export PLATEFS_COLD_CACHE=${formatByteSize(Math.max(1, Math.floor((freeBytes + usedBytes) / 2))).replace(' ', '')}`,
      }
    : { verdict: 'ok', detail };
}

/** Whether keys for s3:// are found. They are never shown, and nothing is asked of the network. */
export function s3Credentials(env: Environment): Found {
  try {
    const { credentials, region, endpoint } = s3Settings('s3://', env);
    const where = `${region}${endpoint === undefined ? '' : `, ${withoutSecrets(endpoint)}`}`;
    return {
      verdict: 'ok',
      detail: credentials
        ? `keys found (${where}); not tried`
        : `no keys (${where}): s3:// addresses that everybody may read can be mounted`,
    };
  } catch (error) {
    if (!(error instanceof PlateFsError)) throw error;
    const detail = error.message.replace(/^s3:\/\/:? ?/, '');
    return { verdict: 'warn', detail, advice: error.advice ?? 'see  ~/.aws/config' };
  }
}

/** An endpoint may bear a name and a password. */
const withoutSecrets = (url: string): string => url.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/s, '');
