import { expect, it } from 'vitest';
import { resolveDefinition } from '../../../src/cli/mount-plan.ts';
import type { MountDefinition } from '../../../src/model/mount-definition.ts';

const definition: MountDefinition = {
  source: '/data/plate1',
  hooks: [],
  options: { allowOther: false, noPassthrough: false, readOnly: false },
};
const resolved = (overrides: { output?: string; state?: string }) =>
  resolveDefinition({ definition, mountpoint: '/mnt/plate1', overrides, hooks: undefined }, '/states');

it('a server is refused as the place of results or state, which would become a folder of that name', () => {
  expect(() => resolved({ output: 's3://bucket/results' })).toThrow(
    'output: s3://bucket/results is on a server; name a folder of this machine',
  );
  expect(() => resolved({ state: 'https://host/state' })).toThrow('state: https://host/state is on a server');
  expect(resolved({ output: '/out' }).output).toBe('/out');
  expect(resolved({}).output).toBe('/data/plate1_platefs');
});
