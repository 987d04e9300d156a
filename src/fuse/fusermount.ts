import { spawnSync } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { geteuid } from 'node:process';
import { BadMountpointError, FuseUnavailableError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { MAX_READ_BYTES } from './protocol.ts';
import { receiveDescriptor, socketPair } from './syscalls.ts';

const CONFIGURATION = '/etc/fuse.conf';

/** Commas part mount options, so fusermount3 takes them (and backslashes) behind a backslash. */
const escapeOption = (text: string): string => text.replace(/[\\,]/g, (character) => `\\${character}`);

/** Whether the administrator lets plain users use allow_other; undefined when the file can't be read. */
export function userMayAllowOther(configuration: string = CONFIGURATION): boolean | undefined {
  try {
    return /^\s*user_allow_other\s*$/m.test(readFileSync(configuration, 'utf8'));
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return false;
    if (code === 'EACCES') return undefined;
    throw error;
  }
}

function failure(path: string, stderr: string): BadMountpointError | FuseUnavailableError {
  const said = stderr.trim().replace(/^fusermount3: /gm, '');
  if (/user_allow_other/.test(said))
    return new FuseUnavailableError(said, {
      advice: `add the line user_allow_other to ${CONFIGURATION} (as root), or mount without allow_other`,
    });
  if (/no write access|user has no write/i.test(said))
    return new BadMountpointError(path, 'is not yours to mount on', {
      advice: 'choose a folder of your own',
    });
  if (/too many FUSE filesystems/.test(said))
    return new FuseUnavailableError(said, { advice: `raise mount_max in ${CONFIGURATION}` });
  if (/Operation not permitted/.test(said))
    return new FuseUnavailableError(`fusermount3: ${said}`, {
      advice: 'run as root: chmod u+s "$(command -v fusermount3)"; a container must allow mounting',
    });
  return new FuseUnavailableError(`fusermount3: ${said === '' ? 'failed' : said}`);
}

/**
 * Mounts by fusermount3, the setuid program of package fuse3: it opens /dev/fuse, mounts, and sends the
 * descriptor over the socket that _FUSE_COMMFD names.
 *
 * @returns The open /dev/fuse, closed on exec.
 * @throws FuseUnavailableError or BadMountpointError.
 */
export function mountByFusermount(path: string, sourceLabel: string, allowOther: boolean): number {
  if (allowOther && geteuid?.() !== 0 && userMayAllowOther() === false)
    throw new FuseUnavailableError('allow_other is not allowed to plain users here', {
      advice: `add the line user_allow_other to ${CONFIGURATION} (as root), or mount without allow_other`,
    });
  const options = [
    'nosuid',
    'nodev',
    'default_permissions',
    `max_read=${MAX_READ_BYTES}`,
    'subtype=platefs',
    `fsname=platefs#${escapeOption(sourceLabel)}`,
    ...(allowOther ? ['allow_other'] : []),
  ].join(',');
  const [ours, theirs] = socketPair();
  try {
    const result = spawnSync('fusermount3', ['-o', options, '--', path], {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      env: { ...process.env, _FUSE_COMMFD: '3' },
      encoding: 'utf8',
    });
    closeSync(theirs);
    if (result.error !== undefined)
      throw new FuseUnavailableError('fusermount3 can not be run', {
        cause: result.error,
        advice: 'on Debian and Ubuntu: apt install fuse3; or run as root',
      });
    if (result.status !== 0) throw failure(path, result.stderr);
    const fd = receiveDescriptor(ours);
    if (fd === undefined) throw failure(path, result.stderr);
    return fd;
  } finally {
    closeSync(ours);
  }
}
