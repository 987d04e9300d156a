import type { SharedTree } from './shared-tree.ts';

/** A part of a mount with an index of its own. */
export interface SharedPart {
  /** 0 is the mount's root; a part of a name has the same number at every mount of the same thing. */
  readonly number: number;
  /** Path of its folder below the mount's root; '' for the root itself. It stands in the root of another part. */
  readonly name: string;
  readonly shared: SharedTree;
}

/** What the threads of a mount share: one part; a folder of sources and the plates in it; or what a definition names. */
export type SharedMount = readonly SharedPart[];

/** Parts have numbers below: that many ranges of node numbers there are. */
export const MAX_PARTS = 128;

/** Node numbers of a part. Those of part 0 lie below the overlay's, those of the others beyond them. */
export const PART_NODES = 2 ** 46;
