import type { Change } from '../changes/change-list.ts';
import type { WrittenState } from '../changes/written-state.ts';
import type { ErrorDocument } from '../control/protocol.ts';
import type { Negotiated } from '../fuse/negotiation.ts';
import type { HookOrigin } from '../model/file-origin.ts';
import type { LandingRecord } from '../overlay/inode.ts';
import type { MovedFile } from '../overlay/landing-book.ts';
import type { SealedFile } from '../overlay/sealed-files.ts';
import type { SharedTree } from '../tree/shared-tree.ts';
import type { FrontNotice, MovableJob, SyncReport, Ticket } from '../vfs/jobs.ts';

/** Which version of which file a rule worked on. */
export interface HookSource {
  /** Under which name: its outputs are named after it. */
  readonly mountPath: string;
  readonly inode: number;
  readonly version: number;
  readonly rule: string;
}

/** A finished output, waiting in the staging folder. */
export interface StagedOutput {
  readonly mountPath: string;
  readonly stagedPath: string;
}

/** A name that came to be without the kernel knowing. */
export interface ChangedName {
  readonly parent: number;
  readonly name: string;
}

/** Whether a finished render of a file that is to be opened is kept, and where. */
export interface FoundRender extends Ticket {
  readonly node: number;
  readonly path?: string;
}

/** What came of giving up changes: all of them, or none and why. */
export interface DiscardAnswer {
  readonly discarded: readonly Pick<Change, 'kind' | 'type' | 'path' | 'from'>[];
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
  /** Names that show something else than before. */
  readonly changed: readonly ChangedName[];
}

/** What came of bringing an earlier state back: all of it, or none and why; or what must be brought beforehand. */
export interface RestoreAnswer {
  readonly gone: readonly Pick<Change, 'kind' | 'type' | 'path' | 'from'>[];
  readonly come: readonly Pick<Change, 'kind' | 'type' | 'path' | 'from'>[];
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
  /** Names that show something else than before. */
  readonly changed: readonly ChangedName[];
  /** Files whose bytes are not where they can be taken from; nothing was changed then. */
  readonly needed: readonly NeededFile[];
}

/** A file of a revision, by its number in it. */
export interface NeededFile {
  readonly inode: number;
  readonly record: LandingRecord;
  /** Nanoseconds since 1970, as decimal text. */
  readonly mtimeNs: string;
}

/** Main thread to front. A `token` comes back in the answer. */
export type ToFront =
  | { readonly type: 'staged'; readonly node: number; readonly errno: number }
  | { readonly type: 'failed'; readonly job: MovableJob; readonly errno: number; readonly message: string }
  | { readonly type: 'synced'; readonly report: SyncReport }
  /** Serve no more requests: what is being written is whole as it is. Questions are answered still. */
  | { readonly type: 'end' }
  | { readonly type: 'list-sealed'; readonly token: number }
  | { readonly type: 'sealed-file'; readonly token: number; readonly inode: number }
  /** A file that is being written, for whoever stages it ahead. */
  | { readonly type: 'growing-file'; readonly token: number; readonly inode: number }
  | {
      readonly type: 'landed';
      readonly token: number;
      readonly items: readonly {
        readonly inode: number;
        readonly version: number;
        readonly record: LandingRecord;
      }[];
    }
  | {
      readonly type: 'publish';
      readonly token: number;
      readonly source: HookSource;
      readonly outputs: readonly StagedOutput[];
      readonly hook: HookOrigin;
    }
  | { readonly type: 'list-moved'; readonly token: number }
  | {
      readonly type: 'relanded';
      readonly token: number;
      readonly inode: number;
      readonly version: number;
      readonly record: LandingRecord;
    }
  /** An abandoned landing is gone from the output folder. */
  | { readonly type: 'cleared'; readonly id: number }
  | ({ readonly type: 'hook-ended' } & Omit<HookSource, 'mountPath'>)
  /** The plate was found changed. */
  | { readonly type: 'adopt'; readonly token: number; readonly part: number; readonly shared: SharedTree }
  /** The files of which a finished render may be kept, in place of those known before. */
  | { readonly type: 'renders'; readonly nodes: readonly number[] }
  /** A reader has looked whether a finished render is kept and good. */
  /** From a reader. */
  | { readonly type: 'render-found'; readonly found: FoundRender }
  /** A node that somebody waits for is measured, or could not be. */
  | { readonly type: 'measured'; readonly node: number; readonly errno: number }
  /** A {@link FrontNotice} `flush` is done, or failed. */
  | {
      readonly type: 'flushed';
      readonly inode: number;
      readonly sizeBytes: number;
      readonly hasFailed: boolean;
    }
  /** Written files may take so much memory from now on, unless they hold more. */
  | { readonly type: 'set-budget'; readonly token: number; readonly budgetBytes: number }
  /** Move open files that were not written since then to disk, as far as one request may wait for. */
  | {
      readonly type: 'spill';
      readonly token: number;
      readonly bytes: number;
      readonly restingSinceMs: number;
    }
  /** Revisions were made or dropped. */
  | { readonly type: 'revisions' }
  | { readonly type: 'written'; readonly token: number }
  /** Give up what was written at and below paths of the mount. */
  | {
      readonly type: 'discard';
      readonly token: number;
      readonly paths: readonly string[];
      readonly force: boolean;
    }
  /** Bring paths back as they were in a revision. `staged` names files of it that lie in the restoring folder. */
  | {
      readonly type: 'restore';
      readonly token: number;
      readonly revision: number;
      readonly paths: readonly string[];
      readonly force: boolean;
      readonly staged: readonly number[];
    }
  | { readonly type: 'usage'; readonly token: number };

