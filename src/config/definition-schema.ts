import type { Hook, ParameterSpec } from '../hooks.ts';
import { CHUNK_STRATEGIES, OUTPUT_LAYOUTS } from '../model/landing-format.ts';
import {
  DURABILITIES,
  FLOAT64_MODES,
  MISSING_MODES,
  SHOWN_AS,
  WATCH_MODES,
} from '../model/mount-definition.ts';
import { NGFF_VERSIONS } from '../model/ngff.ts';
import { PROFILES } from '../model/profile.ts';

type Schema = Readonly<Record<string, unknown>>;

/** What can be said of a source, whether it is the only one or one of several. */
const READING: Readonly<Record<string, Schema>> = {
  as: {
    enum: SHOWN_AS,
    description:
      'What it is shown as: plate, or sources: each of its files and stores by what it holds. What it is found to be unless set.',
  },
  names: {
    type: 'string',
    minLength: 1,
    default: 'canonical',
    description:
      "How planes are named in images/: canonical, harmony, openhcs, or a template like '{well}/{field:03}_w{channel}_z{z:03}_t{t:03}{ext}'.",
  },
  layout: {
    type: 'string',
    minLength: 1,
    description:
      "What the names of the plate's files say, for plates of unknown origin: '{well}/field {site} {channel}.tif'; * is any text.",
  },
};

/** Parts of a mount are counted; a folder of several needs some for its plates. */
const MAX_SOURCES = 100;

const SOURCES: Schema = {
  type: 'array',
  minItems: 1,
  maxItems: MAX_SOURCES,
  description: 'Several sources in place of one, each a folder of the mount.',
  items: {
    description: 'Where a source lies, or that with a name of its own and what is to be said of it.',
    type: ['string', 'object'],
    minLength: 1,
    required: ['path'],
    additionalProperties: false,
    properties: {
      path: {
        type: 'string',
        minLength: 1,
        description: 'A plate folder, a file, a store, a folder of several, or an URL. Never written to.',
      },
      name: {
        type: 'string',
        minLength: 1,
        description: "The folder of the mount that it becomes; the path's last name unless set.",
      },
      ...READING,
    },
  },
};

/** Options of a mount definition by their names in YAML, and in `-o` of the command line. */
const OPTIONS: Readonly<Record<string, Schema>> = {
  'allow-other': {
    type: 'boolean',
    default: false,
    description: 'Let other users in (needs root, or user_allow_other in /etc/fuse.conf).',
  },
  passthrough: {
    type: 'boolean',
    default: true,
    description: 'Let the kernel read verbatim planes by itself where PlateFS has the privilege.',
  },
  readers: {
    type: 'integer',
    minimum: 1,
    maximum: 64,
    description: 'Number of reader threads; chosen from the machine unless set.',
  },
  'follow-links': {
    type: 'boolean',
    default: false,
    description: 'Follow links of the plate that lead out of it.',
  },
  watch: {
    enum: WATCH_MODES,
    default: 'auto',
    description: 'Follow a plate that still grows: by events, and by polling on network disks; poll; off.',
  },
  missing: {
    enum: MISSING_MODES,
    default: 'zeros',
    description: 'What stacks and plate.ome.zarr show where the plate lacks a plane: zeros, or a read error.',
  },
  durability: {
    enum: DURABILITIES,
    default: 'fsync',
    description:
      'After which call what was written survives power loss: fsync, every close of a file too, every write too.',
  },
  profile: {
    enum: PROFILES,
    description: 'The program that the mount is made for: shows only the stacks that it opens.',
  },
  float64: {
    enum: FLOAT64_MODES,
    default: 'float64',
    description:
      'What float64 planes are shown as in stacks: float32 is rounded, and opens in more programs.',
  },
  ngff: {
    // In YAML they are numbers unless somebody writes quotes.
    enum: [...NGFF_VERSIONS, ...NGFF_VERSIONS.map(Number)],
    default: '0.4',
    description: 'Version of OME-NGFF that plate.ome.zarr follows: 0.4 is Zarr v2, 0.5 is Zarr v3.',
  },
  'small-files': {
    type: ['string', 'integer'],
    minimum: 1,
    description: 'Written files up to this size stay in memory until they land; 16 MiB unless set.',
  },
  'large-files': {
    type: ['string', 'integer'],
    minimum: 1,
    description:
      'Files that grow beyond this go to disk while they are written; an eighth of the budget, and 64 MiB at least, unless set.',
  },
  'revision-quota': {
    type: ['string', 'integer'],
    minimum: 1,
    default: '10GiB',
    description:
      'Most that may be kept on disk for revisions alone; the oldest that nobody named (snapshot) go first.',
  },
  'output-ngff': {
    enum: [...NGFF_VERSIONS, ...NGFF_VERSIONS.map(Number)],
    default: '0.4',
    description: 'Version of OME-NGFF that results.ome.zarr follows: 0.4 is Zarr v2, 0.5 is Zarr v3.',
  },
  'output-chunks': {
    enum: CHUNK_STRATEGIES,
    default: 'file',
    description:
      'What a file of results.ome.zarr holds: file, a plane; well, all planes of a field; sharded, the same as single chunks (Zarr v3).',
  },
  'output-codec': {
    type: 'string',
    minLength: 1,
    default: 'blosc-lz4',
    description: 'How results are compressed: blosc-lz4, lz4, zstd, gzip or none; with a level: zstd:9.',
  },
  'output-levels': {
    type: ['string', 'integer'],
    minimum: 1,
    maximum: 8,
    default: 1,
    description:
      'Resolutions of an image of the results, each half the one before; auto: until it has 256 pixels or less.',
  },
  'output-layout': {
    enum: OUTPUT_LAYOUTS,
    default: 'plate',
    description:
      'What results are laid out for: plate, readers of OME-NGFF; openhcs, OpenHCS too, by openhcs_metadata.json and names of planes in their arrays.',
  },
  'hot-cache': {
    type: ['string', 'integer'],
    minimum: 1,
    description:
      'Memory for files that were read whole, like 1GiB, or off; a quarter of the budget at most, which is the default as root.',
  },
  'cold-cache': {
    type: ['string', 'integer'],
    minimum: 1,
    description: 'Most that finished renders may take on disk, like 20GiB (platefs warm); off for none.',
  },
};

