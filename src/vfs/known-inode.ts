import { isOverlayNode, type OverlayInode } from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import { STALE } from './refusals.ts';

/**
 * The overlay inode of a node; undefined for the tree's.
 * @throws stale for one that is gone: another took its name while the kernel was about to ask for it, so the
 *   kernel looks the name up again and finds the new one.
 */
export function knownInode(overlay: Overlay, node: number): OverlayInode | undefined {
  const inode = overlay.inode(node);
  if (!inode && isOverlayNode(node)) throw STALE;
  return inode;
}
