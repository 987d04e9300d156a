import { BadParameterError, BadRuleError, HookFailedError } from '../core/errors.ts';
import type { ArraySpec, BoundHook, Hook } from '../hooks.ts';
import type { HookRule } from '../model/mount-definition.ts';
import { checkTemplate, resolveTemplate } from './output-template.ts';
import { globMatcher, samplePaths } from './rule-matcher.ts';

export interface BoundStep {
  readonly name: string;
  readonly hook: string;
  readonly bound: BoundHook;
}

export interface RuleOutput {
  /** Index of the step whose result is written. */
  readonly step: number;
  readonly template: string;
  readonly content: 'image' | 'table';
}

/** A rule whose steps, types and outputs were checked: nothing is left to fail but the file itself. */
export interface BoundRule {
  readonly rule: HookRule;
  readonly steps: readonly BoundStep[];
  readonly outputs: readonly RuleOutput[];
  /** Whether a path below the mount starts this rule. */
  matches(mountPath: string): boolean;
}

/** What a step gives for a given input of the chain. */
export interface StepOutput {
  readonly array?: ArraySpec;
  readonly table?: readonly string[];
}

export interface PlannedOutput extends RuleOutput {
  /** Path below the mount. */
  readonly mountPath: string;
}

const EXTENSIONS = { image: ['.tif', '.tiff'], table: ['.csv'] } as const;
/** Stands for any input when a rule is checked without one; every operation that takes images takes this. */
const ANY_PLANE: ArraySpec = { shape: [64, 64], dtype: 'uint16' };
/** Stands for `*` when a rule is tried on a path: every placeholder has a value for it. */
const SAMPLE_STEM = 'A01_s001_w1_z001_t001';

const detailOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function bindSteps(rule: HookRule, hooks: ReadonlyMap<string, Hook>): BoundStep[] {
  const names = new Set<string>();
  return rule.steps.map(({ hook: id, params, name }, index) => {
    if (names.has(name)) {
      throw new BadRuleError(rule.name, ['steps', index], `a second step is called '${name}'; rename one`);
    }
    names.add(name);
    const hook = hooks.get(id);
    if (hook === undefined) {
      const known = [...hooks.keys()].sort().join(', ');
      throw new BadRuleError(rule.name, ['steps', index], `there is no hook '${id}'; there are ${known}`);
    }
    try {
      return { name, hook: id, bound: hook.bind(params) };
    } catch (error) {
      const at = ['steps', index, ...(error instanceof BadParameterError ? [error.parameter] : [])];
      throw new BadRuleError(rule.name, at, `${id}: ${detailOf(error)}`, { cause: error });
    }
  });
}

/**
 * What each step gives for a plane like `input`, without running anything.
 * @throws HookFailedError naming the step that can't take what comes to it.
 */
export function chainOutputs(steps: readonly BoundStep[], input: ArraySpec): StepOutput[] {
  let current: ArraySpec | undefined = input;
  return steps.map(({ name, bound }, index) => {
    if (current === undefined) {
      const previous = steps[index - 1]?.name ?? '';
      throw new HookFailedError(
        `step ${index + 1} (${name}) has no image to work on: ${previous} only gives a table; put it last`,
      );
    }
    try {
      const output: StepOutput = bound.output(current);
      current = output.array;
      return output;
    } catch (cause) {
      throw new HookFailedError(`step ${index + 1} (${name}) can't be done`, { cause });
    }
  });
}

function bindOutputs(
  rule: HookRule,
  steps: readonly BoundStep[],
  given: readonly StepOutput[],
): RuleOutput[] {
  const outputs = Object.entries(rule.outputs).map(([name, template]): RuleOutput => {
    const fault = (detail: string): BadRuleError => new BadRuleError(rule.name, ['outputs', name], detail);
    const step = steps.findIndex((candidate) => candidate.name === name);
    if (step < 0) {
      throw fault(`no step is called '${name}'; there are ${steps.map((other) => other.name).join(', ')}`);
    }
    const content = given[step]?.table === undefined ? 'image' : 'table';
    try {
      checkTemplate(template);
    } catch (error) {
      throw fault(detailOf(error));
    }
    const extensions: readonly string[] = EXTENSIONS[content];
    if (!extensions.some((extension) => template.toLowerCase().endsWith(extension))) {
      // {ext} and {name} end like the input, which is an image
      const inherits = content === 'image' && /\{(?:ext|name)\}$/.test(template);
      if (!inherits) {
        throw fault(
          `'${template}': ${name} gives ${content === 'image' ? 'an image' : 'a table'}, so write a name that ends in ${extensions.join(' or ')}`,
        );
      }
    }
    return { step, template, content };
  });
  if (outputs.length === 0)
    throw new BadRuleError(rule.name, ['outputs'], 'a rule needs at least one output');
  return outputs;
}

