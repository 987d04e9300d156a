import type { SharedTree } from './shared-tree.ts';

/** A part of a mount with an index of its own. */
export interface SharedPart {
  /** 0 is the mount's root; a plate in a folder of sources has the same number at every mount of it. */
  readonly number: number;
  /** Its folder in the mount's root; '' for the root itself. */
  readonly name: string;
  readonly shared: SharedTree;
}

/** What the threads of a mount share: one part, or a folder of sources and the plates in it. */
export type SharedMount = readonly SharedPart[];

/** Parts have numbers below: that many ranges of node numbers there are. */
export const MAX_PARTS = 128;

/** Node numbers of a part. Those of part 0 lie below the overlay's, those of the others beyond them. */
export const PART_NODES = 2 ** 46;
