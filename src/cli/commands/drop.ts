import { cacheFolder } from '../../config/xdg.ts';
import { callControl } from '../../control/control-client.ts';
import type { DropResult, KeepParams } from '../../control/documents.ts';
import { lockExclusively } from '../../fuse/syscalls.ts';
import { renderFolder } from '../../renders/render-folder.ts';
import { RenderStore } from '../../renders/render-store.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { mountPaths } from '../mount-paths.ts';
import { ownRegistry } from '../running-mount.ts';

interface DropArgs {
  readonly path: readonly string[] | undefined;
}

/** The kernel waits for what is being read of a file before it drops its pages. */
const SILENCE_MS = 120_000;

/** Empties the cold cache of this user, whoever filled it. @returns how many files were in it. */
function emptyColdCache(): number {
  const store = new RenderStore({ folder: renderFolder(process.env, cacheFolder()), lock: lockExclusively });
  const all = store.list();
  for (const { key } of all) store.remove(key);
  return all.length;
}

async function run({ path = [] }: DropArgs, { terminal, signal }: CommandContext): Promise<number> {
  const registry = ownRegistry();
  const everything = path.length === 0;
  const mounts = everything
    ? registry
        .list()
        .filter(({ isAlive }) => isAlive)
        .map((mount) => ({ mount, paths: [''] }))
    : mountPaths(path, registry);
  let pins = 0;
  let coldFiles = 0;
  for (const { mount, paths } of mounts) {
    terminal.progress(`letting go of files of ${mount.mountpoint}`);
    const params: KeepParams = { paths };
    const options = { silenceMs: SILENCE_MS, signal };
    const dropped = (await callControl(mount.socket, 'drop', params, options)) as DropResult;
    pins += dropped.pins;
    coldFiles += dropped.coldFiles;
  }
  if (everything) coldFiles += emptyColdCache();
  terminal.result({ pins, coldFiles }, `${pins} pinned files and ${coldFiles} of the cold cache are let go`);
  return exitCode('ok');
}

export const drop: Command<DropArgs> = {
  usage: 'drop [path..]',
  summary: 'Let go of pinned files, of the cold cache, and of the page cache',
  examples: ['drop /mnt/plate1/stacks', 'drop /mnt/plate1', 'drop'],
  options: (yargs) =>
    yargs.positional('path', {
      type: 'string',
      array: true,
      describe: 'files or folders of a mount; everything unless given',
    }),
  run,
};