/** Front to main thread. */
export type FromFront =
  | {
      readonly type: 'open';
      readonly tornBytes: number;
      readonly lost: readonly string[];
      /** Stretches of files that had been safe on disk and can't be read any more. */
      readonly damaged: readonly string[];
      /** Names that a daemon before this one may not have told the kernel of. */
      readonly published: readonly ChangedName[];
      readonly reservedBytes: number;
      /** Every file there is; later ones have numbers from `nextInode` on. */
      readonly files: readonly number[];
      readonly nextInode: number;
    }
  | { readonly type: 'negotiated'; readonly negotiated: Negotiated }
  | { readonly type: 'unmounted' }
  | { readonly type: 'readers-wanted'; readonly count: number }
  | { readonly type: 'notice'; readonly notice: FrontNotice }
  | FrontAnswer;

export type FrontAnswer =
  | {
      readonly type: 'sealed-files';
      readonly token: number;
      readonly files: readonly SealedFile[];
      readonly reservedBytes: number;
    }
  | { readonly type: 'sealed-file'; readonly token: number; readonly file?: SealedFile }
  /** No file where it is closed, gone, or written past us. */
  | { readonly type: 'growing-file'; readonly token: number; readonly file?: SealedFile }
  | {
      readonly type: 'moved-files';
      readonly token: number;
      readonly files: readonly MovedFile[];
    }
  | {
      readonly type: 'relanded';
      readonly token: number;
      readonly accepted: boolean;
      /** Where the file lies when the new landing was refused. */
      readonly present?: LandingRecord;
    }
  | {
      readonly type: 'landed';
      readonly token: number;
      /** Files that changed meanwhile; what they landed was abandoned. */
      readonly refused: readonly number[];
      readonly reservedBytes: number;
      /** Why refused landings could not be noted, where that is the reason. */
      readonly failure?: string;
    }
  | {
      readonly type: 'published';
      readonly token: number;
      readonly accepted: boolean;
      readonly changed: readonly ChangedName[];
      readonly failure?: string;
    }
  | { readonly type: 'adopted'; readonly token: number }
  | { readonly type: 'written'; readonly token: number; readonly state: WrittenState }
  | ({ readonly type: 'restore'; readonly token: number; readonly failure?: ErrorDocument } & RestoreAnswer)
  /** `failure`: nothing was given up, and this is why. */
  | ({ readonly type: 'discard'; readonly token: number; readonly failure?: ErrorDocument } & DiscardAnswer)
  | {
      readonly type: 'usage';
      readonly token: number;
      readonly reservedBytes: number;
      /** Of these, memory of files that are closed and have not landed. */
      readonly sealedBytes: number;
      /** Files that are closed and have not landed, and the bytes in them. */
      readonly waiting: { readonly files: number; readonly sizeBytes: number };
      readonly openForWriting: number;
    }
  | { readonly type: 'budget-set'; readonly token: number; readonly accepted: boolean }
  | { readonly type: 'spilled'; readonly token: number; readonly freedBytes: number };
