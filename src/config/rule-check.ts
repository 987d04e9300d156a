import { matchesGlob } from 'node:path';
import { BadParameterError } from '../core/errors.ts';
import type { Hook } from '../hooks.ts';
import type { HookRule, HookStep } from '../model/mount-definition.ts';
import { didYouMean } from './did-you-mean.ts';
import type { ValuePath } from './yaml-source.ts';

/** Placeholders a template may use; see `HookRule.outputs`. */
const PLACEHOLDERS = ['dir', 'stem', 'ext', 'name', 'well', 'site', 'channel', 'z', 't'] as const;

/** A rule that fits the schema but can't work. */
export interface RuleFault {
  /** Path below the rule. */
  readonly path: ValuePath;
  readonly text: string;
}

function isBelowMount(path: string): boolean {
  return !path.startsWith('/') && !path.split('/').includes('..');
}

/** The path an input of `on` would give, with stand-ins for what is only known then. */
function sampleOutput(template: string, on: string): string {
  const slash = on.lastIndexOf('/');
  const dir = slash === -1 ? '' : on.slice(0, slash).replaceAll(/[*?]+/g, 'x');
  const name = on.slice(slash + 1).replaceAll(/[*?]+/g, 'x');
  const dot = name.lastIndexOf('.');
  const parts: Readonly<Record<string, string>> = {
    dir,
    name,
    stem: dot > 0 ? name.slice(0, dot) : name,
    ext: dot > 0 ? name.slice(dot) : '',
  };
  const path = template.replaceAll(/\{(\w+)\}/g, (_, word: string) => parts[word] ?? 'x');
  return path.replaceAll(/\/{2,}/g, '/').replace(/^\//, '');
}

function* stepFaults(steps: readonly HookStep[], hooks: ReadonlyMap<string, Hook>): Generator<RuleFault> {
  const seen = new Set<string>();
  for (const [index, step] of steps.entries()) {
    const path = ['steps', index];
    if (seen.has(step.name))
      yield { path, text: `two steps are called '${step.name}'; give one another name with 'as: …'` };
    seen.add(step.name);
    try {
      hooks.get(step.hook)?.bind(step.params);
    } catch (error) {
      if (!(error instanceof BadParameterError)) throw error;
      yield { path, text: `'${step.hook}': ${error.message}` };
    }
  }
}

/** Everything about a rule that a schema can't say. */
export function* ruleFaults(rule: HookRule, hooks: ReadonlyMap<string, Hook>): Generator<RuleFault> {
  if (!isBelowMount(rule.on))
    yield { path: ['on'], text: `'${rule.on}' must lie below the mount; write it like inbox/*.tif` };
  yield* stepFaults(rule.steps, hooks);
  const names = rule.steps.map(({ name }) => name);
  const templates = new Map<string, string>();
  for (const [step, template] of Object.entries(rule.outputs)) {
    const path = ['outputs', step];
    if (!names.includes(step)) yield { path, text: `no step is called '${step}'${didYouMean(step, names)}` };
    if (!isBelowMount(template))
      yield { path, text: `'${template}' must lie below the mount; write it like results/{stem}.tif` };
    const unknown = [...template.matchAll(/\{([^{}]*)\}/g)]
      .map(([, word = '']) => word)
      .find((word) => !(PLACEHOLDERS as readonly string[]).includes(word));
    if (unknown !== undefined)
      yield { path, text: `unknown placeholder '{${unknown}}'${didYouMean(unknown, PLACEHOLDERS)}` };
    else if (matchesGlob(sampleOutput(template, rule.on), rule.on))
      yield {
        path,
        text: `'${template}' would start its own rule again ('${rule.on}'); write it to another folder`,
      };
    const twin = templates.get(template);
    if (twin !== undefined) yield { path, text: `'${twin}' and '${step}' would write the same file` };
    templates.set(template, step);
  }
}
