import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { StatusDocument } from '../control/documents.ts';
import { MountRegistry } from '../control/mount-registry.ts';

/** A daemon that answers at all does so well within this. */
const READ_LIMIT_MS = 10_000;
const MAX_DOCUMENT_BYTES = 64 << 20;

/** What a mount says of itself; read by a child process, which can be killed while it waits. */
function readStatus(mountpoint: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const limits = { timeout: READ_LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_DOCUMENT_BYTES } as const;
    execFile('cat', ['--', join(mountpoint, '.platefs/status.json')], limits, (error, stdout) =>
      resolve(error ? undefined : stdout),
    );
  });
}

/**
 * The list that a mount is on which ours does not have: it was made with other folders (`XDG_RUNTIME_DIR`). The mount
 * itself tells where that is.
 * @returns undefined where the mount does not answer, or is on no list of this user.
 * @throws FsRefusal when the list it names is another user's.
 */
export async function servingRegistry(mountpoint: string): Promise<MountRegistry | undefined> {
  const text = await readStatus(mountpoint);
  if (text === undefined) return undefined;
  let folder: unknown;
  try {
    folder = (JSON.parse(text) as Partial<StatusDocument>).registry;
  } catch {
    // A mount of something else that has such a file.
    return undefined;
  }
  if (typeof folder !== 'string' || !existsSync(folder)) return undefined;
  const registry = new MountRegistry(folder);
  return registry.find(mountpoint)?.isAlive ? registry : undefined;
}
