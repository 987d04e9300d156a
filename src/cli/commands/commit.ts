import { type CommitProgress, type CommitResult, commitFiles } from '../../changes/commit-files.ts';
import { commitStore } from '../../changes/commit-store.ts';
import { CommitTarget, type MarkCalls } from '../../changes/commit-target.ts';
import { callControl } from '../../control/control-client.ts';
import type { LandingResult } from '../../control/documents.ts';
import { formatByteSize } from '../../core/byte-size.ts';
import { BadParameterError } from '../../core/errors.ts';
import { outputFormatOf } from '../../daemon/session-format.ts';
import { setTimes, setXattr } from '../../fuse/syscalls.ts';
import { printable } from '../change-text.ts';
import {
  askWritten,
  type ChangedPlate,
  changedPlate,
  demandMount,
  openChanges,
  type PlateArgs,
  plateOptions,
} from '../changed-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { commitFolder } from '../commit-place.ts';
import { exitCode } from '../exit-codes.ts';
import { makeRevision } from '../make-revision.ts';
import { landingText, ownRegistry } from '../running-mount.ts';

interface CommitArgs extends PlateArgs {
  readonly to: string | undefined;
  readonly as: 'files' | 'zarr';
  readonly overwrite: boolean;
  readonly intoSource: boolean;
}

const LANDING_SILENCE_MS = 120_000;
const calls: MarkCalls = { setTimes, setXattr };

const progressText = ({ filesDone, filesTotal, doneBytes, totalBytes }: CommitProgress): string =>
  `writing: ${filesDone} of ${filesTotal} files, ${formatByteSize(doneBytes)} of ${formatByteSize(totalBytes)}`;

function resultText(to: string, result: CommitResult): string {
  const { written, sizeBytes, present, kept, gone, unkept } = result;
  const marks = Object.entries(unkept).map(([what, files]) => `${what} of ${files} files`);
  return [
    written === 0 && present > 0
      ? `Everything is in ${to} already`
      : `${written} files (${formatByteSize(sizeBytes)}) written to ${to}`,
    ...(written > 0 && present > 0 ? [`${present} were there already`] : []),
    ...(gone.length === 0
      ? []
      : [`${gone.length} names that the mount has no more are left as they are in ${to}, if they are there`]),
    ...(marks.length === 0 ? [] : [`not kept there: ${marks.join(', ')}`]),
    ...kept.map(({ path, reason }) => `not written: ${printable(path)}: ${reason}`),
  ].join('\n');
}

/** Everything lands in the output folder. */
async function commitToOutput(plate: ChangedPlate, { terminal, signal }: CommandContext): Promise<number> {
  const mount = demandMount(plate, 'commit, or name a folder with --to');
  const { socket, output } = mount;
  if (plate.paths.some((path) => path !== ''))
    throw new BadParameterError('--to', 'is needed to write some paths only; without it everything lands');
  const result = (await callControl(
    socket,
    'flush',
    {},
    {
      onProgress: (value) => terminal.progress(`landing: ${landingText(value)}`),
      silenceMs: LANDING_SILENCE_MS,
      signal,
    },
  )) as LandingResult;
  const { files, sizeBytes, kept } = result;
  const landed =
    files === 0
      ? `Everything is in ${output} already`
      : `${files} files (${formatByteSize(sizeBytes)}) landed in ${output}`;
  const left = kept.map(({ path, reason }) => `\nnot landed: ${printable(path)}: ${reason}`).join('');
  const revision = await makeRevision(mount, { reason: 'commit' }, { terminal, signal });
  const noted = revision ? `\nkept as revision ${revision.number}` : '';
  const number = revision ? { revision: revision.number } : {};
  terminal.result({ name: plate.name, to: output, ...result, ...number }, landed + left + noted);
  return kept.length === 0 ? exitCode('ok') : exitCode('kept');
}

async function run(args: CommitArgs, context: CommandContext): Promise<number> {
  const { terminal, signal } = context;
  const plate = await changedPlate(args);
  if (args.to === undefined) return await commitToOutput(plate, context);
  const changes = await openChanges(plate, signal);
  const first = await changes?.commitView(plate.paths);
  if (!changes || !first || (first.items.length === 0 && first.kept.length === 0)) {
    terminal.result(
      { name: plate.name, to: args.to, written: 0 },
      'Nothing was written that could be committed',
    );
    return exitCode('ok');
  }
  const folder = commitFolder({
    to: args.to,
    sources: plate.sources,
    state: plate.state,
    mounts: ownRegistry().list(),
    paths: first.items.map(({ path }) => path),
    intoSource: args.intoSource,
  });
  const { mount } = plate;
  const view = async () =>
    (mount ? changes.after(await askWritten(mount, signal)) : changes).commitView(plate.paths);
  const options = {
    view,
    replace: args.overwrite,
    signal,
    onProgress: (progress: CommitProgress) => terminal.progress(progressText(progress)),
  };
  const result =
    args.as === 'zarr'
      ? await commitStore(folder, plate.state, calls, { ...options, format: outputFormatOf(plate.state) })
      : await commitFiles(new CommitTarget(folder, calls), options);
  const revision = mount ? await makeRevision(mount, { reason: 'commit' }, context) : undefined;
  const noted = revision ? `\nkept as revision ${revision.number}` : '';
  const number = revision ? { revision: revision.number } : {};
  terminal.result({ name: plate.name, to: folder, ...result, ...number }, resultText(folder, result) + noted);
  return result.kept.length === 0 ? exitCode('ok') : exitCode('kept');
}

export const commit: Command<CommitArgs> = {
  usage: 'commit <mount> [path..]',
  summary: 'Write changes to the output folder, or as plain files or Zarr to a folder',
  examples: [
    'commit /mnt/plate1',
    'commit /mnt/plate1 --to ~/for-paper',
    'commit /mnt/plate1 results --to ~/for-paper --as zarr',
  ],
  options: (yargs) =>
    plateOptions(yargs)
      .option('to', { type: 'string', describe: 'folder to write to; the output folder unless given' })
      .option('as', {
        choices: ['files', 'zarr'] as const,
        default: 'files' as const,
        describe: 'files byte for byte as they were written, or images into results.ome.zarr',
      })
      .option('overwrite', {
        type: 'boolean',
        default: false,
        describe: 'replace other files of the same names',
      })
      .option('into-source', {
        type: 'boolean',
        default: false,
        describe: 'yes, --to is the raw data itself',
      }),
  run,
};
