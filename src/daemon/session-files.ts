/** What the daemons of one connection hand down to each other in files: how many there were, and when it began. */
import { appendFileSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import { profileRules } from '../model/profile.ts';
import type { OverlayFolders } from '../overlay/open-overlay.ts';
import { indexFolder } from '../tree/index-cache.ts';
import { openPlate } from '../tree/open-plate.ts';
import { type SharedTree, shareTree } from '../tree/shared-tree.ts';
import { logEvent } from './log.ts';
import { holdUnfinished } from './plane-completeness.ts';
import type { SessionTree } from './session-tree.ts';

/** Counts this daemon. @returns how often one took over on this connection; 0 for its first. */
export function countResumes(folders: OverlayFolders, resumed: boolean): number {
  const path = join(folders.memory, 'resumes');
  if (!resumed) {
    rmSync(path, { force: true });
    return 0;
  }
  appendFileSync(path, '.');
  return statSync(path).size;
}

/** When the connection began, in milliseconds since 1970: every daemon of it shows the same times. */
function mountedAtMs(folders: OverlayFolders, resumed: boolean): number {
  const path = join(folders.memory, 'mounted');
  if (!resumed || !existsSync(path)) writeFileSync(path, '');
  return statSync(path).mtimeMs;
}

const PROGRESS_EVERY_MS = 250;

/** What a daemon begins with. */
export interface OpenedTree {
  readonly shared: SharedTree;
  /** The tree that the kernel knows, where the last daemon did not come to tell it of `shared`. */
  readonly untold?: SharedTree;
  /** Nobody knows whether the plate is still as it was indexed. */
  readonly isDoubtful: boolean;
}

/**
 * The plate as threads share it. A daemon that takes over a connection shows what its predecessor showed: the
 * kernel holds its node numbers. @throws a typed error when the plate can't be read.
 */
export async function openSessionTree(
  spec: DaemonSpec,
  folders: OverlayFolders,
  session: SessionTree,
  resumed: boolean,
  options: { readonly signal: AbortSignal; readonly onProgress: (text: string) => void },
): Promise<OpenedTree> {
  if (resumed) return { ...session.resume(), isDoubtful: true };
  let toldMs = 0;
  const { index } = await openPlate(spec.definition.source, {
    signal: options.signal,
    ...(spec.definition.layout === undefined ? {} : { layout: spec.definition.layout }),
    ...(spec.recognised === undefined ? {} : { recognised: spec.recognised }),
    mountpoint: spec.definition.mountpoint,
    followLinks: spec.definition.options.followLinks ?? false,
    cacheDir: indexFolder(spec.cacheFolder),
    log: logEvent,
    onProgress: ({ files }) => {
      if (Date.now() - toldMs < PROGRESS_EVERY_MS) return;
      toldMs = Date.now();
      options.onProgress(`indexing: ${files} files`);
    },
  });
  const { profile, float64, ngff } = spec.definition.options;
  const names = spec.definition.names ?? profileRules(profile).names;
  const held = await holdUnfinished(index);
  const shared = shareTree(held.index, mountedAtMs(folders, false), {
    mountpoint: spec.definition.mountpoint,
    missing: spec.definition.options.missing ?? 'zeros',
    ...(names === undefined ? {} : { names }),
    ...(profile === undefined ? {} : { profile }),
    ...(float64 === 'float32' ? { float64As: float64 } : {}),
    ...(ngff === undefined ? {} : { ngff }),
  });
  session.begin(shared);
  return { shared, isDoubtful: held.waiting > 0 };
}
