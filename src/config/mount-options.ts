import { parseBudget, parseByteSize } from '../core/byte-size.ts';
import { BadParameterError } from '../core/errors.ts';
import {
  CHUNK_STRATEGIES,
  type LandingFormat,
  OUTPUT_LAYOUTS,
  parseChunkCodec,
  parseLevels,
} from '../model/landing-format.ts';
import {
  DURABILITIES,
  type Durability,
  FLOAT64_MODES,
  type Float64Mode,
  MISSING_MODES,
  type MissingMode,
  SHOWN_AS,
  type ShownAs,
  WATCH_MODES,
  type WatchMode,
} from '../model/mount-definition.ts';
import { NGFF_VERSIONS, type NgffVersion } from '../model/ngff.ts';
import { checkNames } from '../model/plane-naming.ts';
import { PROFILES, type Profile } from '../model/profile.ts';
import { compileSourceLayout } from '../model/source-layout.ts';
import { parseCacheLimit } from '../renders/render-folder.ts';
import { didYouMean } from './did-you-mean.ts';

/** What `-o` can change in a mount definition. */
export interface OptionOverrides {
  allowOther?: boolean;
  noPassthrough?: boolean;
  readOnly?: boolean;
  readers?: number;
  followLinks?: boolean;
  watch?: WatchMode;
  missing?: MissingMode;
  durability?: Durability;
  profile?: Profile;
  float64?: Float64Mode;
  ngff?: NgffVersion;
  landing?: LandingFormat;
  coldCacheBytes?: number;
  hotCacheBytes?: number;
  smallFileBytes?: number;
  largeFileBytes?: number;
  revisionQuotaBytes?: number;
  budgetBytes?: number;
  output?: string;
  state?: string;
  names?: string;
  layout?: string;
  as?: ShownAs;
}

interface OptionSpec {
  readonly value?: string;
  readonly description: string;
  apply(overrides: OptionOverrides, value: string): void;
}

function setLanding(overrides: OptionOverrides, format: LandingFormat): void {
  overrides.landing = { ...overrides.landing, ...format };
}

function readerCount(value: string): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > 64)
    throw new BadParameterError('-o readers', `'${value}' is no number of threads; write 1 to 64`);
  return count;
}

/** @throws BadParameterError when the value is none of them. */
export function oneOf<T extends string>(known: readonly T[], parameter: string, value: string): T {
  const found = known.find((one) => one === value);
  if (found === undefined)
    throw new BadParameterError(parameter, `'${value}' is none of ${known.join(', ')}`);
  return found;
}

/** @throws BadParameterError when no plane can be named so. */
export function checkedNames(parameter: string, names: string): string {
  checkNames(parameter, names);
  return names;
}

/** @throws BadParameterError when no file can be read so. */
export function checkedLayout(parameter: string, template: string): string {
  return compileSourceLayout({ parameter, template }).template;
}

/** What the options for results say of themselves, wherever they are given. */
export const CHUNKS_HELP =
  'what a file of results.ome.zarr holds: file (a plane, the default), well (all planes of a field), sharded (the same as single chunks; Zarr v3)';
export const CODEC_HELP =
  'how results are compressed: blosc-lz4 (the default), lz4, zstd, gzip, none; with a level: zstd:9';

export const OUTPUT_LAYOUT_HELP =
  'what the results are laid out for: plate (the default), openhcs (OpenHCS too, beside OME-NGFF)';
export const LEVELS_HELP =
  'resolutions of an image of the results, each half the one before: 1 (the default) to 8, or auto: until 256 pixels or less';