/**
 * Where a rule's outputs go for one input.
 * @throws BadRuleError when two outputs have one path, when one would start the rule again or overwrite the
 * input, or when the input's name lacks what a template asks for.
 */
export function planOutputs(bound: BoundRule, mountPath: string): readonly PlannedOutput[] {
  const { rule, steps } = bound;
  const taken = new Map<string, string>();
  return bound.outputs.map((output) => {
    const name = steps[output.step]?.name ?? '';
    const fault = (detail: string, cause?: unknown): BadRuleError =>
      new BadRuleError(rule.name, ['outputs', name], detail, { cause });
    let path: string;
    try {
      path = resolveTemplate(output.template, mountPath);
    } catch (error) {
      throw fault(detailOf(error), error);
    }
    if (path === mountPath) throw fault(`'${output.template}' would overwrite its own input ${mountPath}`);
    if (bound.matches(path)) {
      throw fault(
        `'${output.template}' gives ${path}, which would start the rule again ('${rule.on}'); write it elsewhere`,
      );
    }
    const twin = taken.get(path);
    if (twin !== undefined) throw fault(`'${twin}' and '${name}' would both write ${path}`);
    taken.set(path, name);
    return { ...output, mountPath: path };
  });
}

/**
 * Binds a rule: parameters, types through the chain, names, templates, and a try of the paths. Pure.
 * @throws BadRuleError naming the part of the rule and what to write instead.
 */
export function bindRule(rule: HookRule, hooks: ReadonlyMap<string, Hook>): BoundRule {
  let matches: (path: string) => boolean;
  try {
    matches = globMatcher(rule.on);
  } catch (cause) {
    throw new BadRuleError(rule.name, ['on'], detailOf(cause), { cause });
  }
  if (rule.steps.length === 0) throw new BadRuleError(rule.name, ['steps'], 'a rule needs at least one step');
  const steps = bindSteps(rule, hooks);
  let given: StepOutput[];
  try {
    given = chainOutputs(steps, ANY_PLANE);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const detail = cause === undefined ? detailOf(error) : `${detailOf(error)}: ${detailOf(cause)}`;
    throw new BadRuleError(rule.name, ['steps'], detail, { cause: error });
  }
  const bound: BoundRule = { rule, steps, outputs: bindOutputs(rule, steps, given), matches };
  for (const sample of samplePaths(rule.on, SAMPLE_STEM)) planOutputs(bound, sample);
  return bound;
}

/**
 * Refuses rules that feed each other in a circle (A writes what starts B, B writes what starts A).
 * @throws BadRuleError naming the circle.
 */
export function checkCircles(rules: readonly BoundRule[]): void {
  const follow = (path: string, chain: readonly BoundRule[]): void => {
    for (const next of rules) {
      if (!next.matches(path)) continue;
      const names = [...chain, next].map(({ rule }) => `'${rule.name}'`).join(' → ');
      if (chain.includes(next)) {
        throw new BadRuleError(next.rule.name, ['outputs'], `rules start each other without end: ${names}`);
      }
      let outputs: readonly PlannedOutput[];
      try {
        outputs = planOutputs(next, path);
      } catch (error) {
        // this input would be refused when it comes, so nothing follows from it
        if (error instanceof BadRuleError) continue;
        throw error;
      }
      for (const output of outputs) {
        if (output.content === 'image') follow(output.mountPath, [...chain, next]);
      }
    }
  };
  for (const { rule } of rules) for (const sample of samplePaths(rule.on, SAMPLE_STEM)) follow(sample, []);
}
