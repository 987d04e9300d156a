import type { MountDefinition } from '../model/mount-definition.ts';
import type { RecognisedPlate } from '../model/plate.ts';
import type { ColdCache } from '../renders/render-folder.ts';

/** Everything a daemon must be told; plain data. All paths are absolute. */
export interface DaemonSpec {
  readonly definition: ResolvedDefinition;
  /** Where its control socket is to be. */
  readonly socketPath: string;
  /** Folder of the list of mounts (`MountRegistry`). */
  readonly registryFolder: string;
  /** For indices and other things that can be made again. */
  readonly cacheFolder: string;
  /** Where finished renders are kept; absent where none are. */
  readonly coldCache?: ColdCache;
  /**
   * What was recognised before it was mounted, by its folder of the mount ('' for the root); at what isn't there the
   * daemon looks itself.
   */
  readonly recognised?: Readonly<Record<string, RecognisedPlate>>;
  /** ISO 8601; when the mount was asked for. */
  readonly startedAt: string;
}

/** A definition in which every folder is decided. */
export type ResolvedDefinition = MountDefinition &
  Required<Pick<MountDefinition, 'mountpoint' | 'output' | 'state'>>;
