import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parseBudget, parseByteSize } from '../core/byte-size.ts';
import { BadDefinitionError, BadParameterError, type PlateFsError } from '../core/errors.ts';
import { loadAll } from '../core/plugin.ts';
import { systemCode } from '../core/system-code.ts';
import type { Hook } from '../hooks.ts';
import {
  type ChunkStrategy,
  type LandingFormat,
  type OutputLayout,
  parseChunkCodec,
  parseLevels,
} from '../model/landing-format.ts';
import type {
  Durability,
  Float64Mode,
  HookRule,
  HookStep,
  MissingMode,
  MountDefinition,
  MountOptions,
  WatchMode,
} from '../model/mount-definition.ts';
import { NGFF_VERSIONS } from '../model/ngff.ts';
import type { Profile } from '../model/profile.ts';
import { isUrl, localFolder } from '../model/source-url.ts';
import { HOOKS } from '../registry.generated.ts';
import { parseCacheLimit } from '../renders/render-folder.ts';
import { mountSchema } from './definition-schema.ts';
import { ruleFaults } from './rule-check.ts';
import { type Complaint, complaints } from './schema-complaint.ts';
import { type ReadingForm, readingFaults, readSourceList, type SourceForm } from './source-list.ts';
import { type ValuePath, YamlSource } from './yaml-source.ts';

/** A definition is written by hand; a larger file is some other file. */
const MAX_FILE_BYTES = 1024 * 1024;

type StepForm = string | Readonly<Record<string, Readonly<Record<string, unknown>> | string | null>>;

/** A definition as the schema guarantees it. */
interface DefinitionForm extends ReadingForm {
  readonly source?: string;
  readonly sources?: readonly SourceForm[];
  readonly mountpoint?: string;
  readonly output?: string;
  readonly state?: string;
  readonly branch?: string;
  readonly budget?: string | number;
  readonly 'read-only'?: boolean;
  readonly options?: {
    'allow-other'?: boolean;
    passthrough?: boolean;
    'follow-links'?: boolean;
    readers?: number;
    watch?: WatchMode;
    missing?: MissingMode;
    durability?: Durability;
    profile?: Profile;
    float64?: Float64Mode;
    ngff?: string | number;
    'output-ngff'?: string | number;
    'output-chunks'?: ChunkStrategy;
    'output-codec'?: string;
    'output-levels'?: string | number;
    'output-layout'?: OutputLayout;
    'cold-cache'?: string | number;
    'hot-cache'?: string | number;
    'small-files'?: string | number;
    'large-files'?: string | number;
    'revision-quota'?: string | number;
  };
  readonly hooks?: readonly {
    readonly name: string;
    readonly on: string;
    readonly steps: readonly StepForm[];
    readonly outputs: Readonly<Record<string, string>>;
  }[];
}

/** Reads `~/x` as a path in the home folder, and a relative path from `folder`. */
export function expandPath(path: string, folder: string, home = homedir()): string {
  if (path === '~') return home;
  return path.startsWith('~/') ? join(home, path.slice(2)) : resolve(folder, path);
}

function readText(file: string): string {
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw new BadDefinitionError(file, undefined, 'is not a file');
    if (stat.size > MAX_FILE_BYTES)
      throw new BadDefinitionError(file, undefined, 'is too large to be a mount definition');
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof BadDefinitionError) throw error;
    const code = systemCode(error);
    throw new BadDefinitionError(
      file,
      undefined,
      code === 'ENOENT' ? 'there is no such file' : 'cannot be read',
      code === 'ENOENT' ? {} : { cause: error },
    );
  }
}

function refuse(file: string, faults: readonly Complaint[]): never {
  const [first, ...rest] = faults;
  if (!first) throw new BadDefinitionError(file, undefined, 'is no mount definition');
  const more = rest.map(({ line, text }) => `\n${file}:${line}: ${text}`).join('');
  throw new BadDefinitionError(file, first.line, first.text + more);
}

function stepOf(form: StepForm): HookStep {
  if (typeof form === 'string') return { hook: form, params: {}, name: form };
  const hook = Object.keys(form).find((key) => key !== 'as') ?? '';
  const params = form[hook];
  return {
    hook,
    params: typeof params === 'object' && params !== null ? params : {},
    name: typeof form['as'] === 'string' ? form['as'] : hook,
  };
}

