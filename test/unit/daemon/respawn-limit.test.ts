import { expect, it } from 'vitest';
import { RespawnLimit } from '../../../src/daemon/respawn-limit.ts';

it('gives up at the fifth death within the window, and forgets old ones', () => {
  const quick = new RespawnLimit(5, 10_000);
  expect([0, 1, 2, 3, 4].map((ms) => quick.allows(ms))).toEqual([true, true, true, true, false]);
  expect(quick.deaths).toBe(5);
  const slow = new RespawnLimit(5, 10_000);
  for (let death = 0; death < 50; death++) expect(slow.allows(death * 2_600)).toBe(true);
});
