import { cacheFolder, runtimeFolder, stateFolder } from '../../config/xdg.ts';
import { readMountTable } from '../../fuse/mount-table.ts';
import type { Command, CommandContext } from '../command.ts';
import { examine, type Finding, thisMachine } from '../doctor-checks.ts';
import { exitCode } from '../exit-codes.ts';
import { ownRegistry } from '../running-mount.ts';

function line({ verdict, check, detail, advice }: Finding): string {
  const head = `${verdict.padEnd(4)}  ${check.padEnd(14)}  ${detail}`;
  return advice === undefined ? head : `${head}\n${' '.repeat(22)}→ ${advice}`;
}

async function run(_: object, { terminal }: CommandContext): Promise<number> {
  const folders = { state: stateFolder(), cache: cacheFolder(), runtime: runtimeFolder() };
  const entries = ownRegistry().list();
  const findings = await examine(
    thisMachine({ folders, cacheFolder: folders.cache, mounts: readMountTable(), entries }),
  );
  const failed = findings.filter(({ verdict }) => verdict === 'fail').length;
  const verdict = failed === 0 ? 'PlateFS can mount here.' : 'PlateFS cannot mount here yet.';
  terminal.result({ usable: failed === 0, findings }, [...findings.map(line), verdict].join('\n'));
  return failed === 0 ? exitCode('ok') : exitCode('failure');
}

export const doctor: Command<object> = {
  usage: 'doctor',
  summary: 'Check this machine, and say what to do',
  examples: ['doctor'],
  options: (yargs) => yargs,
  run,
};
