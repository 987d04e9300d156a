/**
 * What was changed in images/ is remembered by names: it means nothing under other names, so a mount that asks for
 * others is refused before anything is forgotten.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadParameterError } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { peekJournal } from '../journal/journal.ts';
import type { MountDefinition, MountSource } from '../model/mount-definition.ts';
import type { Place } from '../overlay/inode.ts';
import { journalPath, type OverlayFolders } from '../overlay/open-overlay.ts';
import type { OverlayRecord } from '../overlay/records.ts';
import { PART_NODES } from '../tree/shared-mount.ts';
import { isInImages as isImagesNode } from '../tree/views/images.ts';

interface KeptNames {
  readonly names: string;
  /** '' where a format recognises the plate. */
  readonly layout: string;
  /** Of the parts that have something of their own, by name. */
  readonly parts?: Readonly<Record<string, { readonly names?: string; readonly layout?: string }>>;
}

const NAMES_FILE = 'names.json';

const placeKey = ({ parent, name }: Place): string => `${parent}/${name}`;
/** In a plate, which may be a folder of the mount, or of a folder of several. */
const isPlanePath = (path: string | undefined): boolean => /^(?:[^/]+\/){0,2}images\//.test(path ?? '');
const isInImages = (node: number): boolean => isImagesNode(node % PART_NODES);

/** A change of a plane's name, or one in a folder that names make; undefined when the journal has none. */
function changedPlane(journal: string): string | undefined {
  const made = new Set<string>();
  let found: string | undefined;
  const note = (name: string): void => void (found ??= name);
  const make = (place: Place): void => {
    if (!isInImages(place.parent)) return;
    made.add(placeKey(place));
    // images/ itself is there under any names; its folders are not.
    if (place.parent % PART_NODES >= 2 ** 32) note(place.name);
  };
  peekJournal(journal, (read) => {
    const record = read as OverlayRecord;
    if (record.op === 'make') make(record);
    else if (record.op === 'linked') make(record.place);
    else if (record.op === 'published') for (const one of record.made) make(one);
    else if (record.op === 'whiteout' && isInImages(record.place.parent)) note(record.place.name);
    else if (record.op === 'placed' && isPlanePath(record.tree)) note(record.place.name);
    else if (record.op === 'remove' && isInImages(record.place.parent)) {
      if (!made.delete(placeKey(record.place))) note(record.place.name);
    } else if (record.op === 'move') {
      if (isPlanePath(record.tree) || isPlanePath(record.otherTree)) note(record.from.name);
      made.delete(placeKey(record.from));
      make(record.to);
    }
  });
  return found;
}

/** How names were asked for, as words of a command. */
function words({ names, layout, parts = {} }: KeptNames): string {
  const layoutWords = layout === '' ? 'without --layout' : `--layout ${shellWord(layout)}`;
  const own = Object.entries(parts).map(([name, said]) => `; ${name}: ${JSON.stringify(said)}`);
  return `--names ${shellWord(names)} ${layoutWords}${own.join('')}`;
}

/** Names and layouts of a definition's sources, in an order of their own. */
function ownNames(sources: readonly MountSource[]): NonNullable<KeptNames['parts']> {
  return Object.fromEntries(
    sources
      .filter(({ names, layout }) => names !== undefined || layout !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, names, layout }) => [
        name,
        { ...(names === undefined ? {} : { names }), ...(layout === undefined ? {} : { layout }) },
      ]),
  );
}

/**
 * Remembers how planes are named.
 * @throws BadParameterError when planes were renamed or removed at an earlier mount, under other names.
 */
export function keepNames(folders: OverlayFolders, definition: MountDefinition): void {
  const path = join(folders.state, NAMES_FILE);
  const present: KeptNames = {
    names: definition.names ?? 'canonical',
    layout: definition.layout ?? '',
    ...(definition.sources ? { parts: ownNames(definition.sources) } : {}),
  };
  const kept: KeptNames = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as KeptNames)
    : { names: 'canonical', layout: '' };
  if (JSON.stringify(kept) !== JSON.stringify(present)) {
    const changed = changedPlane(journalPath(folders));
    if (changed !== undefined)
      throw new BadParameterError(
        'names',
        `images/ was changed (${changed}) while its files had other names; mount with  ${words(kept)}  or name another --output`,
      );
  }
  writeFileSync(`${path}.new`, JSON.stringify(present), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
