import type { Abandoned, LandingRecord, Place } from './inode.ts';

export interface MadeInode extends Place {
  readonly inode: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev?: number;
  readonly target?: string;
  /** Path that the tree gives the file this is a copy of, where it began as one. */
  readonly origin?: string;
  /** A file that is whole from the start. */
  readonly sealed?: boolean;
}

/**
 * What the journal holds, one record a change. `at` is the wall clock in ms; `unique` the kernel's number of
 * the request, so that a request that was carried out but not answered before a crash is not refused when the
 * kernel sends it again. Tree nodes are named by path: their numbers may differ after a new index.
 */
export type OverlayRecord =
  | ({ readonly op: 'make'; readonly at: number; readonly unique?: string } & MadeInode)
  | {
      readonly op: 'move';
      readonly from: Place;
      readonly to: Place;
      readonly exchange: boolean;
      /** Paths of the tree nodes that move, where it is not an overlay inode. */
      readonly tree?: string;
      readonly otherTree?: string;
      readonly at: number;
      readonly unique?: string;
    }
  /** Changes that happen all at once. */
  | { readonly op: 'batch'; readonly records: readonly OverlayRecord[] }
  /** A file without a name. */
  | {
      readonly op: 'nameless';
      readonly inode: number;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      readonly at: number;
      readonly unique?: string;
    }
  /** One more name for what is no directory. */
  | {
      readonly op: 'linked';
      readonly inode: number;
      readonly place: Place;
      readonly at: number;
      readonly unique?: string;
    }
  /** What was written at these names is given up: the tree shows there again. */
  | { readonly op: 'revealed'; readonly places: readonly Place[]; readonly at: number }
  | { readonly op: 'remove'; readonly place: Place; readonly at: number; readonly unique?: string }
  | {
      readonly op: 'attributes';
      readonly inode: number;
      readonly mode?: number;
      readonly uid?: number;
      readonly gid?: number;
      readonly at: number;
    }
  | {
      readonly op: 'touched';
      readonly inode: number;
      readonly changedNs: string;
      readonly atimeNs?: string;
      readonly mtimeNs?: string;
    }
  | {
      readonly op: 'xattr';
      readonly inode: number;
      readonly name: string;
      readonly value: string | null;
      readonly at: number;
      readonly unique?: string;
    }
  | { readonly op: 'split'; readonly inode: number; readonly splitAt: number }
  | { readonly op: 'opened'; readonly inode: number; readonly version: number }
  | { readonly op: 'sealed'; readonly inode: number; readonly version: number }
  | {
      readonly op: 'landed';
      readonly inode: number;
      readonly version: number;
      readonly record: LandingRecord;
      readonly sizeBytes: number;
      readonly mtimeNs: string;
      readonly changedNs: string;
    }
  | { readonly op: 'recalled'; readonly inode: number }
  /** The bytes since the recall are gone: the file is again what had landed. */
  | { readonly op: 'restored'; readonly inode: number }
  /** An abandoned landing is gone from the output folder. */
  | { readonly op: 'cleared'; readonly id: number }
  | {
      readonly op: 'published';
      readonly made: readonly MadeInode[];
      readonly source: { readonly inode: number; readonly version: number; readonly rule: string };
      readonly at: number;
    }
  | { readonly op: 'hook-ended'; readonly inode: number; readonly version: number; readonly rule: string }
  | { readonly op: 'dropped'; readonly inode: number }
  /** Only in rewritten journals: a tree name that is hidden, a tree node that was moved. */
  | { readonly op: 'whiteout'; readonly place: Place }
  | { readonly op: 'placed'; readonly place: Place; readonly tree: string }
  | { readonly op: 'next'; readonly inode: number }
  /** What landed is not wanted; so is what 'dropped' inodes landed, and what another landing took the place of. */
  | ({ readonly op: 'abandoned' } & Omit<Abandoned, 'id'> & { readonly id?: number });

/** What is to be made. */
export interface NewInode extends Place {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev?: number;
  readonly target?: string;
  /** As {@link MadeInode.origin}. */
  readonly origin?: string;
  /** A file that is whole from the start; else it begins open for writing. */
  readonly sealed?: boolean;
}
