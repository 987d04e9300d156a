import type { FileOrigin, HookOrigin } from '../model/file-origin.ts';
import type { OverlayInode } from './inode.ts';

/**
 * The extended attribute in which a file's journal records say which rule wrote it. It is of one version: what a program
 * writes over it is no longer that rule's.
 */
export const MADE_BY = 'user.platefs.made-by';

interface MadeBy {
  readonly version: number;
  readonly hook: HookOrigin;
}

export const madeByBytes = (version: number, hook: HookOrigin): Uint8Array =>
  Buffer.from(JSON.stringify({ version, hook } satisfies MadeBy));

/** Which rule wrote the present version of a file; undefined where none did. */
export function originOf({
  xattrs,
  version,
}: Pick<OverlayInode, 'xattrs' | 'version'>): FileOrigin | undefined {
  const value = xattrs?.get(MADE_BY);
  if (value === undefined) return undefined;
  const made = JSON.parse(Buffer.from(value).toString('utf8')) as MadeBy;
  return made.version === version ? { hook: made.hook } : undefined;
}
