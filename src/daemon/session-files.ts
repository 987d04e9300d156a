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
import { type NamedPart, numberParts, presentParts } from './session-parts.ts';
import { SessionTree } from './session-tree.ts';

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

/** What a daemon begins with, of one part of the mount. */
export interface OpenedPart {
  readonly number: number;
  /** As {@link SharedPart.name}. */
  readonly name: string;
  readonly session: SessionTree;
  readonly shared: SharedTree;
  /** The tree that the kernel knows, where the last daemon did not come to tell it of `shared`. */
  readonly untold?: SharedTree;
  /** Nobody knows whether the plate is still as it was indexed. */
  readonly isDoubtful: boolean;
}

interface OpenOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/**
 * Everything mounted as threads share it, the root first. A daemon that takes over a connection shows what its
 * predecessor showed: the kernel holds its node numbers. @throws a typed error when the source can't be read.
 */
export async function openSessionParts(
  spec: DaemonSpec,
  folders: OverlayFolders,
  resumed: boolean,
  options: OpenOptions,
): Promise<OpenedPart[]> {
  const { state } = folders;
  if (resumed)
    return [{ number: 0, name: '' }, ...presentParts(state)].map((part) => {
      const session = new SessionTree(state, part.number);
      return { ...part, session, ...session.resume(), isDoubtful: true };
    });
  const first = await openPart(spec, folders, { number: 0, name: '' }, options);
  const { scope, rootPath } = first.shared.index;
  const parts = numberParts(state, scope?.kind === 'folder' ? scope.plates : []);
  const opened = [first];
  for (const part of parts)
    opened.push(await openPart(spec, folders, part, options, `${rootPath}/${part.name}`));
  return opened;
}

async function openPart(
  { definition, recognised, cacheFolder }: DaemonSpec,
  folders: OverlayFolders,
  { number, name }: NamedPart,
  options: OpenOptions,
  folder?: string,
): Promise<OpenedPart> {
  let toldMs = 0;
  const { profile, float64, ngff } = definition.options;
  const shownFor = {
    ...(profile === undefined ? {} : { profile }),
    ...(float64 === 'float32' ? { float64As: float64 } : {}),
  };
  const { index } = await openPlate(folder ?? definition.source, {
    signal: options.signal,
    ...(definition.layout === undefined ? {} : { layout: definition.layout }),
    ...(recognised === undefined || folder !== undefined ? {} : { recognised }),
    mountpoint: definition.mountpoint,
    followLinks: definition.options.followLinks ?? false,
    cacheDir: indexFolder(cacheFolder),
    sourceOptions: shownFor,
    log: logEvent,
    onProgress: ({ files }) => {
      if (Date.now() - toldMs < PROGRESS_EVERY_MS) return;
      toldMs = Date.now();
      options.onProgress(`indexing${name === '' ? '' : ` ${name}`}: ${files} files`);
    },
  });
  const { mountpoint } = definition;
  const names = definition.names ?? profileRules(profile).names;
  const held = await holdUnfinished(index);
  const shared = shareTree(held.index, mountedAtMs(folders, false), {
    mountpoint: name === '' ? mountpoint : `${mountpoint}/${name}`,
    missing: definition.options.missing ?? 'zeros',
    ...(names === undefined || index.scope ? {} : { names }),
    ...shownFor,
    ...(ngff === undefined ? {} : { ngff }),
  });
  const session = new SessionTree(folders.state, number);
  session.begin(shared);
  return { number, name, session, shared, isDoubtful: held.waiting > 0 };
}
