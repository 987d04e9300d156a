import type { HookPump, HookPumpParts } from './hook-pump.ts';

/** Starts the rules of a mount; nothing is loaded where there are none. */
export async function startHooks(parts: HookPumpParts): Promise<HookPump | undefined> {
  if (parts.rules.length === 0) return undefined;
  const pump = await import('./hook-pump.ts');
  return await pump.HookPump.start(parts);
}