function checkedRules(source: YamlSource, form: DefinitionForm, hooks: readonly Hook[]): HookRule[] {
  const byId = new Map(hooks.map((hook) => [hook.id, hook]));
  const rules = (form.hooks ?? []).map((rule) => ({ ...rule, steps: rule.steps.map(stepOf) }));
  const faults: Complaint[] = [];
  const add = (path: ValuePath, text: string): void => void faults.push({ line: source.lineOf(path), text });
  for (const [index, rule] of rules.entries()) {
    if (rules.findIndex(({ name }) => name === rule.name) !== index)
      add(['hooks', index, 'name'], `two rules are called '${rule.name}'; give each its own name`);
    for (const fault of ruleFaults(rule, byId)) add(['hooks', index, ...fault.path], fault.text);
  }
  if (faults.length > 0)
    refuse(
      source.file,
      faults.toSorted((a, b) => a.line - b.line),
    );
  return rules;
}

/** How results are to be stored, where the definition says so. */
function landingOf(
  source: YamlSource,
  options: NonNullable<DefinitionForm['options']>,
): LandingFormat | undefined {
  const ngff = NGFF_VERSIONS.find((version) => version === String(options['output-ngff']));
  const {
    'output-chunks': chunks,
    'output-codec': codec,
    'output-levels': levels,
    'output-layout': layout,
  } = options;
  if ([ngff, chunks, codec, levels, layout].every((value) => value === undefined)) return undefined;
  return {
    ...(ngff === undefined ? {} : { ngff }),
    ...(chunks === undefined ? {} : { chunks }),
    ...(layout === undefined ? {} : { layout }),
    ...(codec === undefined
      ? {}
      : { codec: checked(source, 'options', () => parseChunkCodec(codec, 'options: output-codec')) }),
    ...(levels === undefined
      ? {}
      : { levels: checked(source, 'options', () => parseLevels(levels, 'options: output-levels')) }),
  };
}

function optionsOf(source: YamlSource, form: DefinitionForm): MountOptions {
  const { options = {} } = form;
  const ngff = NGFF_VERSIONS.find((version) => version === String(options.ngff));
  const landing = landingOf(source, options);
  const sizeOf = (
    name: 'cold-cache' | 'hot-cache' | 'small-files' | 'large-files' | 'revision-quota',
    parse: (value: string | number, parameter: string) => number,
  ): number | undefined => {
    const value = options[name];
    return value === undefined
      ? undefined
      : checked(source, 'options', () => parse(value, `options: ${name}`));
  };
  const coldCacheBytes = sizeOf('cold-cache', parseCacheLimit);
  const hotCacheBytes = sizeOf('hot-cache', parseCacheLimit);
  const smallFileBytes = sizeOf('small-files', parseByteSize);
  const largeFileBytes = sizeOf('large-files', parseByteSize);
  const revisionQuotaBytes = sizeOf('revision-quota', parseByteSize);
  return {
    allowOther: options['allow-other'] ?? false,
    noPassthrough: !(options.passthrough ?? true),
    readOnly: form['read-only'] ?? false,
    ...(options.readers === undefined ? {} : { readers: options.readers }),
    ...(options['follow-links'] === undefined ? {} : { followLinks: options['follow-links'] }),
    ...(options.watch === undefined ? {} : { watch: options.watch }),
    ...(options.missing === undefined ? {} : { missing: options.missing }),
    ...(options.durability === undefined ? {} : { durability: options.durability }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    ...(options.float64 === undefined ? {} : { float64: options.float64 }),
    ...(ngff === undefined ? {} : { ngff }),
    ...(landing === undefined ? {} : { landing }),
    ...(coldCacheBytes === undefined ? {} : { coldCacheBytes }),
    ...(hotCacheBytes === undefined ? {} : { hotCacheBytes }),
    ...(smallFileBytes === undefined ? {} : { smallFileBytes }),
    ...(largeFileBytes === undefined ? {} : { largeFileBytes }),
    ...(revisionQuotaBytes === undefined ? {} : { revisionQuotaBytes }),
  };
}

/** A definition of several has no `source`. */
const missing = (value: unknown, required: readonly string[]): readonly string[] =>
  typeof value === 'object' && value !== null && 'sources' in value
    ? required.filter((key) => key !== 'source')
    : required;

/** What is wrong with a definition that fits the schema, but for its rules. */
function sourceFaults(source: YamlSource, form: DefinitionForm): Complaint[] {
  const faults = [...readingFaults(form)].map(({ key, text }) => ({ line: source.lineOf([key]), text }));
  if (form.sources === undefined) return faults;
  const misplaced = {
    source: "'source' and 'sources' exclude each other; write  - path: …  for it in the list",
    layout: "'layout' is said of one source; write it beside that one's path in 'sources'",
    as: "'as' is said of one source; write it beside that one's path in 'sources'",
  };
  for (const [key, text] of Object.entries(misplaced))
    if (Object.hasOwn(form, key)) faults.push({ line: source.lineOfKey([key]), text });
  return faults;
}

async function readForm(
  file: string,
  required: readonly string[],
  given: readonly Hook[] | undefined,
): Promise<{ source: YamlSource; form: DefinitionForm; rules: HookRule[] }> {
  const source = new YamlSource(file, readText(file));
  if (source.value === null || source.value === undefined)
    throw new BadDefinitionError(file, 1, `is empty; it needs at least '${required.join("', '")}'`);
  const hooks = given ?? (await loadAll(HOOKS));
  // Which of `source` and `sources` there must be is said in our own words; the schema tells editors.
  const { oneOf: _, ...schema } = mountSchema(hooks);
  const ajv = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true, strict: false });
  const validate = ajv.compile({ ...schema, required: missing(source.value, required) });
  if (!validate(source.value)) refuse(file, complaints(source, validate.errors ?? []));
  const form = source.value as DefinitionForm;
  return { source, form, rules: checkedRules(source, form, hooks) };
}

