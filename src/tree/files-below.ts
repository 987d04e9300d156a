import type { Tree } from './tree.ts';

/** A file of the tree, with its path below the mount. */
export interface TreeFile {
  readonly node: number;
  readonly path: string;
}

/** A file, or every file below a folder, in the order of listings. Documents are left out. */
export function* filesBelow(tree: Tree, node: number, path: string): Generator<TreeFile> {
  if (!tree.isDirectory(node)) {
    if (!tree.isDocument(node)) yield { node, path };
    return;
  }
  for (let entry = tree.entryAfter(node, 0); entry; entry = tree.entryAfter(node, entry.cookie))
    yield* filesBelow(tree, entry.node, path === '' ? entry.name : `${path}/${entry.name}`);
}
