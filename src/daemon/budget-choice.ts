import { statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { budgetOf, defaultBudgetBytes } from '../memory/budget.ts';
import { PressureProbe } from '../memory/pressure.ts';
import type { MountOptions } from '../model/mount-definition.ts';
import { hasSharedMemory } from './memory-folder.ts';

/** A budget that fits the machine, when the user names none. @param memory - The mount's memory folder. */
export function chooseBudgetBytes(memory: string): number {
  using probe = new PressureProbe();
  const { bavail, bsize } = statfsSync(memory);
  const { availableBytes = freemem(), groupLimitBytes, groupUsedBytes = 0 } = probe.sample(Date.now());
  // Files in tmpfs count for the control group as well.
  const roomBytes = groupLimitBytes === undefined ? availableBytes : groupLimitBytes - groupUsedBytes;
  return defaultBudgetBytes(Math.min(availableBytes, Math.max(0, roomBytes)), bavail * bsize);
}

/**
 * What files may hold that were read whole: their share of the budget, or less where the user says so; nothing where the
 * kernel is not to read them by itself, or not from memory.
 * @param hasLargePages of small ones a file is read no faster than from the page cache of our own, and nothing is kept
 *   unless the user names a size.
 */
export function chooseHotBytes(
  budgetBytes: number,
  { noPassthrough, hotCacheBytes }: MountOptions,
  hasLargePages: boolean,
): number {
  if (noPassthrough || !(hasLargePages || hasSharedMemory())) return 0;
  const { hotBytes } = budgetOf(budgetBytes);
  return Math.min(hotCacheBytes ?? (hasLargePages ? hotBytes : 0), hotBytes);
}
