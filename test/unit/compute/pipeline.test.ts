import { beforeAll, describe, expect, it } from 'vitest';
import { resolveTemplate } from '../../../src/compute/output-template.ts';
import { bindRule, chainOutputs, checkCircles, planOutputs } from '../../../src/compute/pipeline.ts';
import { BadRuleError, explain, HookFailedError } from '../../../src/core/errors.ts';
import { loadAll } from '../../../src/core/plugin.ts';
import type { Hook } from '../../../src/hooks.ts';
import type { HookRule } from '../../../src/model/mount-definition.ts';
import { HOOKS } from '../../../src/registry.generated.ts';

let hooks: ReadonlyMap<string, Hook>;
beforeAll(async () => {
  hooks = new Map((await loadAll(HOOKS)).map((hook) => [hook.id, hook]));
});

const step = (hook: string, params: Record<string, unknown> = {}, name = hook) => ({ hook, params, name });
const NUCLEI: HookRule = {
  name: 'nuclei',
  on: 'inbox/*.tif',
  steps: [
    step('gaussian', { sigma: 2 }),
    step('otsu'),
    step('binary-opening', { radius: 2 }),
    step('label'),
    step('measure'),
  ],
  outputs: { label: 'labels/{stem}.tif', measure: 'labels/{stem}.csv' },
};
const faultOf = (rule: Partial<HookRule>): BadRuleError => {
  try {
    bindRule({ ...NUCLEI, ...rule }, hooks);
  } catch (error) {
    if (error instanceof BadRuleError) return error;
    throw error;
  }
  throw new Error('the rule was accepted');
};

