import type { LandingFormat } from './landing-format.ts';
import type { NgffVersion } from './ngff.ts';
import type { Profile } from './profile.ts';

/** One step of a hook rule: which operation, and its parameters as the definition gives them. */
export interface HookStep {
  /** Hook id: `gaussian`. */
  readonly hook: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Name the outputs refer to; the hook's id unless the definition says otherwise. Unique in the rule. */
  readonly name: string;
}

/** What to do when a written file is closed. */
export interface HookRule {
  readonly name: string;
  /** Glob over paths below the mount's root: `inbox/*.tif`. */
  readonly on: string;
  readonly steps: readonly HookStep[];
  /**
   * Step name → path template below the mount's root. Placeholders: `{dir} {stem} {ext} {name}` of the input,
   * and, where its name is canonical, `{well} {site} {channel} {z} {t}`. An array becomes a TIFF, a table a CSV.
   */
  readonly outputs: Readonly<Record<string, string>>;
}

/**
 * `plate`: as a plate or not at all; `sources`: by what its files and stores hold, a folder for each, also where the
 * whole could be taken for a plate.
 */
export const SHOWN_AS = ['plate', 'sources'] as const;
export type ShownAs = (typeof SHOWN_AS)[number];

/** One of several sources of a mount. */
export interface MountSource {
  /** Absolute path, or an URL. */
  readonly path: string;
  /** The folder of the mount it becomes; no other source has the same. */
  readonly name: string;
  /** As in {@link MountDefinition}; the definition's where it is a plate and says nothing itself. */
  readonly names?: string;
  readonly layout?: string;
  readonly as?: ShownAs;
}

/** What `platefs mount` was asked for, from the command line or from a file in mounts/. Paths are absolute. */
export interface MountDefinition {
  /** What is mounted, a path or an URL; the definition's own file where it names several `sources`. */
  readonly source: string;
  /** Several, each a folder of the mount. */
  readonly sources?: readonly MountSource[];
  /** What the source is shown as; what it is found to be unless set. */
  readonly as?: ShownAs;
  readonly mountpoint?: string;
  /** How planes are named in images/: a style or a template; canonical unless set. */
  readonly names?: string;
  /** What the names of the plate's files say, for plates that no format recognises: a template. */
  readonly layout?: string;
  /** Where results land; `<plate>_platefs` beside the plate, or beside a definition of several, unless set. */
  readonly output?: string;
  /** Where journal and spilled bytes live; the XDG state folder unless set. */
  readonly state?: string;
  /** The branch to be mounted; `main` unless set. */
  readonly branch?: string;
  /** Bytes of memory that written files and decoded pixels may hold; chosen from the machine unless set. */
  readonly budgetBytes?: number;
  readonly hooks: readonly HookRule[];
  readonly options: MountOptions;
}

/** `auto`: events of the kernel, and polling on network disks; `poll`: polling only; `off`: the plate as it was. */
export const WATCH_MODES = ['auto', 'poll', 'off'] as const;
export type WatchMode = (typeof WATCH_MODES)[number];

/**
 * `zeros`: black in stacks, not there in plate.ome.zarr, and listed in the warnings; `error`: reading that part fails
 * with EIO.
 */
export const MISSING_MODES = ['zeros', 'error'] as const;
export type MissingMode = (typeof MISSING_MODES)[number];

/** `float64`: as they are, where a file format has them; `float32`: rounded to what more programs open. */
export const FLOAT64_MODES = ['float64', 'float32'] as const;
export type Float64Mode = (typeof FLOAT64_MODES)[number];

/**
 * After which call what was written survives power loss: `fsync` only, every `close` of a file too, or every `write`
 * too. The death of the daemon it survives in any case once the call has returned.
 */
export const DURABILITIES = ['fsync', 'close', 'write'] as const;
export type Durability = (typeof DURABILITIES)[number];

export interface MountOptions {
  /** Let other users in (needs root, or user_allow_other in /etc/fuse.conf). */
  readonly allowOther: boolean;
  /** Never use kernel passthrough, even where privileged. */
  readonly noPassthrough: boolean;
  /** Refuse every change. */
  readonly readOnly: boolean;
  /** Number of reader threads; chosen from the machine unless set. */
  readonly readers?: number;
  /** Follow links of the plate that lead out of it. */
  readonly followLinks?: boolean;
  /** How a plate that still grows is followed; `auto` unless set. */
  readonly watch?: WatchMode;
  /** After which call what was written survives power loss; `fsync` unless set. */
  readonly durability?: Durability;
  /** The program that the mount is made for. */
  readonly profile?: Profile;
  /** What float64 planes are shown as in stacks; as they are unless set. */
  readonly float64?: Float64Mode;
  /** What a stack shows where the plate lacks a plane; `zeros` unless set. */
  readonly missing?: MissingMode;
  /** Version of OME-NGFF that `plate.ome.zarr` follows; 0.4 (Zarr v2) unless set. */
  readonly ngff?: NgffVersion;
  /** How the store is written that results land in. */
  readonly landing?: LandingFormat;
  /** Bytes of finished renders kept on disk; 0 for none; the environment's word, else the default, unless set. */
  readonly coldCacheBytes?: number;
  /** Bytes of memory for files that were read whole; a quarter of the budget at most; none unless set. */
  readonly hotCacheBytes?: number;
  /** Written files up to this size stay in memory until they land; 16 MiB unless set. */
  readonly smallFileBytes?: number;
  /** Written files that grow beyond this go to disk while they are written; by the budget unless set. */
  readonly largeFileBytes?: number;
  /** What may be kept on disk for revisions alone; 10 GiB unless set. */
  readonly revisionQuotaBytes?: number;
}
