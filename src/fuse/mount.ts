import { spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { geteuid } from 'node:process';
import { BadMountpointError, FuseUnavailableError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { mountByFusermount } from './fusermount.ts';
import { mountAt } from './mount-table.ts';
import { prepareMountpoint } from './mountpoint.ts';
import { MAX_READ_BYTES } from './protocol.ts';
import { MS_NODEV, MS_NOSUID, mount, SystemCallError, syscallsProblem } from './syscalls.ts';

const DEVICE = '/dev/fuse';
const TYPE = 'fuse.platefs';
/** S_IFDIR in octal, as the kernel wants the root's type. */
const ROOT_MODE = '40000';

/**
 * How a mount came about: mount(2) as root; the program mount(8) as root where koffi will not load;
 * fusermount3 for a plain user.
 */
export type MountRoute = 'mount(2)' | 'mount(8)' | 'fusermount3';

export interface MountRequest {
  mountpoint: string;
  /** What `df` and `mount` show, after `platefs#`. */
  sourceLabel: string;
  /** Let other users in (root too, when a plain user mounts). */
  allowOther: boolean;
  /** Take this route instead of the first that fits. */
  route?: MountRoute;
}

export interface Mounted {
  /** The open /dev/fuse, closed on exec. */
  fd: number;
  /** Absolute, links resolved. */
  mountpoint: string;
  /** The number under /sys/fs/fuse/connections. */
  connection: number;
  /** Mounted as root: passthrough and read-ahead can be had. */
  privileged: boolean;
  route: MountRoute;
  /** How many dead mounts were taken away from the mountpoint first. */
  mended: number;
}

/** @throws FuseUnavailableError when /dev/fuse is missing or may not be opened. */
function openDevice(): number {
  try {
    return openSync(DEVICE, 'r+');
  } catch (cause) {
    throw deviceProblem(cause);
  }
}

function deviceProblem(cause: unknown): FuseUnavailableError {
  const code = systemCode(cause);
  const isRoot = geteuid?.() === 0;
  if (code === 'ENOENT')
    return new FuseUnavailableError(`${DEVICE} does not exist`, {
      cause,
      advice: isRoot
        ? 'run: modprobe fuse; if that does not help: mknod -m 666 /dev/fuse c 10 229; in a container: start it with --device /dev/fuse'
        : 'ask an administrator to load the fuse kernel module',
    });
  if (code === 'ENODEV' || code === 'ENXIO')
    return new FuseUnavailableError('this kernel has no FUSE', { cause, advice: 'run: modprobe fuse' });
  return new FuseUnavailableError(`${DEVICE} can not be opened`, {
    cause,
    advice: isRoot
      ? 'in a container: start it with --device /dev/fuse --cap-add SYS_ADMIN'
      : 'ask an administrator to run: chmod 0666 /dev/fuse',
  });
}

/** The facts of a fresh mount. The caller closes `fd` when this throws. */
function describe(fd: number, path: string, route: MountRoute, mended: number): Mounted {
  const entry = mountAt(path);
  if (entry === undefined)
    throw new BadMountpointError(path, 'was mounted but is not in /proc/self/mountinfo');
  return {
    fd,
    mountpoint: path,
    connection: entry.minor,
    privileged: route !== 'fusermount3',
    route,
    mended,
  };
}

const mountOptions = (allowOther: boolean): string =>
  `rootmode=${ROOT_MODE},user_id=0,group_id=0,default_permissions,max_read=${MAX_READ_BYTES}${allowOther ? ',allow_other' : ''}`;

function bySystemCall(fd: number, path: string, request: MountRequest): void {
  try {
    mount(
      `platefs#${request.sourceLabel}`,
      path,
      TYPE,
      MS_NOSUID | MS_NODEV,
      `fd=${fd},${mountOptions(request.allowOther)}`,
    );
  } catch (cause) {
    if (!(cause instanceof SystemCallError)) throw cause;
    if (cause.code === 'EPERM')
      throw new FuseUnavailableError('this process may not mount', {
        cause,
        advice: 'in a container: start it with --cap-add SYS_ADMIN --security-opt apparmor=unconfined',
      });
    if (cause.code === 'ENODEV')
      throw new FuseUnavailableError('this kernel has no FUSE', { cause, advice: 'run: modprobe fuse' });
    throw new BadMountpointError(path, 'can not be mounted on', { cause });
  }
}

/** mount(8) without helper programs; it gets the device as its descriptor 3. */
function byProgram(fd: number, path: string, request: MountRequest): void {
  const result = spawnSync(
    'mount',
    [
      '-i',
      '-t',
      TYPE,
      '-o',
      `nosuid,nodev,fd=3,${mountOptions(request.allowOther)}`,
      '--',
      `platefs#${request.sourceLabel}`,
      path,
    ],
    { stdio: ['ignore', 'ignore', 'pipe', fd], encoding: 'utf8' },
  );
  if (result.error !== undefined)
    throw new FuseUnavailableError('the program mount can not be run', { cause: result.error });
  if (result.status !== 0)
    throw new FuseUnavailableError(`mount failed: ${result.stderr.trim()}`, {
      advice: 'in a container: start it with --cap-add SYS_ADMIN',
    });
}

function chooseRoute(): MountRoute {
  if (geteuid?.() !== 0) return 'fusermount3';
  return syscallsProblem() === undefined ? 'mount(2)' : 'mount(8)';
}

/**
 * Mounts a FUSE file system that nobody serves yet: give {@link Mounted.fd} to a session next, because from
 * now on whoever touches the mountpoint waits for it.
 *
 * @throws BadMountpointError for a mountpoint that will not do; FuseUnavailableError when FUSE can't be used
 *   here. Both say what to do.
 */
export function mountFuse(request: MountRequest): Mounted {
  const { path, mended } = prepareMountpoint(request.mountpoint);
  const route = request.route ?? chooseRoute();
  if (route === 'fusermount3') {
    try {
      accessSync(DEVICE, constants.R_OK | constants.W_OK);
    } catch (cause) {
      throw deviceProblem(cause);
    }
    const fd = mountByFusermount(path, request.sourceLabel, request.allowOther);
    return finished(fd, () => describe(fd, path, route, mended));
  }
  const fd = openDevice();
  return finished(fd, () => {
    if (route === 'mount(2)') bySystemCall(fd, path, request);
    else byProgram(fd, path, request);
    return describe(fd, path, route, mended);
  });
}

/** `step()`, with `fd` closed when it throws. */
function finished(fd: number, step: () => Mounted): Mounted {
  try {
    return step();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
