import type { SumsOfUnits } from '../core/unit-sums.ts';
import type { DataPiece } from '../overlay/data-store.ts';
import type { Abandoned, LandingRecord } from '../overlay/inode.ts';
import type { SyncItem } from '../overlay/sync-plans.ts';

/** The kernel's number of a request that somebody else will answer. */
export interface Ticket {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
}

/** Work a reader thread does and answers on the device itself. */
export type ReaderJob =
  | (Ticket & {
      readonly kind: 'read-file';
      readonly path: string;
      /** The rendered file that this is a finished render of: what to read where it was thrown out meanwhile. */
      readonly renderOf?: number;
      /** When the handle was opened that is read through. */
      readonly openedAtMs: number;
      readonly offsetBytes: number;
      readonly sizeBytes: number;
    })
  | (Ticket & {
      readonly kind: 'read-rendered';
      readonly node: number;
      /** When the handle was opened that is read through. */
      readonly openedAtMs: number;
      readonly offsetBytes: number;
      readonly sizeBytes: number;
    })
  /** Whether a finished render of the file is kept and good; the front answers the OPEN when it is told. */
  | (Ticket & { readonly kind: 'find-render'; readonly node: number })
  | (Ticket & {
      readonly kind: 'read-pieces';
      readonly inode: number;
      readonly pieces: readonly DataPiece[];
      /** Of the units that are read, where the file has any. */
      readonly sums?: SumsOfUnits;
      readonly fileSizeBytes: number;
      readonly offsetBytes: number;
      readonly sizeBytes: number;
    })
  | (Ticket & {
      readonly kind: 'read-landed';
      readonly inode: number;
      readonly version: number;
      readonly record: LandingRecord;
      readonly fileSizeBytes: number;
      readonly offsetBytes: number;
      readonly sizeBytes: number;
    })
  | SyncJob
  | StageJob;

/** Who waits for a sync, and of what. */
export interface SyncTicket extends Ticket {
  /** 0 where only names are meant. */
  readonly inode: number;
  /** Of a WRITE that is answered once it is safe. */
  readonly writtenBytes?: number;
  /** Nobody waits: the file is still being written, and the disk may begin with it. */
  readonly isAhead?: boolean;
}

/** Make files and all names so far survive power loss; then answer whoever waits for that. */
export interface SyncJob {
  readonly kind: 'sync';
  readonly items: readonly SyncItem[];
  /** Empty where names are not meant. */
  readonly journalPath: string;
  readonly tickets: readonly SyncTicket[];
}

/** How a sync ended: what it could not do is left to the front, with its tickets. */
export interface SyncReport {
  readonly items: readonly {
    readonly inode: number;
    /** How long its log is now; undefined when it failed, and why. */
    readonly logBytes?: number;
    readonly failure?: { readonly errno: number; readonly message: string };
    /** The disk refused bytes of its spill file, and won't tell of them again. */
    readonly isSpillRefused?: boolean;
  }[];
  /** Why names are not safe, where they aren't. */
  readonly namesFailure?: { readonly errno: number; readonly message: string };
}

/** Jobs whose files may have moved (landed, come back) between the asking and the doing. */
export type MovableJob = Extract<ReaderJob, { readonly kind: 'read-pieces' | 'read-landed' }>;

/** Copy a whole file into memory so that it can be written; the front goes on when it is told `staged`. */
export type StageJob = {
  readonly kind: 'stage';
  readonly node: number;
  readonly stagedPath: string;
  readonly sizeBytes: number;
  readonly from:
    | { readonly kind: 'verbatim'; readonly path: string }
    | { readonly kind: 'rendered'; readonly node: number }
    | {
        readonly kind: 'landed';
        readonly inode: number;
        readonly version: number;
        readonly record: LandingRecord;
      };
};

/** Requests on documents, which the main thread answers on the device itself. */
export type DocumentJob = Ticket & {
  readonly kind: 'document';
  readonly node: number;
  readonly request:
    | { readonly op: 'lookup' }
    | { readonly op: 'getattr' }
    | { readonly op: 'open' }
    | {
        readonly op: 'read';
        readonly handle: bigint;
        readonly offsetBytes: number;
        readonly sizeBytes: number;
      }
    | { readonly op: 'release'; readonly handle: bigint };
};

/** What the front tells the main thread. */
export type FrontNotice =
  | DocumentJob
  /** Write a document's text to a file, so that it can be written; to be answered `staged`. */
  | { readonly kind: 'stage-document'; readonly node: number; readonly stagedPath: string }
  | { readonly kind: 'sealed'; readonly inode: number }
  | { readonly kind: 'unsealed'; readonly inode: number }
  | { readonly kind: 'moved'; readonly inode: number }
  | { readonly kind: 'abandoned'; readonly abandoned: Abandoned }
  /** Get the disk to take these bytes of a file; to be answered `flushed`. */
  | {
      readonly kind: 'flush';
      readonly path: string;
      readonly inode: number;
      readonly offsetBytes: number;
      readonly spanBytes: number;
      /** To be named in the answer. */
      readonly sizeBytes: number;
    }
  /** Answer a WRITE once this time has passed. */
  | (Ticket & {
      readonly kind: 'answer-write';
      readonly writtenBytes: number;
      readonly delayMs: number;
    })
  /** A large file has grown while it is written. */
  | { readonly kind: 'growing'; readonly inode: number }
  /** The bytes of a file that somebody works on ahead are gone. */
  | { readonly kind: 'growing-gone'; readonly inode: number }
  /** Written files have come to hold much memory. */
  | { readonly kind: 'pressed' }
  | { readonly kind: 'source-changed'; readonly node: number }
  /** The kernel reads a finished render of the file from here on. */
  | { readonly kind: 'passed-through'; readonly node: number }
  /** All of a file that is put together was asked for. */
  | { readonly kind: 'read-whole'; readonly node: number }
  /** Somebody waits for a node's size or names, which are not known yet; to be answered `measured`. */
  | { readonly kind: 'measure'; readonly node: number }
  | { readonly kind: 'failed'; readonly path: string; readonly message: string };
