import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import type { Environment } from '../config/xdg.ts';
import type { ListedMount } from '../control/mount-registry.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { explain } from '../core/errors.ts';
import type { MountTableEntry } from '../fuse/mount-table.ts';
import { coldCacheFolder, hdf5Library, s3Credentials } from './doctor-source-checks.ts';
import { isPlateMount, probeMount } from './mount-table.ts';

/** `fail`: PlateFS can't mount; `warn`: it can, with less. */
export type Verdict = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  readonly detail: string;
  /** What to do; absent where all is well. */
  readonly advice?: string;
}

/** Where the checks look; the machine's own places unless a test says otherwise. */
export interface Machine {
  readonly fuseDevice: string;
  readonly fuseConf: string;
  readonly sharedMemory: string;
  readonly procSys: string;
  readonly kernelRelease: string;
  readonly isRoot: boolean;
  readonly env: Environment;
  /** For things that can be made again. */
  readonly cacheFolder: string;
  readonly folders: Readonly<Record<string, string>>;
  readonly mounts: readonly MountTableEntry[];
  readonly entries: readonly ListedMount[];
}

export function thisMachine(parts: Pick<Machine, 'folders' | 'cacheFolder' | 'mounts' | 'entries'>): Machine {
  return {
    fuseDevice: '/dev/fuse',
    fuseConf: '/etc/fuse.conf',
    sharedMemory: '/dev/shm',
    procSys: '/proc/sys',
    kernelRelease: release(),
    isRoot: process.getuid?.() === 0,
    env: process.env,
    ...parts,
  };
}

type Check = (machine: Machine) => Omit<Finding, 'check'> | Promise<Omit<Finding, 'check'>>;

const ok = (detail: string) => ({ verdict: 'ok', detail }) as const;
const warn = (detail: string, advice: string) => ({ verdict: 'warn', detail, advice }) as const;
const fail = (detail: string, advice: string) => ({ verdict: 'fail', detail, advice }) as const;

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

const fuseDevice: Check = ({ fuseDevice: path, isRoot }) => {
  if (!existsSync(path))
    return fail(
      `${path} is missing`,
      'load the module:  sudo modprobe fuse; in a container, start it with --device /dev/fuse',
    );
  if (!isAllowed(path, constants.R_OK | constants.W_OK))
    return isRoot
      ? fail(`${path} may not be opened`, 'start the container with  --device /dev/fuse --cap-add SYS_ADMIN')
      : fail(
          `${path} may not be opened`,
          'let every user open it, as Debian does:  sudo chmod 0666 /dev/fuse',
        );
  return ok(`${path} can be opened`);
};

const rights: Check = ({ isRoot }) => {
  if (isRoot) {
    const status = readFileSync('/proc/self/status', 'latin1');
    const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
    // CAP_SYS_ADMIN is bit 21, <linux/capability.h>.
    return (effective >> 21n) & 1n
      ? ok('root, mounts by itself')
      : fail('root without the right to mount', 'start the container with  --cap-add SYS_ADMIN');
  }
  try {
    const version = execFileSync('fusermount3', ['--version'], { encoding: 'utf8', timeout: 5000 }).trim();
    return ok(`plain user, mounts by ${version}`);
  } catch {
    return fail('plain user, and fusermount3 is missing', 'install it:  sudo apt-get install fuse3');
  }
};

const kernel: Check = ({ kernelRelease, isRoot }) => {
  const [major = 0, minor = 0] = kernelRelease.split('.').map(Number);
  const version = major * 1000 + minor;
  // FUSE_PASSTHROUGH and FUSE_NOTIFY_RESEND both came with Linux 6.9.
  if (version >= 6009)
    return ok(
      `Linux ${kernelRelease}: a killed daemon is resumed${isRoot ? ', planes are read at native speed' : ''}`,
    );
  return warn(
    `Linux ${kernelRelease}: no passthrough, and a killed daemon means a fresh mount`,
    'Linux 6.9 or later reads faster and survives a killed daemon',
  );
};

const koffi: Check = async () => {
  try {
    const library = await import('koffi');
    library.default.load(null);
    return ok('system calls can be made');
  } catch (error) {
    return fail(`koffi does not load: ${explain(error)}`, "run 'npm ci' on this machine");
  }
};