function parametersSchema(parameters: readonly ParameterSpec[]): Schema {
  const required = parameters.filter((parameter) => parameter.default === undefined);
  return {
    type: ['object', 'null'],
    additionalProperties: false,
    properties: Object.fromEntries(
      parameters.map(({ name, schema, description, default: preset }) => [
        name,
        { ...schema, description, ...(preset === undefined ? {} : { default: preset }) },
      ]),
    ),
    ...(required.length === 0 ? {} : { required: required.map(({ name }) => name) }),
  };
}

function stepSchema(hooks: readonly Hook[]): Schema {
  const alone = hooks.filter((hook) => hook.parameters.every(({ default: preset }) => preset !== undefined));
  return {
    description: "An operation: its name, or its name with parameters, and 'as' to name its result.",
    type: ['string', 'object'],
    if: { type: 'string' },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    ...(alone.length === 0 ? {} : { then: { enum: alone.map(({ id }) => id) } }),
    else: {
      additionalProperties: false,
      properties: {
        as: {
          type: 'string',
          pattern: '^[a-z][a-z0-9-]*$',
          description: "Name that 'outputs' refers to; the operation's own name unless set.",
        },
        ...Object.fromEntries(
          hooks.map((hook) => [hook.id, { description: hook.title, ...parametersSchema(hook.parameters) }]),
        ),
      },
      ...(hooks.length === 0 ? {} : { oneOf: hooks.map(({ id }) => ({ required: [id] })) }),
    },
  };
}

function ruleSchema(hooks: readonly Hook[]): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'on', 'steps', 'outputs'],
    properties: {
      name: { type: 'string', minLength: 1, description: 'Name of the rule; unique in the file.' },
      on: {
        type: 'string',
        minLength: 1,
        description: 'Which files below the mount start the rule once they are closed: inbox/*.tif',
      },
      steps: { type: 'array', minItems: 1, items: stepSchema(hooks) },
      outputs: {
        type: 'object',
        minProperties: 1,
        additionalProperties: { type: 'string', minLength: 1 },
        description:
          'Step name → path below the mount. {dir} {stem} {ext} {name} stand for the input; {well} {site} {channel} {z} {t} too where its name has them.',
      },
    },
  };
}

/**
 * The JSON Schema (draft 2020-12) of a mount definition with these hooks. `mounts/mount.schema.json` is its
 * text, and definitions are checked against the same object.
 */
export function mountSchema(hooks: readonly Hook[]): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'PlateFS mount definition',
    description:
      'What `platefs mount mounts/x.yaml` reads. Relative paths start at the file; ~ is your home.',
    type: 'object',
    additionalProperties: false,
    oneOf: [{ required: ['source'] }, { required: ['sources'] }],
    properties: {
      source: {
        type: 'string',
        minLength: 1,
        description: 'A plate folder, a file, a store, a folder of several, or an URL. Never written to.',
      },
      sources: SOURCES,
      mountpoint: { type: 'string', minLength: 1, description: 'The empty folder it appears in.' },
      ...READING,
      output: {
        type: 'string',
        minLength: 1,
        description:
          'Where results land; unless set, <plate>_platefs beside the plate, or beside this file where it names several sources.',
      },
      state: {
        type: 'string',
        minLength: 1,
        description: 'Where the journal and spilled bytes live; ~/.local/state/platefs unless set.',
      },
      branch: {
        type: 'string',
        minLength: 1,
        description:
          'The branch of what was written that is mounted, made where it is not there; main unless set.',
      },
      budget: {
        type: ['string', 'integer'],
        minimum: 1,
        description:
          'Memory that written files and decoded pixels may hold, like 2GiB; chosen from the machine unless set.',
      },
      'read-only': { type: 'boolean', default: false, description: 'Refuse every change.' },
      options: { type: 'object', additionalProperties: false, properties: OPTIONS },
      hooks: { type: 'array', items: ruleSchema(hooks) },
    },
  };
}
