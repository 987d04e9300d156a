import { statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { defaultBudgetBytes } from '../memory/budget.ts';
import { PressureProbe } from '../memory/pressure.ts';

/** A budget that fits the machine, when the user names none. @param memory - The mount's memory folder. */
export function chooseBudgetBytes(memory: string): number {
  using probe = new PressureProbe();
  const { bavail, bsize } = statfsSync(memory);
  return defaultBudgetBytes(probe.sample(Date.now()).availableBytes ?? freemem(), bavail * bsize);
}
