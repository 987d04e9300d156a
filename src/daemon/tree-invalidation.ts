import { isDeepStrictEqual } from 'node:util';
import { invalidateEntry as tellEntry, invalidateNode as tellNode } from '../fuse/notify.ts';
import { nameAt } from '../model/plate-lookup.ts';
import type { PlateDifference } from '../model/plate-succession.ts';
import type { PlateTree } from '../tree/plate-tree.ts';
import { fieldOfPlane } from '../tree/shared-tree.ts';
import type { ChangedName } from './front-messages.ts';

interface Notifier {
  readonly invalidateEntry: (parent: number, name: string) => void;
  readonly invalidateNode: (node: number) => void;
}

/** Tells the kernel of names in folders that came to be without its knowing. */
export function invalidateNames(fuseFd: number, names: readonly ChangedName[]): void {
  for (const { parent, name } of names) {
    tellEntry(fuseFd, parent, name);
    tellNode(fuseFd, parent);
  }
}

/** Where the kernel is told, and where a part's node numbers begin in the mount. */
export interface ChangedPart {
  readonly fuseFd: number;
  readonly base: number;
}

/**
 * Tells the kernel what is different between two trees of one plate: names that came or went (it remembers that a
 * name was not there), listings and times of directories, and contents of files whose planes changed.
 */
export function invalidateChanges(
  { fuseFd, base }: ChangedPart,
  before: PlateTree,
  after: PlateTree,
  { come, gone, movedPlanes }: PlateDifference,
): void {
  const invalidateEntry = (parent: number, name: string): boolean => tellEntry(fuseFd, base + parent, name);
  const invalidateNode = (node: number): boolean => tellNode(fuseFd, base + node);
  const from = before.shared.index;
  const to = after.shared.index;
  const touched = new Set<number>();
  const told = new Set<string>();

  for (const [tree, positions] of [
    [before, gone.planes],
    [after, come.planes],
  ] as const)
    for (const plane of positions)
      for (const { parent, name } of [
        ...tree.images.placesOf(plane),
        ...(tree.previews?.placesOf(plane) ?? []),
      ]) {
        const place = `${parent}/${name}`;
        if (told.has(place)) continue;
        told.add(place);
        invalidateEntry(parent, name);
        touched.add(parent);
      }
  for (const plane of movedPlanes) {
    invalidateNode(after.images.nodeOf(plane));
    if (after.previews) invalidateNode(after.previews.nodeOf(plane));
  }

  for (const [tree, index, directories, files] of [
    [before, from, gone.directories, gone.files],
    [after, to, come.directories, come.files],
  ] as const) {
    const parentOf = (directory: number): number => tree.source.directoryNode(directory);
    for (const directory of directories) {
      const parent = parentOf(index.directories.parents[directory] ?? 0);
      invalidateEntry(parent, nameAt(index.directories.names, directory));
      touched.add(parent);
    }
    for (const file of files) {
      const parent = parentOf(index.files.directories[file] ?? 0);
      invalidateEntry(parent, nameAt(index.files.names, file));
      touched.add(parent);
    }
  }

  const stacks = after.stacks.root;
  const { fieldStarts, fieldChangedAtMs, changedAtMs } = after.shared;
  for (let field = 0; field + 1 < fieldStarts.length; field += 1) {
    if (fieldChangedAtMs[field] !== changedAtMs) continue;
    for (const name of after.stacks.namesOf(field)) invalidateEntry(stacks, name);
    for (const node of after.stacks.nodesOf(field)) invalidateNode(node);
    touched.add(stacks);
  }
  // Under other axes a large stack may have other parts.
  if (before.shared.stackAxes !== after.shared.stackAxes)
    for (let field = 0; field + 1 < before.shared.fieldStarts.length; field += 1)
      for (const name of before.stacks.namesOf(field)) invalidateEntry(stacks, name);
  for (const plane of gone.planes) {
    const field = fieldOfPlane(before.shared.fieldStarts, plane);
    for (const name of before.stacks.namesOf(field)) invalidateEntry(stacks, name);
    touched.add(stacks);
  }
  invalidateOmeZarr({ invalidateEntry, invalidateNode }, before, after, { come, gone, movedPlanes });
  touched.add(after.omeZarr.root);
  for (const name of after.tables.names) invalidateEntry(after.tables.root, name);
  touched.add(after.tables.root);
  for (const node of touched) invalidateNode(node);
}

/**
 * The same for plate.ome.zarr. The kernel remembers none of its listings, and of names that are not there only those of
 * a well's images.
 */
function invalidateOmeZarr(
  { invalidateEntry, invalidateNode }: Notifier,
  before: PlateTree,
  after: PlateTree,
  { gone, movedPlanes }: PlateDifference,
): void {
  const places: { readonly parent: number; readonly name: string }[] = [
    ...after.omeZarr.changingDocuments(),
    ...before.omeZarr.groupsWithout(after.omeZarr),
  ];
  const { fieldStarts, fieldChangedAtMs, changedAtMs } = after.shared;
  for (let field = 0; field + 1 < fieldStarts.length; field += 1)
    if (fieldChangedAtMs[field] === changedAtMs) places.push(...after.omeZarr.imagePlaces(field));
  for (const plane of gone.planes)
    places.push(
      ...before.omeZarr.imagePlaces(fieldOfPlane(before.shared.fieldStarts, plane)),
      ...before.omeZarr.chunkPlaces(plane),
    );
  for (const { parent, name } of places) invalidateEntry(parent, name);
  for (const plane of movedPlanes)
    for (const { chunk } of after.omeZarr.chunkPlaces(plane)) invalidateNode(chunk);
  if (!isDeepStrictEqual(before.shared.index.facts, after.shared.index.facts))
    for (const node of after.omeZarr.imageDocuments()) invalidateNode(node);
}
