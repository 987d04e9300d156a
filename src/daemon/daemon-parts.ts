import type { ControlServer } from '../control/control-server.ts';
import type { PlateOrigin } from '../model/file-origin.ts';
import type { Documents } from './documents.ts';
import type { FrontLink } from './front-link.ts';
import type { HookPump } from './hook-pump.ts';
import type { HotRenders } from './hot-renders.ts';
import type { Landings } from './landings.ts';
import type { LiveMount } from './live-mount.ts';
import type { LiveRevisions } from './live-revisions.ts';
import type { MountMemory } from './mount-memory.ts';
import type { Readers } from './readers.ts';
import type { RenderKeeper } from './render-keeper.ts';
import type { WriteOut } from './write-out.ts';

/**
 * What a daemon consists of, each part there from when it is made. Parts that tell each other things are made one
 * after the other, and threads talk before the last is: whoever needs one looks here when it does.
 */
export interface DaemonParts {
  front?: FrontLink;
  readers?: Readers;
  documents?: Documents;
  landings?: Landings;
  writeOut?: WriteOut;
  /** Absent where the mount has no rules. */
  hooks?: HookPump | undefined;
  plates?: LiveMount;
  /** What the plate's metadata says of the plane that a path is named after. */
  plateOf?: (mountPath: string) => PlateOrigin | undefined;
  control?: ControlServer;
  memory?: MountMemory;
  renders?: RenderKeeper;
  revisions?: LiveRevisions;
  /** Absent where no memory is set aside for it. */
  hot?: HotRenders;
}
