/** What the control method `status` answers. Counts and bytes of this moment. */
export interface StatusDocument {
  /** The daemon that answers. */
  readonly pid: number;
  readonly mountpoint: string;
  readonly source: string;
  /** Name and kind of the plate, for people: `plate1`, `ImageXpress: MetaXpress export with HTD`. */
  readonly plate: { readonly name: string; readonly format: string };
  readonly planes: number;
  readonly warnings: number;
  readonly overlay: { readonly usedBytes: number; readonly budgetBytes: number };
  /** Written files that have not landed in the output folder yet. */
  readonly waiting: { readonly files: number; readonly sizeBytes: number };
  readonly hooks: { readonly running: number; readonly waiting: number; readonly failed: number };
  readonly output: string;
  readonly state: string;
  /** How often a new daemon took over from one that died. */
  readonly resumedCount: number;
  /** ISO 8601. */
  readonly startedAt: string;
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

/** Parameters of `drain`: write everything out, then unmount and end. */
export interface DrainParams {
  /** Detach at once from the folder tree, though programs still have files open. */
  readonly lazy: boolean;
}