describe('binding a rule', () => {
  it('accepts the whole chain and plans its outputs', () => {
    const bound = bindRule(NUCLEI, hooks);
    expect(bound.matches('inbox/a.tif')).toBe(true);
    expect(planOutputs(bound, 'inbox/a.tif').map(({ mountPath, content }) => [mountPath, content])).toEqual([
      ['labels/a.tif', 'image'],
      ['labels/a.csv', 'table'],
    ]);
    const given = chainOutputs(bound.steps, { shape: [5, 9], dtype: 'uint16' });
    expect(given.map(({ array, table }) => array?.dtype ?? table?.[0])).toEqual([
      'float32',
      'uint8',
      'uint8',
      'int32',
      'label',
    ]);
  });

  it.each<[string, Partial<HookRule>, readonly (string | number)[], RegExp]>([
    ['an unknown hook', { steps: [step('blur')] }, ['steps', 0], /no hook 'blur'; there are binary-closing/],
    ['no steps', { steps: [] }, ['steps'], /at least one step/],
    [
      'a bad parameter',
      { steps: [step('gaussian', { sigma: -1 })] },
      ['steps', 0, 'sigma'],
      /write a number above 0/,
    ],
    [
      'two steps of one name',
      { steps: [step('otsu'), step('label', {}, 'otsu')] },
      ['steps', 1],
      /rename one/,
    ],
    [
      'labels of a blurred image',
      { steps: [step('gaussian', { sigma: 1 }), step('label')] },
      ['steps'],
      /step 2 \(label\).*put otsu or threshold before label/,
    ],
    ['measuring a mask', { steps: [step('otsu'), step('measure')] }, ['steps'], /put label before measure/],
    [
      'a step after the table',
      { steps: [step('label'), step('measure'), step('otsu')] },
      ['steps'],
      /measure only gives a table; put it last/,
    ],
    ['no outputs', { outputs: {} }, ['outputs'], /at least one output/],
    [
      'an output of no step',
      { outputs: { objects: 'x/{stem}.csv' } },
      ['outputs', 'objects'],
      /no step is called 'objects'; there are gaussian/,
    ],
    [
      'an unknown placeholder',
      { outputs: { label: 'x/{file}.tif' } },
      ['outputs', 'label'],
      /\{file\}; known are \{dir\}/,
    ],
    ['half a brace', { outputs: { label: 'x/{stem.tif' } }, ['outputs', 'label'], /brace/],
    [
      'a table as an image',
      { outputs: { measure: 'x/{stem}.tif' } },
      ['outputs', 'measure'],
      /gives a table.*\.csv/,
    ],
    [
      'an image as a table',
      { outputs: { label: 'x/{stem}.csv' } },
      ['outputs', 'label'],
      /gives an image.*\.tif/,
    ],
    [
      'a path outside the mount',
      { outputs: { label: '../{stem}.tif' } },
      ['outputs', 'label'],
      /below the mount/,
    ],
    ['an absolute path', { outputs: { label: '/x/{stem}.tif' } }, ['outputs', 'label'], /below the mount/],
    [
      'one path for two outputs',
      { outputs: { label: 'x/{stem}.tif', otsu: 'x/{stem}.tif' } },
      ['outputs', 'otsu'],
      /both write x\//,
    ],
    [
      'an endless loop',
      { outputs: { label: 'inbox/{stem}_labels.tif' } },
      ['outputs', 'label'],
      /start the rule again/,
    ],
    [
      'an endless loop by placeholders',
      { on: '**/*.tif', outputs: { label: 'labels/{stem}.tif' } },
      ['outputs', 'label'],
      /start the rule again/,
    ],
    [
      'overwriting the input',
      { outputs: { label: '{dir}/{name}' } },
      ['outputs', 'label'],
      /overwrite its own input/,
    ],
    ['a broken glob', { on: 'inbox/[a' }, ['on'], /without '\]'/],
  ])('refuses %s', (_, rule, at, message) => {
    const fault = faultOf(rule);
    expect(fault.at).toEqual(at);
    expect(explain(fault)).toMatch(message);
    expect(fault.rule).toBe('nuclei');
  });

  it('refuses rules that start each other, and allows a chain of rules', () => {
    const rule = (name: string, on: string, output: string): HookRule => ({
      name,
      on,
      steps: [step('gaussian', { sigma: 1 })],
      outputs: { gaussian: output },
    });
    const bind = (rules: readonly HookRule[]) => rules.map((one) => bindRule(one, hooks));
    const there = rule('there', 'a/*.tif', 'b/{name}');
    const back = rule('back', 'b/*.tif', 'a/{name}');
    expect(() => checkCircles(bind([there, back]))).toThrow(/'there' → 'back' → 'there'/);
    expect(() => checkCircles(bind([there, rule('on', 'b/*.tif', 'c/{name}')]))).not.toThrow();
  });

  it('says what an input lacks only when it comes', () => {
    const bound = bindRule({ ...NUCLEI, outputs: { label: '{well}/{site}_{channel}_{z}_{t}.tif' } }, hooks);
    expect(planOutputs(bound, 'inbox/B03_s002_w4_z001_t010_x.tif')[0]?.mountPath).toBe(
      'B03/002_4_001_010.tif',
    );
    expect(() => planOutputs(bound, 'inbox/cells.tif')).toThrow(/cells.tif is not named like A01_s001/);
    expect(() => chainOutputs(bound.steps, { shape: [4, 4], dtype: 'uint64' })).toThrow(HookFailedError);
  });
});

describe('an output template', () => {
  it.each([
    ['{dir}/out/{stem}.tif', 'a/b/c.d.tif', 'a/b/out/c.d.tif'],
    ['{dir}/{stem}_x{ext}', 'c.tif', 'c_x.tif'],
    ['{name}.csv', 'x/.hidden', '.hidden.csv'],
    ['r/{stem}{ext}', 'noext', 'r/noext'],
  ])('%s of %s is %s', (template, input, output) => {
    expect(resolveTemplate(template, input)).toBe(output);
  });

  it('takes names as they are, also those that look like replacement patterns or placeholders', () => {
    expect(resolveTemplate('o/{stem}.tif', 'in/$&{well}$1.tif')).toBe('o/$&{well}$1.tif');
  });
});