const sharedMemory: Check = ({ sharedMemory: path }) => {
  if (!existsSync(path) || !isAllowed(path, constants.W_OK))
    return warn(`${path} cannot be written`, 'written files will be held on disk, which is slower');
  const { bsize, blocks, bavail } = statfsSync(path);
  const sizeBytes = bsize * blocks;
  const freeBytes = bsize * bavail;
  const detail = `${path}: ${formatByteSize(freeBytes)} of ${formatByteSize(sizeBytes)} free`;
  // Docker gives a container 64 MiB unless told otherwise.
  return freeBytes < 256 * 1024 * 1024
    ? warn(detail, 'give it more:  mount -o remount,size=2G /dev/shm  (docker run --shm-size 2g)')
    : ok(detail);
};

const folders: Check = ({ folders: named }) => {
  const bad = Object.entries(named).filter(([, path]) => {
    let place = path;
    while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
    return !isAllowed(place, constants.W_OK | constants.X_OK);
  });
  return bad.length === 0
    ? ok(Object.values(named).join(', '))
    : fail(
        `cannot be written: ${bad.map(([, path]) => path).join(', ')}`,
        'make them writable, or set XDG_STATE_HOME, XDG_CACHE_HOME, XDG_RUNTIME_DIR',
      );
};

const watches: Check = ({ procSys }) => {
  const read = (name: string): number => Number(readFileSync(join(procSys, 'fs/inotify', name), 'utf8'));
  const folderLimit = read('max_user_watches');
  const instances = read('max_user_instances');
  const detail = `${folderLimit} folders can be watched, by ${instances} programs`;
  return folderLimit < 8192 || instances < 64
    ? warn(
        detail,
        'raise it:  sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512',
      )
    : ok(detail);
};

const allowOther: Check = ({ fuseConf, isRoot }) => {
  if (isRoot) return ok('root may use -o allow_other');
  const text = existsSync(fuseConf) ? readFileSync(fuseConf, 'utf8') : '';
  return /^\s*user_allow_other\s*$/m.test(text)
    ? ok('-o allow_other may be used')
    : warn(
        'only you can look into your mounts',
        `to let others in, add the line  user_allow_other  to ${fuseConf}`,
      );
};

const leftovers: Check = async ({ mounts, entries }) => {
  const living = new Set(entries.filter(({ isAlive }) => isAlive).map(({ mountpoint }) => mountpoint));
  const dead = new Set(entries.filter(({ isAlive }) => !isAlive).map(({ mountpoint }) => mountpoint));
  const unknown = mounts.filter((mount) => isPlateMount(mount) && !living.has(mount.path));
  const answers = await Promise.all(
    unknown.map(async ({ path }) => ({ path, answer: await probeMount(path) })),
  );
  for (const { path, answer } of answers) if (answer !== 'alive') dead.add(path);
  return dead.size === 0
    ? ok(living.size === 0 ? 'nothing is mounted' : `${living.size} mounted, none left behind`)
    : warn(`gone or stuck: ${[...dead].join(', ')}`, `tidy up:  platefs umount ${[...dead][0]}`);
};

const CHECKS: Readonly<Record<string, Check>> = {
  'FUSE device': fuseDevice,
  'right to mount': rights,
  kernel,
  'system calls': koffi,
  'shared memory': sharedMemory,
  folders,
  watching: watches,
  'other users': allowOther,
  'HDF5 library': hdf5Library,
  'cold cache': ({ env, cacheFolder }) => coldCacheFolder(env, cacheFolder),
  'S3 keys': ({ env }) => s3Credentials(env),
  leftovers,
};

/** Every check, each on its own: one that can't be made is a warning, not the end. */
export async function examine(machine: Machine): Promise<Finding[]> {
  return Promise.all(
    Object.entries(CHECKS).map(async ([check, look]) => {
      try {
        return { check, ...(await look(machine)) };
      } catch (error) {
        return {
          check,
          ...warn(`could not be checked: ${explain(error)}`, 'see whether the file is readable'),
        };
      }
    }),
  );
}
