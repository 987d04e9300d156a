import { invalidateEntry, invalidateNode } from '../fuse/notify.ts';
import { nameAt } from '../model/plate-lookup.ts';
import type { PlateDifference } from '../model/plate-succession.ts';
import { isFolderNode } from '../tree/sources/source-node.ts';
import type { SourceNodes } from '../tree/sources/source-nodes.ts';
import type { SourceTree } from '../tree/sources/source-tree.ts';
import type { ChangedPart } from './tree-invalidation.ts';

/** In place of an offset: the kernel keeps a node's pages. */
const ATTRIBUTES_ONLY = -1;

/** Names in folders that mean something else in `after`, with the folder's node. */
function* changedNames(before: SourceNodes, after: SourceNodes): Generator<{ parent: number; name: string }> {
  for (const folder of before.folders()) {
    const now = after.folderAt(folder.node);
    for (const child of folder.children)
      if (now?.byName.get(child.name)?.node !== child.node) yield { parent: folder.node, name: child.name };
    if (folder.family && folder.family.firstNode !== now?.family?.firstNode)
      for (let place = 0; ; place += 1) {
        const member = before.memberAt(folder, place);
        if (!member) break;
        yield { parent: folder.node, name: member.name };
      }
  }
}

/**
 * Tells the kernel what is different between two trees of files and stores that are no plates: names that came or went,
 * files whose source changed, and ordinary files of another size or time.
 */
export function invalidateSourceChanges(
  { fuseFd, base }: ChangedPart,
  before: SourceTree,
  after: SourceTree,
  { come, gone }: PlateDifference,
): void {
  const touched = new Set<number>();
  const tell = (parent: number, name: string): void => {
    invalidateEntry(fuseFd, base + parent, name);
    touched.add(parent);
  };
  for (const [one, other] of [
    [before.nodes, after.nodes],
    [after.nodes, before.nodes],
  ] as const)
    for (const { parent, name } of changedNames(one, other)) tell(parent, name);
  for (const folder of after.nodes.folders())
    for (const child of folder.children) {
      if (isFolderNode(child)) touched.add(child.node);
      // Files that are the same, of a source that has another time: of what chunks hold, readers and the watch tell.
      else if (
        before.itemAt(child.node) &&
        before.itemAt(child.node)?.source.mtimeMs !== child.source.mtimeMs
      )
        invalidateNode(fuseFd, base + child.node, ATTRIBUTES_ONLY);
    }

  for (const [tree, { directories, files }] of [
    [before, gone],
    [after, come],
  ] as const) {
    const { index } = tree.shared;
    for (const directory of directories)
      for (const parent of tree.ownFolderNodes(index.directories.parents[directory] ?? 0))
        tell(parent, nameAt(index.directories.names, directory));
    for (const file of files)
      for (const parent of tree.ownFolderNodes(index.files.directories[file] ?? 0))
        tell(parent, nameAt(index.files.names, file));
  }
  // What stands in a file that was looked at may be of another size now.
  for (const file of after.shared.index.evidenceFiles) invalidateNode(fuseFd, base + after.ownFileNode(file));
  for (const node of touched) invalidateNode(fuseFd, base + node);
}
