/** What the daemons of one connection hand down to each other in files: how many there were, and when it began. */
import { appendFileSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import { shownFor } from '../model/indexed-source.ts';
import type { OverlayFolders } from '../overlay/open-overlay.ts';
import { type SharedTree, shareTree } from '../tree/shared-tree.ts';
import { type FoundPart, type OpenOptions, openAll } from './opened-parts.ts';
import { holdUnfinished } from './plane-completeness.ts';
import { keepOutputFormat } from './session-format.ts';
import { keepKind } from './session-kind.ts';
import { numberParts, presentParts } from './session-parts.ts';
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
  if (!resumed || !existsSync(path)) writeFileSync(path, '', { mode: 0o600 });
  return statSync(path).mtimeMs;
}

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

/**
 * Everything mounted as threads share it, the root first. A daemon that takes over a connection shows what its
 * predecessor showed: the kernel holds its node numbers. @throws a typed error when a source can't be read.
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
  const found = await openAll(spec, options);
  const [root, ...others] = found;
  if (root) keepKind(folders, root.index);
  keepOutputFormat(state, spec.definition.options.landing);
  const numbers = numberParts(
    state,
    others.map(({ name }) => name),
  );
  const parts = [{ number: 0, name: '' }, ...numbers];
  return await Promise.all(found.map((one, i) => beginPart(spec, folders, parts[i]?.number ?? 0, one)));
}

async function beginPart(
  { definition }: DaemonSpec,
  folders: OverlayFolders,
  number: number,
  { name, names, index }: FoundPart,
): Promise<OpenedPart> {
  const { mountpoint } = definition;
  const { ngff } = definition.options;
  const held = await holdUnfinished(index);
  const shared = shareTree(held.index, mountedAtMs(folders, false), {
    mountpoint: name === '' ? mountpoint : `${mountpoint}/${name}`,
    missing: definition.options.missing ?? 'zeros',
    ...(names === undefined || index.scope ? {} : { names }),
    ...shownFor(definition.options),
    ...(ngff === undefined ? {} : { ngff }),
  });
  const session = new SessionTree(folders.state, number);
  session.begin(shared);
  return { number, name, session, shared, isDoubtful: held.waiting > 0 };
}
