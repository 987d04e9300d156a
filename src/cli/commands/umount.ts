import { setTimeout as delay } from 'node:timers/promises';
import { callControl } from '../../control/control-client.ts';
import type { DrainParams, LandingResult } from '../../control/documents.ts';
import type { ListedMount, MountRegistry } from '../../control/mount-registry.ts';
import { BadMountpointError, BadParameterError, CancelledError, NotRunningError } from '../../core/errors.ts';
import { mountAt } from '../../fuse/mount-table.ts';
import { unmountFuse } from '../../fuse/unmount.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { isPlateMount, mountpointPath, probeMount } from '../mount-table.ts';
import { mountUsers } from '../mount-users.ts';
import { landingText, ownRegistry } from '../running-mount.ts';
import { servingRegistry } from '../serving-registry.ts';

interface UmountArgs {
  readonly mountpoint: string;
  readonly lazy: boolean;
  readonly timeout: number | undefined;
}

/** A daemon that lands a large file may say nothing for this long. */
const DRAIN_SILENCE_MS = 120_000;
const POLL_MS = 25;

/**
 * The mount is gone when neither the kernel nor a process has it; a lazy one when nobody finds it any more, though
 * PlateFS serves those who have files open until they close them.
 */
async function untilGone(
  { mountpoint }: ListedMount,
  registry: MountRegistry,
  signal: AbortSignal,
  lazy: boolean,
): Promise<void> {
  const isThere = (): boolean => {
    const mounted = mountAt(mountpoint);
    if (mounted !== undefined && isPlateMount(mounted)) return true;
    return !lazy && registry.find(mountpoint)?.isAlive === true;
  };
  while (isThere()) {
    if (signal.aborted)
      throw new CancelledError(`${mountpoint} is not unmounted yet`, {
        advice: 'written files are safe; a program may have files open there: see  fuser -vm, or use --lazy',
      });
    await delay(POLL_MS);
  }
}

/** @throws BadMountpointError while programs work in the mount: they would lose their files under their hands. */
function refuseBusy(mountpoint: string): void {
  const users = mountUsers(mountpoint).map(({ pid, name }) => `${name} (${pid})`);
  if (users.length === 0) return;
  const more = users.length > 3 ? ` and ${users.length - 3} more` : '';
  throw new BadMountpointError(mountpoint, `is in use by ${users.slice(0, 3).join(', ')}${more}`, {
    advice: 'close them or leave the folder; --lazy unmounts nevertheless',
  });
}

/**
 * Tidies up after a mount whose processes are gone.
 * @throws BadMountpointError for one that somebody serves, unless it is to go lazily.
 */
async function mend(
  mountpoint: string,
  registry: MountRegistry,
  lazy: boolean,
  context: CommandContext,
): Promise<number> {
  const mounted = mountAt(mountpoint);
  const entry = registry.find(mountpoint);
  if (mounted && !isPlateMount(mounted))
    throw new BadMountpointError(
      mountpoint,
      `is a mount of ${mounted.source} (${mounted.type}), not of PlateFS`,
      {
        advice: 'use umount',
      },
    );
  if (!mounted && !entry)
    throw new NotRunningError(`nothing is mounted at ${mountpoint}`, { advice: "see 'platefs status'" });
  const isServed = mounted !== undefined && (await probeMount(mountpoint)) !== 'dead';
  if (isServed && !lazy)
    throw new BadMountpointError(mountpoint, 'is served by a PlateFS that is on no list of your mounts', {
      advice:
        'unmount it as the user, and with the XDG_RUNTIME_DIR, that mounted it; --lazy takes it out of the folder tree',
    });
  if (mounted) unmountFuse(mountpoint, { lazy: true });
  registry.remove(mountpoint);
  if (isServed) {
    context.terminal.result(
      { mountpoint, mended: false },
      `${mountpoint} is gone from the folder tree; the PlateFS that served it writes out by itself`,
    );
    return exitCode('ok');
  }
  const text = `${mountpoint} was left behind by a PlateFS that is gone, and is tidied up`;
  const kept = entry ? `; written files are kept in ${entry.state} for the next mount` : '';
  context.terminal.result({ mountpoint, mended: true, state: entry?.state }, text + kept);
  return exitCode('ok');
}

async function run(
  { mountpoint: path, lazy, timeout }: UmountArgs,
  context: CommandContext,
): Promise<number> {
  if (timeout !== undefined && !(timeout > 0))
    throw new BadParameterError('--timeout', 'must be a number of seconds above 0');
  const { terminal } = context;
  const mountpoint = mountpointPath(path);
  const own = ownRegistry();
  const mounted = own.find(mountpoint)?.isAlive ? undefined : mountAt(mountpoint);
  const other = mounted && isPlateMount(mounted) ? await servingRegistry(mountpoint) : undefined;
  const registry = other ?? own;
  const entry = registry.find(mountpoint);
  if (!entry?.isAlive) return await mend(mountpoint, own, lazy, context);
  if (!lazy) refuseBusy(mountpoint);
  const limits = timeout === undefined ? [] : [AbortSignal.timeout(timeout * 1000)];
  const signal = AbortSignal.any([context.signal, ...limits]);
  const params: DrainParams = { lazy };
  terminal.progress('writing out');
  const result = (await callControl(entry.socket, 'drain', params, {
    onProgress: (value) => terminal.progress(`writing out: ${landingText(value)}`),
    silenceMs: DRAIN_SILENCE_MS,
    signal,
  }).catch((error: unknown) => {
    if (error instanceof CancelledError && !context.signal.aborted)
      throw new NotRunningError(`${mountpoint} is still writing out after ${timeout} s`, {
        advice: 'it stays mounted and nothing is lost; run platefs umount again, with a longer --timeout',
      });
    throw error;
  })) as LandingResult;
  await untilGone(entry, registry, signal, lazy);
  registry.remove(mountpoint);
  terminal.result({ mountpoint, ...result }, unmountedText(entry, result));
  return result.kept.length === 0 ? exitCode('ok') : exitCode('kept');
}

function unmountedText({ mountpoint, output, state }: ListedMount, { files, kept }: LandingResult): string {
  const landed = files === 0 ? '' : `; ${files} written files are in ${output}`;
  const lines = kept.map((file) => `\n  ${file.path}: ${file.reason}`).join('');
  const left =
    kept.length === 0 ? '' : `\n${kept.length} files are kept in ${state} for the next mount:${lines}`;
  return `${mountpoint} is unmounted${landed}${left}`;
}

export const umount: Command<UmountArgs> = {
  usage: 'umount <mountpoint>',
  summary: 'Write everything out, then unmount',
  examples: ['umount /mnt/plate1'],
  options: (yargs) =>
    yargs
      .positional('mountpoint', {
        type: 'string',
        demandOption: true,
        describe: 'where the plate is mounted',
      })
      .option('lazy', {
        alias: 'l',
        type: 'boolean',
        default: false,
        describe: 'unmount although programs use it',
      })
      .option('timeout', {
        type: 'number',
        describe: 'give up after so many seconds; nothing is lost',
      }),
  run,
};
