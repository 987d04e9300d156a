import { isDirectory, isFile, isOverlayNode, type OverlayInode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import { type Namespace, WHITEOUT } from '../overlay/namespace.ts';
import { type Change, type ChangeType, typeOfInode } from './change-list.ts';
import type { WrittenFile } from './written-state.ts';

/** What was written to a plate, laid over it, at one moment. */
export interface WrittenView {
  readonly names: Namespace;
  readonly lower: LowerTree;
  readonly changes: readonly Change[];
  fileOf(inode: number): WrittenFile | undefined;
}

/** A path at which two views show something else. */
export interface Difference {
  /** From the other view to this one. */
  readonly kind: 'added' | 'changed' | 'deleted';
  readonly type: ChangeType;
  readonly path: string;
  /** Of what was written here, and there. */
  readonly sizeBytes?: number;
  readonly sizeBeforeBytes?: number;
  /** The bytes are the same. */
  readonly attributesOnly?: true;
}

/** The node at a path of a view. */
function walk({ names }: WrittenView, path: string): number | undefined {
  let node: number | undefined = 1;
  for (const name of path.split('/')) {
    if (node === undefined || !names.isDirectory(node)) return undefined;
    node = names.lookup(node, name);
  }
  return node;
}

/** Names in a folder of a view. */
function namesIn({ names, lower }: WrittenView, node: number | undefined): string[] {
  if (node === undefined || !names.isDirectory(node)) return [];
  const own = [...(names.entries.get(node) ?? [])];
  const hidden = new Set(own.filter(([, entry]) => entry.node === WHITEOUT).map(([name]) => name));
  const below = isOverlayNode(node) ? [] : [...lower.names(node)].filter((name) => !hidden.has(name));
  return [...below, ...own.map(([name]) => name).filter((name) => !hidden.has(name))];
}

const typeAt = ({ names }: WrittenView, node: number): ChangeType => {
  const inode = names.inodes.get(node);
  if (inode) return typeOfInode(inode);
  return names.isDirectory(node) ? 'folder' : 'file';
};

/** The path that the source gives a folder of its own; undefined for anything else. */
const sourceFolder = ({ names, lower }: WrittenView, node: number | undefined): string | undefined =>
  node === undefined || isOverlayNode(node) || !names.isDirectory(node) ? undefined : lower.pathOf(node);

const sameMarks = (one: OverlayInode, other: OverlayInode): boolean =>
  one.mode === other.mode &&
  one.uid === other.uid &&
  one.gid === other.gid &&
  one.rdev === other.rdev &&
  (one.xattrs?.size ?? 0) === (other.xattrs?.size ?? 0) &&
  [...(one.xattrs ?? [])].every(([name, value]) => {
    const there = other.xattrs?.get(name);
    return there !== undefined && Buffer.compare(value, there) === 0;
  });

/**
 * Where two views of one plate differ, by path. Only what was changed in one of them is looked at.
 * @param sameBytes whether two written files of one size are the same; asked only where it does not follow from where
 * they lie.
 */
export function differencesOf(
  here: WrittenView,
  there: WrittenView,
  sameBytes: (path: string, here: WrittenFile, there: WrittenFile) => boolean,
): Difference[] {
  const found = new Map<string, Difference>();
  const seen = new Set<string>();
  const sizes = (one: WrittenFile | undefined, other: WrittenFile | undefined) => ({
    ...(one ? { sizeBytes: one.sizeBytes } : {}),
    ...(other ? { sizeBeforeBytes: other.sizeBytes } : {}),
  });
  const fileAt = (view: WrittenView, node: number | undefined): WrittenFile | undefined =>
    node === undefined || !view.names.inodes.has(node) ? undefined : view.fileOf(node);

  const changed = (
    path: string,
    now: number,
    before: number,
  ): Omit<Difference, 'path' | 'type'> | undefined => {
    const one = here.names.inodes.get(now);
    const other = there.names.inodes.get(before);
    if (typeAt(here, now) !== typeAt(there, before)) return { kind: 'changed' };
    if (!one && !other) {
      const isSame = here.names.isDirectory(now) || here.lower.pathOf(now) === there.lower.pathOf(before);
      return isSame ? undefined : { kind: 'changed' };
    }
    const [file, was] = [fileAt(here, now), fileAt(there, before)];
    if (!one || !other)
      return here.names.isDirectory(now) ? undefined : { kind: 'changed', ...sizes(file, was) };
    if (one.target !== other.target) return { kind: 'changed' };
    const bytesAreSame = !isFile(one) || (file && was && areSame(path, file, was));
    if (!bytesAreSame) return { kind: 'changed', ...sizes(file, was) };
    if (sameMarks(one, other)) return undefined;
    return { kind: 'changed', ...sizes(file, was), ...(isDirectory(one) ? {} : { attributesOnly: true }) };
  };
  const areSame = (path: string, file: WrittenFile, was: WrittenFile): boolean => {
    if (file.sizeBytes !== was.sizeBytes) return false;
    const [now, before] = [file.content, was.content];
    // A landing is named after its bytes.
    if (now.kind === 'landed' && before.kind === 'landed' && now.record['id'] === before.record['id'])
      return true;
    return sameBytes(path, file, was);
  };

  const look = (path: string): void => {
    if (path === '' || seen.has(path)) return;
    seen.add(path);
    const [now, before] = [walk(here, path), walk(there, path)];
    if (now !== undefined && before !== undefined) {
      const difference = changed(path, now, before);
      if (difference) found.set(path, { ...difference, type: typeAt(here, now), path });
    } else if (now !== undefined)
      found.set(path, {
        kind: 'added',
        type: typeAt(here, now),
        path,
        ...sizes(fileAt(here, now), undefined),
      });
    else if (before !== undefined)
      found.set(path, {
        kind: 'deleted',
        type: typeAt(there, before),
        path,
        ...sizes(undefined, fileAt(there, before)),
      });
    // What lies in a folder of the source comes and goes with it: no change names it.
    if (sourceFolder(here, now) !== sourceFolder(there, before)) lookBelow(path, now, before);
  };
  const lookBelow = (path: string, now: number | undefined, before: number | undefined): void => {
    for (const name of new Set([...namesIn(here, now), ...namesIn(there, before)])) {
      const below = `${path}/${name}`;
      look(below);
      const inner = [walk(here, below), walk(there, below)] as const;
      if (namesIn(here, inner[0]).length + namesIn(there, inner[1]).length > 0) lookBelow(below, ...inner);
    }
  };
  for (const { path, from } of [...here.changes, ...there.changes]) {
    look(path);
    if (from !== undefined) look(from);
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
