import type { BigIntStats } from 'node:fs';
import { fileIdentity } from './file-identity.ts';

/** What stands for a file that is not there. */
const ABSENT = 'absent';

/** A source file as it was found this moment. */
export interface SourceLook {
  readonly path: string;
  /** As {@link sourceIdentity}. */
  readonly identity: string;
  /** When the file's bytes, name or rights last changed, as its disk says; undefined where that says nothing. */
  readonly changedAtMs: number | undefined;
  readonly device: bigint | undefined;
}

let hear: ((look: SourceLook) => void) | undefined;

/** Has this thread's looks at source files told to `onLook`. What that throws fails the read that looked. */
export function heedSourceLooks(onLook: (look: SourceLook) => void): void {
  hear = onLook;
}

/**
 * Tells a source file from any other that is or was at its path, also where there is none.
 * @param mayGrow for a file that images are added to while others are read: only another file in its place counts.
 */
export function sourceIdentity(found: BigIntStats | undefined, mayGrow = false): string {
  if (!found) return ABSENT;
  return mayGrow ? `${found.dev}:${found.ino}` : fileIdentity(found);
}

/** Whether an identity is one of a file that may grow. */
export const isOfGrowing = (identity: string): boolean => /^\d+:\d+$/.test(identity);

/**
 * Says that this thread looked at a file that a read depends on. Called where the look is taken anyway, so that nobody has
 * to look again to know what a read was made of.
 * @param mayGrow as for {@link sourceIdentity}.
 * @returns the file's identity.
 */
export function lookedAtSource(path: string, found: BigIntStats | undefined, mayGrow = false): string {
  const identity = sourceIdentity(found, mayGrow);
  const changedAtMs = found && !mayGrow ? Number(found.ctimeNs) / 1e6 : undefined;
  hear?.({ path, identity, changedAtMs, device: found?.dev });
  return identity;
}