/** @throws BadDefinitionError with the line of `key` when `check` finds a bad parameter. */
function checked<T>(source: YamlSource, key: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    const { message } = error as PlateFsError;
    throw error instanceof BadParameterError
      ? new BadDefinitionError(source.file, source.lineOf([key]), message)
      : error;
  }
}

/**
 * Reads a mount definition. Relative paths start at the file's folder, `~` is the home folder.
 * @param hooks the operations it may use; those of the registry unless given.
 * @throws BadDefinitionError that lists every fault as `file:line: what is wrong, what to write instead`.
 */
export async function readMountDefinition(file: string, hooks?: readonly Hook[]): Promise<MountDefinition> {
  const { source, form, rules } = await readForm(file, ['source'], hooks);
  const { budget, names, layout, as } = form;
  const folder = dirname(resolve(file));
  const path = (value: string): string => expandPath(value, folder);
  const local = (key: 'output' | 'state', value: string): string =>
    checked(source, key, () => path(localFolder(key, value)));
  const place = (value: string): string => (isUrl(value) ? value : path(value));
  const several = form.sources && readSourceList(source, form.sources, place);
  const faults = [...sourceFaults(source, form), ...(several?.faults ?? [])];
  if (faults.length > 0)
    refuse(
      file,
      faults.toSorted((a, b) => a.line - b.line),
    );
  const budgetBytes =
    budget === undefined ? undefined : checked(source, 'budget', () => parseBudget(budget, 'budget'));
  return {
    source: several ? resolve(file) : place(form.source ?? ''),
    ...(several ? { sources: several.sources } : {}),
    ...(form.mountpoint === undefined ? {} : { mountpoint: path(form.mountpoint) }),
    ...(names === undefined ? {} : { names }),
    ...(layout === undefined ? {} : { layout }),
    ...(as === undefined ? {} : { as }),
    ...(form.output === undefined ? {} : { output: local('output', form.output) }),
    ...(form.state === undefined ? {} : { state: local('state', form.state) }),
    ...(form.branch === undefined ? {} : { branch: form.branch }),
    ...(budgetBytes === undefined ? {} : { budgetBytes }),
    hooks: rules,
    options: optionsOf(source, form),
  };
}

/**
 * Reads only the rules of a file with `hooks:`; it may be a whole mount definition too.
 * @throws BadDefinitionError as {@link readMountDefinition}.
 */
export async function readHookRules(file: string, hooks?: readonly Hook[]): Promise<readonly HookRule[]> {
  return (await readForm(file, ['hooks'], hooks)).rules;
}
