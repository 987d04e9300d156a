import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BadParameterError } from '../../core/errors.ts';
import { openPlate } from '../../tree/open-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { checkSource } from '../mount-plan.ts';
import { type MappingDocument, type MappingVersion, mappingDocument } from '../openhcs-mapping.ts';
import {
  OPENHCS_METADATA,
  readOpenHcsMetadata,
  realTarget,
  updateOpenHcsMetadata,
} from '../openhcs-metadata-file.ts';

interface ExportMappingArgs {
  readonly plate: string;
  readonly to?: string;
  readonly inPlate: boolean;
  readonly mappingVersion?: MappingVersion;
}

/** The file to write, links followed: never in one of the plate's folders but when that was asked for. */
function targetOf(folders: readonly string[], { to, inPlate }: ExportMappingArgs): string {
  if (to === undefined || inPlate) return join(folders[0] ?? '', OPENHCS_METADATA);
  const target = realTarget(resolve(to));
  if (folders.some((folder) => target.startsWith(`${folder}/`)))
    throw new BadParameterError('--to', `${to} lies in the plate; --in-plate writes there`);
  return target;
}

async function run(args: ExportMappingArgs, { terminal, signal }: CommandContext): Promise<number> {
  if ((args.to === undefined) !== args.inPlate)
    throw new BadParameterError(
      '--to',
      'name a file with --to FILE, or write into the plate with --in-plate',
    );
  const source = checkSource(args.plate);
  terminal.progress(`looking at ${source}`);
  const { index } = await openPlate(source, {
    signal,
    onProgress: ({ files, directories }) => terminal.progress(`${files} files in ${directories} folders`),
  });
  const root = realpathSync(index.rootPath);
  const target = targetOf([root, source], args);
  terminal.progress(`naming ${index.planes.count} planes`);
  let made: MappingDocument | undefined;
  const { isLocked, replaced } = await updateOpenHcsMetadata(
    target,
    (current) => {
      const base = current ?? readOpenHcsMetadata(join(root, OPENHCS_METADATA));
      made = mappingDocument(index, base, args.mappingVersion);
      return made.document;
    },
    { signal, onWait: (text) => terminal.progress(text) },
  );
  if (!made) throw new Error('the document is made before it is written');
  const { subdirectory, version } = made;
  const notes = isLocked
    ? made.notes
    : [...made.notes, 'this disk has no locks: OpenHCS must not have been writing meanwhile'];
  const planes = index.planes.count;
  terminal.result(
    { file: target, plate: root, subdirectory, version, planes, replaced, notes },
    [`${planes} planes are named in ${target} (workspace_mapping version ${version} of '${subdirectory}')`]
      .concat(notes.map((note) => `  note: ${note}`))
      .join('\n'),
  );
  return exitCode('ok');
}

export const exportMapping: Command<ExportMappingArgs> = {
  usage: 'export-mapping <plate>',
  summary: "Write our names as OpenHCS's workspace_mapping",
  examples: [
    'export-mapping /data/plate1 --to openhcs_metadata.json',
    'export-mapping /data/plate1 --in-plate',
  ],
  options: (yargs) =>
    yargs
      .positional('plate', { type: 'string', demandOption: true, describe: 'plate folder' })
      .option('to', {
        type: 'string',
        requiresArg: true,
        describe: 'file to write; what it says beside the mapping is kept',
      })
      .option('in-plate', {
        type: 'boolean',
        default: false,
        describe: "write the plate's own openhcs_metadata.json",
      })
      .option('mapping-version', {
        choices: [1, 2] as const,
        describe: 'paths (1) or objects (2); what the file has already, else 1',
      }),
  run,
};
