import type { OverlayInode, Place } from './inode.ts';

/** Names of one inode: pure changes of its `place` and `otherNames`. */

const isSame = (one: Place, other: Place): boolean => one.parent === other.parent && one.name === other.name;

/** How many names it has. */
export const nameCount = (inode: OverlayInode): number =>
  inode.place ? 1 + (inode.otherNames?.length ?? 0) : 0;

export function giveName(inode: OverlayInode, { parent, name }: Place): void {
  const place = { parent, name };
  if (!inode.place) inode.place = place;
  else if (inode.otherNames) inode.otherNames.push(place);
  else inode.otherNames = [place];
}

/** Takes a name away; the next one becomes the first where that was it. */
export function takeName(inode: OverlayInode, place: Place): void {
  const others = inode.otherNames;
  if (inode.place && isSame(inode.place, place)) inode.place = others?.shift();
  else if (others) {
    const at = others.findIndex((other) => isSame(other, place));
    if (at !== -1) others.splice(at, 1);
  }
  if (others?.length === 0) inode.otherNames = undefined;
}

/** Whether the inode lands under this name. */
export const isFirstName = (inode: OverlayInode, place: Place): boolean =>
  inode.place !== undefined && isSame(inode.place, place);

/** Makes one of its names the first. */
export function preferName(inode: OverlayInode, place: Place): void {
  if (!inode.place || isSame(inode.place, place)) return;
  const first = inode.place;
  takeName(inode, place);
  inode.place = { parent: place.parent, name: place.name };
  inode.otherNames = [...(inode.otherNames ?? []), first];
}
