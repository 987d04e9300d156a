import type { Place } from '../overlay/inode.ts';
import { isDirectory, isFile, isOverlayNode, type OverlayInode, S_IFLNK, S_IFMT } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import { type Namespace, WHITEOUT } from '../overlay/namespace.ts';

export type ChangeKind = 'added' | 'changed' | 'deleted' | 'renamed';
export type ChangeType = 'file' | 'folder' | 'link' | 'special';

/** One name that is otherwise than the source has it. */
export interface Change {
  readonly kind: ChangeKind;
  readonly type: ChangeType;
  /** Below the mount's root; of what was deleted, where it was. */
  readonly path: string;
  /** What was renamed: where the source has it. */
  readonly from?: string;
  /** The overlay says it of this name. */
  readonly place: Place;
  /** What was written; absent where the bytes are the source's. */
  readonly inode?: number;
  /** The source's own: what was deleted or renamed, or what lies beneath what was written. */
  readonly tree?: number;
  /** What was renamed took the name of this node of the source. */
  readonly covers?: number;
  /** Of a copy of a source's file: its bytes may differ, not its attributes alone. */
  readonly isRewritten?: boolean;
}

export const typeOfInode = (inode: OverlayInode): ChangeType => {
  if (isDirectory(inode)) return 'folder';
  if (isFile(inode)) return 'file';
  return (inode.mode & S_IFMT) === S_IFLNK ? 'link' : 'special';
};

/** The source's nodes that hang elsewhere than it has them. */
export function movedNodes(names: Namespace): Set<number> {
  const moved = new Set<number>();
  for (const entries of names.entries.values())
    for (const { node } of entries.values()) if (node !== WHITEOUT && !isOverlayNode(node)) moved.add(node);
  return moved;
}

/** The place a path of the source has in the source. */
export function lowerPlace(lower: LowerTree, path: string): Place | undefined {
  const cut = path.lastIndexOf('/');
  const parent = lower.resolve(path.slice(0, Math.max(0, cut)));
  return parent === undefined ? undefined : { parent, name: path.slice(cut + 1) };
}

/** Whether the overlay hides a name of the source, with nothing in its place. */
function isHidden(names: Namespace, place: Place | undefined): boolean {
  return place !== undefined && names.entries.get(place.parent)?.get(place.name)?.node === WHITEOUT;
}

/** Copies that hang elsewhere than the file they were made of, which is gone: by that file's path in the source. */
function renamedCopies(names: Namespace, lower: LowerTree): Map<string, OverlayInode> {
  const found = new Map<string, OverlayInode>();
  for (const inode of names.inodes.values()) {
    const { origin, place } = inode;
    if (origin === undefined || place === undefined) continue;
    const home = lowerPlace(lower, origin);
    const isHome = place.parent === home?.parent && place.name === home.name;
    if (!isHome && isHidden(names, home)) found.set(origin, inode);
  }
  return found;
}

/**
 * Everything by which the mount differs from its source, by path. A folder that was deleted is followed by what was in
 * it; what lies in a folder that was renamed moved along, and is not named.
 */
export function changesOf(names: Namespace, lower: LowerTree): Change[] {
  const moved = movedNodes(names);
  const copies = renamedCopies(names, lower);
  const changes: Change[] = [];
  for (const [parent, entries] of names.entries) {
    const folder = names.pathOf(parent);
    if (folder === undefined) continue;
    for (const [name, { node }] of entries) {
      const place = { parent, name };
      const path = folder === '' ? name : `${folder}/${name}`;
      const below = isOverlayNode(parent) ? undefined : lower.lookup(parent, name);
      const change = changeAt({ names, lower, moved, copies }, place, node, below);
      if (change) changes.push({ ...change, path, place });
    }
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

interface Known {
  readonly names: Namespace;
  readonly lower: LowerTree;
  readonly moved: ReadonlySet<number>;
  readonly copies: ReadonlyMap<string, OverlayInode>;
}

function changeAt(
  { names, lower, moved, copies }: Known,
  place: Place,
  node: number,
  below: number | undefined,
): Omit<Change, 'path' | 'place'> | undefined {
  const typeOfTree = (tree: number): ChangeType => (lower.isDirectory(tree) ? 'folder' : 'file');
  if (node === WHITEOUT) {
    if (below === undefined || moved.has(below) || copies.has(lower.pathOf(below))) return undefined;
    return { kind: 'deleted', type: typeOfTree(below), tree: below };
  }
  const inode = names.inodes.get(node);
  const isCovered = below !== undefined && !moved.has(below) && !copies.has(lower.pathOf(below));
  const covers = isCovered && below !== node ? { covers: below } : {};
  if (!inode) {
    if (isOverlayNode(node)) return undefined;
    return { kind: 'renamed', type: typeOfTree(node), from: lower.pathOf(node), tree: node, ...covers };
  }
  const { origin, version } = inode;
  const written = { type: typeOfInode(inode), inode: node };
  if (origin !== undefined) {
    const isRewritten = version > 1;
    const tree = lower.resolve(origin);
    const beneath = tree === undefined ? {} : { tree };
    const home = lowerPlace(lower, origin);
    if (home?.parent === place.parent && home.name === place.name)
      return { ...written, kind: 'changed', isRewritten, ...beneath };
    if (copies.get(origin) === inode)
      return { ...written, kind: 'renamed', from: origin, isRewritten, ...beneath, ...covers };
  }
  return isCovered
    ? { ...written, kind: 'changed', tree: below, isRewritten: true }
    : { ...written, kind: 'added' };
}
