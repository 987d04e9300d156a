import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { BadMountpointError } from '../core/errors.ts';

const run = promisify(execFile);

/**
 * Takes a mount out of the folder tree without its daemon's help: `umount` as root, `fusermount3` otherwise.
 * Lazy, since a dead mount may still be somebody's working folder.
 * @throws BadMountpointError when the kernel refuses.
 */
export async function detachMount(mountpoint: string): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  const [program, args] = isRoot
    ? ['umount', ['--lazy', '--no-canonicalize', '--', mountpoint]]
    : ['fusermount3', ['-u', '-z', '--', mountpoint]];
  try {
    await run(program, args, { timeout: 10_000 });
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new BadMountpointError(mountpoint, `cannot be detached${stderr ? `: ${stderr}` : ''}`, {
      ...(stderr ? {} : { cause: error }),
      advice: isRoot ? 'see  dmesg | tail' : 'ask root to run  umount -l',
    });
  }
}
