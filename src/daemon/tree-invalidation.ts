import { invalidateEntry, invalidateNode } from '../fuse/notify.ts';
import { nameAt } from '../model/plate-lookup.ts';
import type { PlateDifference } from '../model/plate-succession.ts';
import type { PlateTree } from '../tree/plate-tree.ts';
import { fieldOfPlane } from '../tree/shared-tree.ts';

/**
 * Tells the kernel what is different between two trees of one plate: names that came or went (it remembers that a
 * name was not there), listings and times of directories, and contents of files whose planes changed.
 */
export function invalidateChanges(
  fuseFd: number,
  before: PlateTree,
  after: PlateTree,
  { come, gone, movedPlanes }: PlateDifference,
): void {
  const from = before.shared.index;
  const to = after.shared.index;
  const touched = new Set<number>();
  const told = new Set<string>();

  for (const [tree, positions] of [
    [before, gone.planes],
    [after, come.planes],
  ] as const)
    for (const plane of positions)
      for (const { parent, name } of tree.images.placesOf(plane)) {
        const place = `${parent}/${name}`;
        if (told.has(place)) continue;
        told.add(place);
        invalidateEntry(fuseFd, parent, name);
        touched.add(parent);
      }
  for (const plane of movedPlanes) invalidateNode(fuseFd, after.images.nodeOf(plane));

  for (const [tree, index, directories, files] of [
    [before, from, gone.directories, gone.files],
    [after, to, come.directories, come.files],
  ] as const) {
    const parentOf = (directory: number): number => tree.source.directoryNode(directory);
    for (const directory of directories) {
      const parent = parentOf(index.directories.parents[directory] ?? 0);
      invalidateEntry(fuseFd, parent, nameAt(index.directories.names, directory));
      touched.add(parent);
    }
    for (const file of files) {
      const parent = parentOf(index.files.directories[file] ?? 0);
      invalidateEntry(fuseFd, parent, nameAt(index.files.names, file));
      touched.add(parent);
    }
  }

  const stacks = after.stacks.root;
  const { fieldStarts, fieldChangedAtMs, changedAtMs } = after.shared;
  for (let field = 0; field + 1 < fieldStarts.length; field += 1) {
    if (fieldChangedAtMs[field] !== changedAtMs) continue;
    for (const name of after.stacks.namesOf(field)) invalidateEntry(fuseFd, stacks, name);
    for (const node of after.stacks.nodesOf(field)) invalidateNode(fuseFd, node);
    touched.add(stacks);
  }
  // Under other axes a large stack may have other parts.
  if (before.shared.stackAxes !== after.shared.stackAxes)
    for (let field = 0; field + 1 < before.shared.fieldStarts.length; field += 1)
      for (const name of before.stacks.namesOf(field)) invalidateEntry(fuseFd, stacks, name);
  for (const plane of gone.planes) {
    const field = fieldOfPlane(before.shared.fieldStarts, plane);
    for (const name of before.stacks.namesOf(field)) invalidateEntry(fuseFd, stacks, name);
    touched.add(stacks);
  }
  for (const name of after.tables.names) invalidateEntry(fuseFd, after.tables.root, name);
  touched.add(after.tables.root);
  for (const node of touched) invalidateNode(fuseFd, node);
}
