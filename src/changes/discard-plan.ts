import type { Place } from '../overlay/inode.ts';
import { isOverlayNode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import { type Namespace, WHITEOUT } from '../overlay/namespace.ts';
import { type Change, changesOf, lowerPlace, movedNodes } from './change-list.ts';
import { chosenChanges } from './chosen-changes.ts';

/** What is to be given up. */
export interface DiscardPlan {
  readonly changes: readonly Change[];
  /** Names of which the overlay is to say nothing any more. */
  readonly places: readonly Place[];
  /** What stands in the way; nothing may be given up while something does. */
  readonly obstacles: readonly { readonly path: string; readonly reason: string }[];
}

/** Names a place. */
export const placeKey = ({ parent, name }: Place): string => `${parent}/${name}`;

/**
 * Pure: how changes at and below paths are given up so that the source shows there again. What was renamed goes back
 * to its old name, which must be free or given up too.
 * @throws FsRefusal for a path at which nothing was changed.
 */
export function planDiscard(names: Namespace, lower: LowerTree, paths: readonly string[]): DiscardPlan {
  const all = changesOf(names, lower);
  return discardOf(names, lower, all, chosenChanges(all, paths));
}

/** Pure: the same for some of all changes. */
export function discardOf(
  names: Namespace,
  lower: LowerTree,
  all: readonly Change[],
  changes: readonly Change[],
): DiscardPlan {
  const places = new Map<string, Place>();
  const isHidden = (place: Place): boolean =>
    names.entries.get(place.parent)?.get(place.name)?.node === WHITEOUT;
  const add = (place: Place): void => void places.set(placeKey(place), place);
  for (const { place, from } of changes) {
    add(place);
    const home = from === undefined ? undefined : lowerPlace(lower, from);
    if (home && isHidden(home)) add(home);
  }
  // What comes back shows again only where its folder does.
  const moved = movedNodes(names);
  for (const folder of foldersOf(lower, changes))
    for (let node = folder; !moved.has(node); ) {
      const home = homeOf(lower, node);
      if (!home) break;
      if (isHidden(home)) add(home);
      node = home.parent;
    }
  const obstacles = [
    ...coveredFolders(names, lower, changes, places, moved),
    ...takenNames(names, lower, changes, places),
    ...leftBehind(names, all, places),
    ...circles(names, lower, places),
  ];
  return { changes, places: [...places.values()], obstacles };
}

/** Where the source has one of its folders; undefined for its root. */
function homeOf(lower: LowerTree, node: number): Place | undefined {
  if (isOverlayNode(node)) return undefined;
  const path = lower.pathOf(node);
  return path === '' ? undefined : lowerPlace(lower, path);
}

/** Folders of the source in which something comes back. */
function foldersOf(lower: LowerTree, changes: readonly Change[]): Set<number> {
  const folders = new Set<number>();
  for (const { kind, from, place } of changes) {
    const home = from === undefined ? undefined : lowerPlace(lower, from);
    if (kind === 'deleted') folders.add(place.parent);
    else if (home) folders.add(home.parent);
  }
  return folders;
}

/** Folders that were deleted and made anew: what comes back into the old one would be seen by nobody. */
function coveredFolders(
  names: Namespace,
  lower: LowerTree,
  changes: readonly Change[],
  places: ReadonlyMap<string, Place>,
  moved: ReadonlySet<number>,
): DiscardPlan['obstacles'] {
  const found = new Map<string, string>();
  for (const folder of foldersOf(lower, changes))
    for (let node = folder; !moved.has(node); ) {
      const home = homeOf(lower, node);
      if (!home) break;
      const over = names.entries.get(home.parent)?.get(home.name)?.node ?? WHITEOUT;
      if (over !== WHITEOUT && !places.has(placeKey(home)))
        found.set(names.pathOf(over) ?? home.name, 'a folder that was deleted lies under it; discard it too');
      node = home.parent;
    }
  return [...found].map(([path, reason]) => ({ path, reason }));
}

/** What would go back to a name that something else has now. */
function takenNames(
  names: Namespace,
  lower: LowerTree,
  changes: readonly Change[],
  places: ReadonlyMap<string, Place>,
): DiscardPlan['obstacles'] {
  return changes.flatMap(({ path, from }) => {
    const home = from === undefined ? undefined : lowerPlace(lower, from);
    const node = home && names.entries.get(home.parent)?.get(home.name)?.node;
    if (!home || node === undefined || node === WHITEOUT || places.has(placeKey(home))) return [];
    const taken = names.pathOf(node) ?? from ?? '';
    return [{ path: taken, reason: `it has the name that ${path} would get back; discard it too` }];
  });
}

/** What stays would lose the folder it was written into. */
function leftBehind(
  names: Namespace,
  all: readonly Change[],
  places: ReadonlyMap<string, Place>,
): DiscardPlan['obstacles'] {
  return all.flatMap(({ place, path }) => {
    if (places.has(placeKey(place)) || !isOverlayNode(place.parent)) return [];
    const folder = names.inodes.get(place.parent)?.place;
    if (!folder || !places.has(placeKey(folder))) return [];
    return [{ path, reason: 'it lies in a folder that would go; discard it too' }];
  });
}

/** Folders of the source that would come to lie in each other. */
function circles(
  names: Namespace,
  lower: LowerTree,
  places: ReadonlyMap<string, Place>,
): DiscardPlan['obstacles'] {
  const stays = new Map<number, Place>();
  for (const [parent, entries] of names.entries)
    for (const [name, { node }] of entries)
      if (node !== WHITEOUT && !isOverlayNode(node) && !places.has(placeKey({ parent, name })))
        stays.set(node, { parent, name });
  const parentOf = (node: number): number | undefined =>
    isOverlayNode(node)
      ? names.inodes.get(node)?.place?.parent
      : (stays.get(node)?.parent ?? homeOf(lower, node)?.parent);
  return [...stays.keys()].flatMap((node) => {
    const seen = new Set<number>();
    for (let at: number | undefined = node; at !== undefined; at = parentOf(at)) {
      if (seen.has(at)) {
        const path = names.pathOf(node) ?? lower.pathOf(node);
        return [{ path, reason: 'it lies in what would go back into it; discard it too' }];
      }
      seen.add(at);
    }
    return [];
  });
}
