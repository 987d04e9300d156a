import type { ErrorObject } from 'ajv';
import { didYouMean, nearestWord } from './did-you-mean.ts';
import type { ValuePath, YamlSource } from './yaml-source.ts';

/** What is wrong, where, and what to write instead. */
export interface Complaint {
  readonly line: number;
  readonly text: string;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'a mapping (key: value)',
  array: 'a list (- item)',
};

/** What to write for the keys whose form is not plain from their type. */
const EXAMPLES: Readonly<Record<string, string>> = {
  source: 'source: ./plate1',
  sources: 'sources: [./plate1, ./cells.h5ad]',
  path: 'path: ./plate1',
  name: 'name: nuclei',
  on: 'on: "inbox/*.tif"',
  steps: 'steps: [otsu, label]',
  outputs: 'outputs: { label: "results/{stem}_labels.tif" }',
  hooks: 'a list of rules, each with name, on, steps, outputs',
};

function pathOf(instancePath: string): (string | number)[] {
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** `hooks[0].steps[1].gaussian`, for people. */
function labelOf(path: ValuePath): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part + 1}]` : index ? `.${part}` : part))
    .join('');
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function typeWords(type: unknown): string {
  const types = (Array.isArray(type) ? type : [type]).filter((one) => one !== 'null');
  return types.map((one) => TYPE_NAMES[String(one)] ?? String(one)).join(' or ');
}

const knownKeys = (error: ErrorObject): string[] =>
  Object.keys((error.parentSchema?.['properties'] ?? {}) as Record<string, unknown>);

function isStep(path: ValuePath): boolean {
  return path.length === 4 && path[0] === 'hooks' && path[2] === 'steps';
}

function isStepParameters(path: ValuePath): boolean {
  return path.length === 5 && path[0] === 'hooks' && path[2] === 'steps';
}

function phrase(error: ErrorObject, path: ValuePath): string {
  const label = labelOf(path);
  const { params } = error;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      const known = knownKeys(error);
      if (isStep(path))
        return `unknown operation '${key}'${didYouMean(
          key,
          known.filter((name) => name !== 'as'),
        )}`;
      if (isStepParameters(path))
        return known.length === 0
          ? `'${path[4]}' takes no parameters, so '${key}' means nothing`
          : `'${path[4]}' has no parameter '${key}'${didYouMean(key, known)}`;
      return `unknown key '${key}'${label ? ` in ${label}` : ''}${didYouMean(key, known)}`;
    }
    case 'required': {
      const key = String(params['missingProperty']);
      if (isStepParameters(path)) return `'${path[4]}' needs '${key}'; write ${path[4]}: { ${key}: … }`;
      const example = EXAMPLES[key];
      return `${label ? `${label} lacks` : 'lacks'} '${key}'${example ? `; write for example  ${example}` : ''}`;
    }
    case 'type': {
      const key = String(path.at(-1) ?? '');
      const example = EXAMPLES[key];
      const hint = example ? `; write for example  ${example}` : '';
      return `${label || 'the file'} must be ${typeWords(params['type'])}, not ${shown(error.data)}${hint}`;
    }
    case 'enum': {
      const allowed = (params['allowedValues'] as unknown[]).map(String);
      if (isStep(path))
        return `unknown operation ${shown(error.data)}${didYouMean(String(error.data), allowed)}`;
      return `${label} is ${shown(error.data)}; write one of ${allowed.join(', ')}`;
    }
    case 'oneOf':
      return 'a step must name exactly one operation; put each operation on its own line that starts with -';
    case 'minimum':
    case 'exclusiveMinimum':
    case 'maximum':
    case 'exclusiveMaximum':
      return `${label} is ${shown(error.data)}; it must be ${params['comparison']} ${params['limit']}`;
    case 'maxItems':
      return `${label} are ${(error.data as unknown[]).length}; there may be ${params['limit']}`;
    case 'minItems':
    case 'minProperties':
    case 'minLength':
      return `${label} is empty`;
    case 'pattern':
      return `${label} is ${shown(error.data)}; write lower-case letters, digits and -`;
    default:
      return `${label} ${error.message ?? 'is wrong'}`;
  }
}

/** Errors that only repeat what another one says better. */
function isEcho(error: ErrorObject): boolean {
  return error.keyword === 'if' || (error.keyword === 'required' && error.schemaPath.includes('/oneOf/'));
}

/** ajv's errors as sentences with lines, the first line first, one per place. */
export function complaints(source: YamlSource, errors: readonly ErrorObject[]): Complaint[] {
  const found = new Map<string, Complaint>();
  const unknown = errors.filter(({ keyword }) => keyword === 'additionalProperties');
  const unknownAt = new Set(unknown.map(({ instancePath }) => instancePath));
  const misspelt = new Set(
    unknown.map((error) => {
      const meant = nearestWord(String(error.params['additionalProperty']), knownKeys(error));
      return `${error.instancePath} ${meant}`;
    }),
  );
  /** Said already by the complaint about an unknown key. */
  const isImplied = ({ keyword, instancePath, params }: ErrorObject): boolean =>
    (keyword === 'oneOf' && unknownAt.has(instancePath)) ||
    (keyword === 'required' && misspelt.has(`${instancePath} ${params['missingProperty']}`));
  for (const error of errors) {
    if (isEcho(error) || isImplied(error)) continue;
    const path = pathOf(error.instancePath);
    const line =
      error.keyword === 'additionalProperties'
        ? source.lineOfKey([...path, String(error.params['additionalProperty'])])
        : source.lineOf(path);
    const text = phrase(error, path);
    found.set(`${line} ${text}`, { line, text });
  }
  return [...found.values()].sort((a, b) => a.line - b.line);
}
