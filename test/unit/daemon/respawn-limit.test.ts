import { expect, it } from 'vitest';
import { RespawnLimit } from '../../../src/daemon/respawn-limit.ts';

it('gives up at the fifth death within the window, and forgets old ones', () => {
  const quick = new RespawnLimit(5, 10_000);
  const slow = new RespawnLimit(5, 10_000);
  const allows = (limit: RespawnLimit, ms: number): boolean => {
    limit.served();
    return limit.allows(ms);
  };
  expect([0, 1, 2, 3, 4].map((ms) => allows(quick, ms))).toEqual([true, true, true, true, false]);
  expect(quick.text).toBe('5 times within 10 s');
  for (let death = 0; death < 50; death++) expect(allows(slow, death * 2_600)).toBe(true);
});

it('gives up at the fifth death in a row of daemons that never served, however long each takes to die', () => {
  const limit = new RespawnLimit(5, 10_000);
  expect([0, 1, 2, 3, 4].map((death) => limit.allows(death * 60_000))).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
  expect(limit.text).toBe('5 times before it was ready');
  const served = new RespawnLimit(5, 10_000);
  for (let death = 0; death < 50; death++) {
    if (death % 4 === 3) served.served();
    expect(served.allows(death * 60_000)).toBe(true);
  }
});
