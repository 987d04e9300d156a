/** Who holds memory of a mount. All that is said to be held counts against the budget. */
export interface MemoryDocument {
  /** What written files and decoded pixels may take together. */
  readonly budgetBytes: number;
  /** Above this closed files land in the background. */
  readonly lowMarkBytes: number;
  /** Above this decoded pixels give way, and open files that rest go to disk; lower while memory is tight. */
  readonly highMarkBytes: number;
  readonly usedBytes: number;
  /** Held by written files that are closed and have not landed. */
  readonly closedFilesBytes: number;
  /** Held by written files that programs have open. */
  readonly openFilesBytes: number;
  /** Held by pixels that reader threads keep decoded. */
  readonly decodedBytes: number;
  readonly decodedBoundBytes: number;
  /** Held by threads while they work: what the process takes beyond what it took at rest. */
  readonly workingBytes: number;
  /** Held by files that were pinned. */
  readonly pinnedBytes: number;
  /** Held by files that were read whole. */
  readonly hotBytes: number;
  /** The system is short of memory, or was a moment ago. */
  readonly isTight: boolean;
  /** Why, at the last look. */
  readonly reasons: readonly string[];
  /** The last time that memory was given up, by the rungs of the ladder. */
  readonly lastReclaim: {
    /** ISO 8601. */
    readonly at: string;
    readonly reasons: readonly string[];
    readonly steps: readonly {
      readonly rung: number;
      readonly kind: 'drop-hot' | 'shrink-decoded' | 'land-sealed' | 'spill-open' | 'drop-pins';
      readonly freedBytes: number;
    }[];
  } | null;
}

/** What the control method `status` answers. Counts and bytes of this moment. */
export interface StatusDocument {
  /** The daemon that answers. */
  readonly pid: number;
  readonly mountpoint: string;
  readonly source: string;
  /** Name and kind of the plate, for people: `plate1`, `ImageXpress: MetaXpress export with HTD`. */
  readonly plate: { readonly name: string; readonly format: string };
  readonly planes: number;
  /** Files and stores that are shown by what they hold, and how many plates; absent where one plate is mounted. */
  readonly sources?: readonly { readonly name: string; readonly title: string }[];
  readonly plates?: number;
  readonly warnings: number;
  readonly memory: MemoryDocument;
  readonly pins: PinsDocument;
  /** Files that were read whole and are kept in memory as they are; null where none are. */
  readonly hot: { readonly files: number; readonly sizeBytes: number; readonly limitBytes: number } | null;
  /** Where finished renders are kept on disk; null where none are. Shared by all mounts of the user. */
  readonly coldCache: { readonly folder: string; readonly limitBytes: number } | null;
  /** Written files that have not landed in the output folder yet. */
  readonly waiting: { readonly files: number; readonly sizeBytes: number };
  readonly hooks: { readonly running: number; readonly waiting: number; readonly failed: number };
  readonly output: string;
  readonly state: string;
  /** The folder of the list of mounts that has this one. */
  readonly registry: string;
  /** The branch that is mounted; absent for `main`. */
  readonly branch?: string;
  /** How often a new daemon took over from one that died. */
  readonly resumedCount: number;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** Files that `pin` brought to memory, by their paths below the mount. They go when memory is tight. */
export interface PinsDocument {
  readonly files: number;
  readonly sizeBytes: number;
  readonly paths: readonly string[];
}

/** Parameters of `pin`, `warm` and `drop`: paths below the mount, without a leading slash; '' is all of it. */
export interface KeepParams {
  readonly paths: readonly string[];
}

/** Progress of `pin` and `warm`. */
export interface KeepProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What `pin` and `warm` answer in the end. */
export interface KeepResult {
  /** Files rendered now. */
  readonly files: number;
  readonly sizeBytes: number;
  /** Files that were there already. */
  readonly present: number;
  /** Files that are read from the source as they lie, or cost nothing to make. */
  readonly plain: number;
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
}

/** What `drop` answers. */
export interface DropResult {
  readonly pins: number;
  readonly coldFiles: number;
  /** Files whose pages the kernel was told to drop. */
  readonly files: number;
}

/** Progress of `flush` and `drain`. */
export interface LandingProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly leftBytes: number;
}

/** What `flush` and `drain` answer in the end. */
export interface LandingResult {
  readonly files: number;
  readonly sizeBytes: number;
  /** Files that could not land and are kept for the next mount, with the reason. */
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
}

/** Parameters of `discard`: as {@link KeepParams}. */
export interface DiscardParams extends KeepParams {
  /** Also files that programs have open to write. */
  readonly force: boolean;
}

/** Parameters of `restore`. */
export interface RestoreParams extends DiscardParams {
  readonly revision: number;
}

/** Parameters of `snapshot`. */
export interface SnapshotParams {
  readonly reason: 'commit' | 'snapshot' | 'branch';
  /** What people say of it. */
  readonly message?: string;
}

/** Parameters of `drain`: write everything out, then unmount and end. */
export interface DrainParams {
  /** Detach at once from the folder tree, though programs still have files open. */
  readonly lazy: boolean;
}
