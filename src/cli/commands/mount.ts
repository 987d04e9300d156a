import { parseOrigin } from '../../changes/branch-name.ts';
import type { ResolvedDefinition } from '../../config/daemon-spec.ts';
import {
  CHUNKS_HELP,
  CODEC_HELP,
  checkedLayout,
  checkedNames,
  LEVELS_HELP,
  MOUNT_OPTIONS,
  type OptionOverrides,
  OUTPUT_LAYOUT_HELP,
  parseMountOptions,
} from '../../config/mount-options.ts';
import { cacheFolder, stateFolder } from '../../config/xdg.ts';
import { callControl } from '../../control/control-client.ts';
import type { StatusDocument } from '../../control/documents.ts';
import { parseBudget } from '../../core/byte-size.ts';
import { AlreadyRunningError, BadParameterError } from '../../core/errors.ts';
import {
  CHUNK_STRATEGIES,
  type ChunkStrategy,
  OUTPUT_LAYOUTS,
  type OutputLayout,
  parseChunkCodec,
  parseLevels,
} from '../../model/landing-format.ts';
import {
  DURABILITIES,
  type Durability,
  MISSING_MODES,
  type MissingMode,
  SHOWN_AS,
  type ShownAs,
} from '../../model/mount-definition.ts';
import { NGFF_VERSIONS, type NgffVersion } from '../../model/ngff.ts';
import type { RecognisedPlate } from '../../model/plate.ts';
import { PROFILES, type Profile } from '../../model/profile.ts';
import { coldCache } from '../../renders/render-folder.ts';
import { indexFolder } from '../../tree/index-cache.ts';
import { recogniseAgain } from '../../tree/open-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { takeSupervisor } from '../early-supervisor.ts';
import { exitCode } from '../exit-codes.ts';
import {
  checkFolders,
  checkMountpoint,
  checkSources,
  definitionOf,
  makeStateFolder,
  resolveDefinition,
} from '../mount-plan.ts';
import { mountedBranch } from '../plate-branch.ts';
import { ownRegistry } from '../running-mount.ts';
import { AS_HELP, LAYOUT_HELP, NAMES_HELP, SOURCE_HELP } from '../source-options.ts';
import { type Launched, launchSupervisor } from '../supervisor-launch.ts';

interface MountArgs {
  readonly plate: string;
  readonly mountpoint: string | undefined;
  readonly foreground: boolean;
  readonly option: string[];
  readonly output: string | undefined;
  readonly state: string | undefined;
  readonly branch: string | undefined;
  readonly from: string | undefined;
  readonly budget: string | undefined;
  readonly hooks: string | undefined;
  readonly readOnly: boolean | undefined;
  readonly names: string | undefined;
  readonly layout: string | undefined;
  readonly as: ShownAs | undefined;
  readonly missing: MissingMode | undefined;
  readonly durability: Durability | undefined;
  readonly profile: Profile | undefined;
  readonly ngff: NgffVersion | undefined;
  readonly outputNgff: NgffVersion | undefined;
  readonly outputChunks: ChunkStrategy | undefined;
  readonly outputCodec: string | undefined;
  readonly outputLevels: string | undefined;
  readonly outputLayout: OutputLayout | undefined;
}

function overridesOf(args: MountArgs): OptionOverrides {
  const options = parseMountOptions(args.option);
  const {
    outputNgff: ngff,
    outputChunks: chunks,
    outputCodec: codec,
    outputLevels: levels,
    outputLayout: layout,
  } = args;
  return {
    ...options,
    landing: {
      ...options.landing,
      ...(ngff === undefined ? {} : { ngff }),
      ...(chunks === undefined ? {} : { chunks }),
      ...(layout === undefined ? {} : { layout }),
      ...(codec === undefined ? {} : { codec: parseChunkCodec(codec, '--output-codec') }),
      ...(levels === undefined ? {} : { levels: parseLevels(levels, '--output-levels') }),
    },
    ...(args.output === undefined ? {} : { output: args.output }),
    ...(args.state === undefined ? {} : { state: args.state }),
    ...(args.budget === undefined ? {} : { budgetBytes: parseBudget(args.budget, '--budget') }),
    ...(args.readOnly === undefined ? {} : { readOnly: args.readOnly }),
    ...(args.names === undefined ? {} : { names: checkedNames('--names', args.names) }),
    ...(args.layout === undefined ? {} : { layout: checkedLayout('--layout', args.layout) }),
    ...(args.as === undefined ? {} : { as: args.as }),
    ...(args.missing === undefined ? {} : { missing: args.missing }),
    ...(args.durability === undefined ? {} : { durability: args.durability }),
    ...(args.profile === undefined ? {} : { profile: args.profile }),
    ...(args.ngff === undefined ? {} : { ngff: args.ngff }),
  };
}