/** The options of `-o`, as mount(8) would pass them. */
export const MOUNT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  allow_other: {
    description: 'let other users in (needs root, or user_allow_other in /etc/fuse.conf)',
    apply: (overrides) => void (overrides.allowOther = true),
  },
  ro: { description: 'refuse every change', apply: (overrides) => void (overrides.readOnly = true) },
  rw: { description: 'allow changes (the default)', apply: (overrides) => void (overrides.readOnly = false) },
  nopassthrough: {
    description: 'read every file through PlateFS, never by the kernel alone',
    apply: (overrides) => void (overrides.noPassthrough = true),
  },
  budget: {
    value: 'SIZE',
    description: 'memory that written files and decoded pixels may hold',
    apply: (overrides, value) => void (overrides.budgetBytes = parseBudget(value, '-o budget')),
  },
  readers: {
    value: 'N',
    description: 'number of reader threads',
    apply: (overrides, value) => void (overrides.readers = readerCount(value)),
  },
  follow_links: {
    description: 'follow links of the plate that lead out of it',
    apply: (overrides) => void (overrides.followLinks = true),
  },
  watch: {
    value: 'MODE',
    description: 'follow a plate that still grows: auto (the default), poll, off',
    apply: (overrides, value) => void (overrides.watch = oneOf(WATCH_MODES, '-o watch', value)),
  },
  missing: {
    value: 'MODE',
    description: 'what stacks and plate.ome.zarr show where a plane is missing: zeros (the default), error',
    apply: (overrides, value) => void (overrides.missing = oneOf(MISSING_MODES, '-o missing', value)),
  },
  durability: {
    value: 'MODE',
    description:
      'after which call what was written survives power loss: fsync (the default), close (of a file) too, write too',
    apply: (overrides, value) => void (overrides.durability = oneOf(DURABILITIES, '-o durability', value)),
  },
  profile: {
    value: 'PROGRAM',
    description: 'show only the stacks that a program opens: fiji, cellprofiler, napari, legacy',
    apply: (overrides, value) => void (overrides.profile = oneOf(PROFILES, '-o profile', value)),
  },
  float64: {
    value: 'TYPE',
    description: 'what float64 planes are shown as in stacks: float64 (the default), float32',
    apply: (overrides, value) => void (overrides.float64 = oneOf(FLOAT64_MODES, '-o float64', value)),
  },
  ngff: {
    value: 'VERSION',
    description: 'version of OME-NGFF that plate.ome.zarr follows: 0.4 (Zarr v2, the default), 0.5 (Zarr v3)',
    apply: (overrides, value) => void (overrides.ngff = oneOf(NGFF_VERSIONS, '-o ngff', value)),
  },
  'output-ngff': {
    value: 'VERSION',
    description:
      'version of OME-NGFF that results.ome.zarr follows: 0.4 (Zarr v2, the default), 0.5 (Zarr v3)',
    apply: (overrides, value) =>
      setLanding(overrides, { ngff: oneOf(NGFF_VERSIONS, '-o output-ngff', value) }),
  },
  'output-chunks': {
    value: 'STRATEGY',
    description: CHUNKS_HELP,
    apply: (overrides, value) =>
      setLanding(overrides, { chunks: oneOf(CHUNK_STRATEGIES, '-o output-chunks', value) }),
  },
  'output-codec': {
    value: 'CODEC',
    description: CODEC_HELP,
    apply: (overrides, value) => setLanding(overrides, { codec: parseChunkCodec(value, '-o output-codec') }),
  },
  'output-levels': {
    value: 'N',
    description: LEVELS_HELP,
    apply: (overrides, value) => setLanding(overrides, { levels: parseLevels(value, '-o output-levels') }),
  },
  'output-layout': {
    value: 'LAYOUT',
    description: OUTPUT_LAYOUT_HELP,
    apply: (overrides, value) =>
      setLanding(overrides, { layout: oneOf(OUTPUT_LAYOUTS, '-o output-layout', value) }),
  },
  'cold-cache': {
    value: 'SIZE',
    description: 'most that finished renders may take on disk (platefs warm); off for none',
    apply: (overrides, value) => void (overrides.coldCacheBytes = parseCacheLimit(value, '-o cold-cache')),
  },
  'hot-cache': {
    value: 'SIZE',
    description:
      'memory for files that were read whole, at most a quarter of the budget, which is the default as root',
    apply: (overrides, value) => void (overrides.hotCacheBytes = parseCacheLimit(value, '-o hot-cache')),
  },
  'small-files': {
    value: 'SIZE',
    description: 'written files up to this size stay in memory until they land; 16 MiB unless set',
    apply: (overrides, value) => void (overrides.smallFileBytes = parseByteSize(value, '-o small-files')),
  },
  'large-files': {
    value: 'SIZE',
    description:
      'files that grow beyond this go to disk while they are written; an eighth of the budget unless set',
    apply: (overrides, value) => void (overrides.largeFileBytes = parseByteSize(value, '-o large-files')),
  },
  'revision-quota': {
    value: 'SIZE',
    description:
      'most that may be kept on disk for revisions alone, 10 GiB unless set; the oldest that nobody named go first',
    apply: (overrides, value) =>
      void (overrides.revisionQuotaBytes = parseByteSize(value, '-o revision-quota')),
  },
  names: {
    value: 'NAMES',
    description: 'how planes are named: canonical, harmony, openhcs or a template without commas',
    apply: (overrides, value) => void (overrides.names = checkedNames('-o names', value)),
  },
  layout: {
    value: 'TEMPLATE',
    description: "what the names of the plate's files say, for plates of unknown origin",
    apply: (overrides, value) => void (overrides.layout = checkedLayout('-o layout', value)),
  },
  as: {
    value: 'KIND',
    description:
      'what the source is shown as: plate, sources (each of its files and stores by what it holds)',
    apply: (overrides, value) => void (overrides.as = oneOf(SHOWN_AS, '-o as', value)),
  },
  output: {
    value: 'DIR',
    description: 'where results land',
    apply: (overrides, value) => void (overrides.output = value),
  },
  state: {
    value: 'DIR',
    description: 'where the journal and spilled bytes live',
    apply: (overrides, value) => void (overrides.state = value),
  },
};

/** What mount(8) and /etc/fstab add by themselves and PlateFS has no use for. */
const IGNORED = new Set([
  'defaults',
  'auto',
  'noauto',
  'user',
  'nouser',
  'users',
  'nofail',
  '_netdev',
  'nosuid',
  'nodev',
  'suid',
  'dev',
  'exec',
  'noexec',
  'atime',
  'noatime',
  'relatime',
]);

/**
 * Reads the values of `-o`: comma-separated words and `word=value`, several times if need be.
 * @throws BadParameterError naming the option and the known ones.
 */
export function parseMountOptions(values: readonly string[]): OptionOverrides {
  const overrides: OptionOverrides = {};
  for (const word of values.flatMap((value) => value.split(',')).map((text) => text.trim())) {
    if (word === '' || IGNORED.has(word) || word.startsWith('x-')) continue;
    const equals = word.indexOf('=');
    const name = equals === -1 ? word : word.slice(0, equals);
    const value = equals === -1 ? undefined : word.slice(equals + 1);
    const spec = Object.hasOwn(MOUNT_OPTIONS, name) ? MOUNT_OPTIONS[name] : undefined;
    if (!spec)
      throw new BadParameterError(
        `-o ${name}`,
        `unknown option${didYouMean(name, Object.keys(MOUNT_OPTIONS))}`,
      );
    if (spec.value !== undefined && !value)
      throw new BadParameterError(`-o ${name}`, `needs a value; write ${name}=${spec.value}`);
    if (spec.value === undefined && value !== undefined)
      throw new BadParameterError(`-o ${name}`, `takes no value; write just ${name}`);
    spec.apply(overrides, value ?? '');
  }
  return overrides;
}
