import type { OverlayInode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import { type Namespace, WHITEOUT } from '../overlay/namespace.ts';
import type { Change } from './change-list.ts';

/** Something to be written out, under its path in the mount. */
export type CommitItem =
  | { readonly kind: 'folder'; readonly path: string; readonly inode?: OverlayInode }
  | { readonly kind: 'link'; readonly path: string; readonly inode: OverlayInode; readonly target: string }
  /** What was written. */
  | { readonly kind: 'written'; readonly path: string; readonly inode: OverlayInode }
  /** A file of the source that has another name. */
  | { readonly kind: 'source'; readonly path: string; readonly node: number };

export interface CommitPlan {
  readonly items: readonly CommitItem[];
  /** What is no longer there under these paths: not carried out at the place that is written to. */
  readonly gone: readonly string[];
  /** What can't be written out, with the reason. */
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
}

/** Pure: what writing changes out means, folders before what lies in them. */
export function planCommit(names: Namespace, lower: LowerTree, changes: readonly Change[]): CommitPlan {
  const items = new Map<string, CommitItem>();
  const gone: string[] = [];
  const kept: { path: string; reason: string }[] = [];
  const add = (item: CommitItem): void => void items.set(item.path, item);
  for (const { kind, type, path, from, inode: number, tree: node } of changes) {
    if (kind === 'deleted') gone.push(path);
    else if (from !== undefined) gone.push(from);
    if (kind === 'deleted') continue;
    const inode = number === undefined ? undefined : names.inodes.get(number);
    if (inode?.target !== undefined) add({ kind: 'link', path, inode, target: inode.target });
    else if (inode && type === 'folder') add({ kind: 'folder', path, inode });
    else if (inode && type === 'file') add({ kind: 'written', path, inode });
    else if (inode) kept.push({ path, reason: 'a device, pipe or socket can only be made where it is used' });
    else if (node !== undefined) for (const item of sourceItems(names, lower, path, node)) add(item);
  }
  return { items: [...items.values()].sort((a, b) => (a.path < b.path ? -1 : 1)), gone, kept };
}

/** A node of the source under its new path, with all that moved along with it. */
function* sourceItems(names: Namespace, lower: LowerTree, path: string, node: number): Generator<CommitItem> {
  if (!lower.isDirectory(node)) {
    yield { kind: 'source', path, node };
    return;
  }
  yield { kind: 'folder', path };
  const over = names.entries.get(node);
  for (const name of lower.names(node)) {
    // What was written or deleted there is a change of its own.
    const written = over?.get(name)?.node;
    if (written !== undefined && (written === WHITEOUT || names.inodes.has(written))) continue;
    const child = written ?? lower.lookup(node, name);
    if (child !== undefined) yield* sourceItems(names, lower, `${path}/${name}`, child);
  }
}