/** What everything to be mounted is recognised as, by its folder of the mount; what a layout is given for is not asked. */
async function recogniseAll(
  { source, sources, layout, as }: ResolvedDefinition,
  folder: string,
  { terminal, signal }: CommandContext,
): Promise<Record<string, RecognisedPlate>> {
  const recognised: Record<string, RecognisedPlate> = {};
  for (const one of sources ?? [{ name: '', path: source, layout, as }]) {
    terminal.progress(`looking at ${one.path}`);
    if (one.layout === undefined)
      recognised[one.name] = await recogniseAgain(one.path, folder, signal, one.as);
  }
  return recognised;
}

async function run(args: MountArgs, context: CommandContext): Promise<number> {
  const { terminal, signal } = context;
  const overrides = overridesOf(args);
  const written = checkSources(await definitionOf(args.plate));
  const hooks =
    args.hooks === undefined
      ? undefined
      : await (await import('../../config/definition-file.ts')).readHookRules(args.hooks);
  const request = { definition: written, mountpoint: args.mountpoint, overrides, hooks };
  const plate = resolveDefinition(request, stateFolder());
  const branch = args.branch ?? written.branch;
  const wish = args.from === undefined ? undefined : parseOrigin(args.from, '--from');
  if (wish && branch === undefined)
    throw new BadParameterError('--from', 'says what a branch is made from; name it with --branch');
  const asked = mountedBranch(plate, branch, wish);
  let definition = 'make' in asked ? plate : asked.definition;
  const registry = ownRegistry();
  const running =
    'make' in asked
      ? undefined
      : registry.list().find((one) => one.isAlive && one.state === definition.state);
  if (running && running.mountpoint !== definition.mountpoint)
    throw new AlreadyRunningError(`${written.source} is already mounted at ${running.mountpoint}`, {
      advice:
        'use that mount, unmount it, or name another --branch or --output; with a --state of its own, two mounts share one output',
    });
  await checkMountpoint(definition.mountpoint);
  checkFolders(definition);
  const socketPath = registry.socketPath(definition.mountpoint);
  const cold = coldCache(process.env, cacheFolder(), definition.options.coldCacheBytes);
  const spec = {
    socketPath,
    registryFolder: registry.folder,
    cacheFolder: cacheFolder(),
    ...(cold ? { coldCache: cold } : {}),
  };
  // Loads while we look at the plate.
  const supervisor = takeSupervisor(args.foreground ? 'inherit' : 'ignore');
  let launched: Launched;
  try {
    const recognised = await recogniseAll(definition, indexFolder(spec.cacheFolder), context);
    makeStateFolder(plate.state);
    if ('make' in asked) definition = await asked.make(context);
    launched = await launchSupervisor({
      spec: { ...spec, definition, recognised, startedAt: new Date().toISOString() },
      onProgress: (text) => terminal.progress(text),
      signal,
      attached: args.foreground,
      start: supervisor.begin,
    });
  } catch (error) {
    supervisor.abandon();
    throw error;
  }
  const status = (await callControl(socketPath, 'status', {}, { signal })) as StatusDocument;
  terminal.result(status, mountedText(status, args.foreground));
  return args.foreground
    ? serve(launched, signal, () => registry.remove(definition.mountpoint))
    : exitCode('ok');
}

const countOf = (count: number, one: string, more: string): string => `${count} ${count === 1 ? one : more}`;

