import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResolvedDefinition } from '../config/daemon-spec.ts';
import { syncFile, syncFolderOf } from '../core/storage.ts';
import type { LandingOwner } from '../materializer/output-owners.ts';

const FILE = 'owner';
const ID = /^[0-9a-f]{16}$/;

/**
 * Who lands the files of a mount: the same for as long as its state is there, wherever and with whatever flags it is
 * mounted. @throws the system's error when the state folder can't be written.
 */
export function landingOwner({ state, mountpoint, source }: ResolvedDefinition): LandingOwner {
  const path = join(state, FILE);
  const known = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  // A damaged one is given up: what it landed is then another mount's, so nothing replaces it by mistake.
  const id = ID.test(known) ? known : randomBytes(8).toString('hex');
  if (id !== known) {
    writeFileSync(`${path}.new`, `${id}\n`, { mode: 0o600 });
    syncFile(`${path}.new`);
    renameSync(`${path}.new`, path);
    syncFolderOf(path);
  }
  return { id, mountpoint, source, stateFolder: state };
}
