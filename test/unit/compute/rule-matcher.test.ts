import { describe, expect, it } from 'vitest';
import { globMatcher, samplePaths } from '../../../src/compute/rule-matcher.ts';
import { BadParameterError } from '../../../src/core/errors.ts';

const CASES: readonly [glob: string, yes: readonly string[], no: readonly string[]][] = [
  [
    'inbox/*.tif',
    ['inbox/a.tif', 'inbox/A01_s001_w1_z001_t001.tif', 'inbox/a b.tif'],
    [
      'inbox/a.tiff',
      'inbox/x/a.tif',
      'a.tif',
      'Inbox/a.tif',
      'inbox/a.TIF',
      'inbox/.a.tif.Xy1',
      'inbox/.tif',
    ],
  ],
  ['*', ['a', 'a.b'], ['', 'a/b', '.a']],
  ['**/*.tif', ['a.tif', 'x/a.tif', 'x/y/a.tif'], ['a.csv', '.x/a.tif', 'x/.a.tif']],
  ['inbox/**', ['inbox/a', 'inbox/x/y/z'], ['inbox', 'inbox/', 'inbox/.a', 'other/a']],
  ['in/**/raw/*.tif', ['in/raw/a.tif', 'in/x/raw/a.tif', 'in/x/y/raw/a.tif'], ['in/x/a.tif', 'raw/a.tif']],
  ['a?.tif', ['ab.tif', 'aé.tif', 'a😀.tif'], ['a.tif', 'abc.tif', 'a/.tif']],
  ['*.{tif,tiff}', ['a.tif', 'a.tiff'], ['a.ti', 'a.tifff', 'a.{tif,tiff}']],
  ['{in,out}/*', ['in/a', 'out/a'], ['in/.a', 'other/a']],
  ['{*,x/*}.tif', ['a.tif', 'x/a.tif'], ['.a.tif', 'x/.a.tif', 'y/a.tif']],
  ['w[1-3].tif', ['w1.tif', 'w3.tif'], ['w4.tif', 'w.tif']],
  ['w[!1-3].tif', ['w4.tif'], ['w1.tif', 'w/.tif']],
  ['[]a]', [']', 'a'], ['b']],
  ['a[.]b', ['a.b'], ['axb']],
  ['a+(b).tif', ['a+(b).tif'], ['aab.tif']],
  ['\\*.tif', ['*.tif'], ['a.tif']],
  ['a**b', ['ab', 'axxb'], ['a/b']],
  ['.hidden/*', ['.hidden/a'], ['hidden/a']],
];

describe('a rule’s glob', () => {
  it.each(CASES)('%s', (glob, yes, no) => {
    const matches = globMatcher(glob);
    expect(yes.filter((path) => !matches(path))).toEqual([]);
    expect(no.filter((path) => matches(path))).toEqual([]);
  });

  it.each(['', '/inbox/*', 'a{b', 'a[b', 'a\\', '[z-a]'])('refuses %j with advice', (glob) => {
    expect(() => globMatcher(glob)).toThrow(BadParameterError);
  });

  it('gives sample paths that it matches itself', () => {
    for (const [glob] of CASES.filter(([text]) => !text.startsWith('[]') && !text.includes('!'))) {
      const samples = samplePaths(glob, 'A01');
      expect([glob, samples.length > 0]).toEqual([glob, true]);
      expect(samples.filter((path) => !globMatcher(glob)(path))).toEqual([]);
    }
  });
});