function mountedText(status: StatusDocument, foreground: boolean): string {
  const { plate, planes, mountpoint, output, warnings, sources, plates = 0, branch } = status;
  const remark = warnings === 0 ? '' : `\n${warnings} remarks about it: ${mountpoint}/.platefs/warnings.json`;
  const parts = [
    plates === 0 ? '' : countOf(plates, 'plate', 'plates'),
    sources && (sources.length > 1 || plates > 0)
      ? countOf(sources.length, 'file or store', 'files and stores')
      : '',
    sources && planes === 0 ? '' : `${planes} planes`,
  ].filter((part) => part !== '');
  const kind = [plate.format, ...parts].join(', ');
  const end = foreground ? 'Ctrl-C unmounts.' : `Unmount with  platefs umount ${mountpoint}`;
  const name = branch === undefined ? plate.name : `${plate.name}, branch '${branch}'`;
  return `${name} (${kind}) is mounted at ${mountpoint}\nResults land in ${output}${remark}\n${end}`;
}

/** Stays until the mount ends; the first Ctrl-C drains. */
async function serve(launched: Launched, signal: AbortSignal, onEnd: () => void): Promise<number> {
  if (signal.aborted) launched.stop();
  signal.addEventListener('abort', () => launched.stop(), { once: true });
  const status = await launched.ended;
  onEnd();
  return status === 0 ? exitCode('ok') : exitCode('failure');
}

const optionHelp = Object.entries(MOUNT_OPTIONS)
  .map(([name, { value }]) => (value === undefined ? name : `${name}=${value}`))
  .join(', ');

export const mount: Command<MountArgs> = {
  usage: 'mount <plate> [mountpoint]',
  summary: 'Show a plate, a file or a store as ordinary files',
  examples: [
    'mount /data/plate1 /mnt/plate1',
    'mount /data/cells.h5ad /mnt/cells',
    'mount /data/plate1 /mnt/otsu --branch otsu --from 3',
    'mount /data/stacks /mnt/stacks --as sources',
    'mount s3://bucket/image.zarr /mnt/image --output ~/results',
    'mount mounts/experiment.yaml',
  ],
  options: (yargs) =>
    yargs
      .positional('plate', {
        type: 'string',
        demandOption: true,
        describe: SOURCE_HELP,
      })
      .positional('mountpoint', { type: 'string', describe: 'an empty folder' })
      .option('foreground', {
        alias: 'f',
        type: 'boolean',
        default: false,
        describe: 'stay attached; Ctrl-C unmounts',
      })
      .option('option', {
        alias: 'o',
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe: `mount options: ${optionHelp}`,
      })
      .option('output', { type: 'string', describe: 'where results land (PLATE_platefs unless set)' })
      .option('state', { type: 'string', describe: 'where the journal and spilled bytes live' })
      .option('branch', {
        type: 'string',
        describe: 'a branch of what was written, made where it is not there (main unless set)',
      })
      .option('from', {
        type: 'string',
        describe:
          'what a new branch begins with: a branch, a revision, or BRANCH@REVISION (the plate alone unless set)',
      })
      .option('budget', {
        type: 'string',
        describe: 'memory that written files and decoded pixels may hold, like 2GiB',
      })
      .option('hooks', { type: 'string', describe: 'YAML file with the rules to run on written files' })
      .option('read-only', { type: 'boolean', describe: 'refuse every change' })
      .option('names', { type: 'string', describe: NAMES_HELP })
      .option('layout', { type: 'string', describe: LAYOUT_HELP })
      .option('as', { choices: SHOWN_AS, describe: AS_HELP })
      .option('missing', {
        choices: MISSING_MODES,
        describe: 'what stacks and plate.ome.zarr show where a plane is missing (zeros unless set)',
      })
      .option('durability', {
        choices: DURABILITIES,
        describe: 'after which call what was written survives power loss (fsync unless set)',
      })
      .option('profile', {
        choices: PROFILES,
        describe: 'show only the stacks that a program opens',
      })
      .option('ngff', {
        type: 'string',
        choices: NGFF_VERSIONS,
        describe: 'version of OME-NGFF that plate.ome.zarr follows (0.4 unless set)',
      })
      .option('output-ngff', {
        type: 'string',
        choices: NGFF_VERSIONS,
        describe: 'version of OME-NGFF that results.ome.zarr follows (0.4 unless set)',
      })
      .option('output-chunks', { choices: CHUNK_STRATEGIES, describe: CHUNKS_HELP })
      .option('output-codec', { type: 'string', describe: CODEC_HELP })
      .option('output-levels', { type: 'string', describe: LEVELS_HELP })
      .option('output-layout', { choices: OUTPUT_LAYOUTS, describe: OUTPUT_LAYOUT_HELP }),
  run,
};
