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
 * What files may hold that were read whole: nothing unless the user names a
 * size, and where the kernel is not to read them by itself, or not from memory.
 */
export function chooseHotBytes(budgetBytes: number, { noPassthrough, hotCacheBytes }: MountOptions): number {
  if (noPassthrough || !hasSharedMemory()) return 0;
  return Math.min(hotCacheBytes ?? 0, budgetOf(budgetBytes).hotBytes);
}
