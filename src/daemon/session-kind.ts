/**
 * What is written into a plate and into a folder of sources is remembered by numbers that mean something else in the
 * other: a folder that is shown otherwise than at its last mount is refused before anything is forgotten.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadParameterError } from '../core/errors.ts';
import { peekJournal } from '../journal/journal.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { journalPath, type OverlayFolders } from '../overlay/open-overlay.ts';
import type { OverlayRecord } from '../overlay/records.ts';

const FILE = 'kind.json';

interface Kind {
  readonly as: 'plate' | 'sources';
}

/** Changes of names: every file that was written has one, and so has everything that was moved or removed. */
const NAMING: ReadonlySet<OverlayRecord['op']> = new Set([
  'make',
  'move',
  'remove',
  'published',
  'whiteout',
  'placed',
]);

function isWritten(folders: OverlayFolders): boolean {
  let isNamed = false;
  peekJournal(journalPath(folders), (record) => {
    isNamed ||= NAMING.has((record as OverlayRecord).op);
  });
  return isNamed;
}

/**
 * Remembers whether the root of a mount is a plate.
 * @throws BadParameterError when something was written at an earlier mount, at which it was otherwise.
 */
export function keepKind(folders: OverlayFolders, { rootPath, scope }: PlateIndex): void {
  const path = join(folders.state, FILE);
  const present: Kind = { as: scope ? 'sources' : 'plate' };
  const kept = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Kind) : present;
  if (kept.as !== present.as && isWritten(folders))
    throw new BadParameterError(
      'as',
      `${rootPath} was written to while it was shown as ${kept.as === 'plate' ? 'a plate' : 'a folder of sources'}; mount with  --as ${kept.as}  or name another --output`,
    );
  writeFileSync(`${path}.new`, JSON.stringify(present), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
