import { readdir, realpath, stat } from 'node:fs/promises';
import { CancelledError, UnreadableSourceError } from '../../core/errors.ts';
import type { IndexOptions } from '../../formats.ts';
import { KnownListings } from './known-listings.ts';
import { isForbiddenLink, type LinkRules } from './plate-links.ts';
import { joinPath } from './plate-path.ts';

/** One directory as it was read: entries sorted by name. */
export interface WalkedDirectory {
  /** Number of the directory above, 0 for the root. */
  readonly parent: number;
  readonly name: string;
  /** Path below the root, '' for the root. */
  readonly path: string;
  readonly mtimeMs: number;
  readonly inode: bigint;
  /** Device and inode. */
  readonly identity: string;
  readonly files: readonly string[];
  readonly directories: readonly string[];
  /** Names that are not UTF-8 and so can't be shown or opened by name. */
  readonly undecodable: readonly string[];
  /** Pipes, sockets and devices: never opened. */
  readonly special: readonly string[];
  /** Links that lead out of the plate and are not followed. */
  readonly escaping: readonly string[];
  /** Set when the directory could not be read; it is then empty. */
  readonly failure?: Error;
}

/** Directories read at a time: hides the latency of network disks. */
const CONCURRENCY = 8;
const MAX_DEPTH = 24;

export interface DirectoryListing {
  readonly files: string[];
  readonly directories: string[];
  readonly undecodable: string[];
  readonly special: string[];
  readonly escaping: string[];
}

const emptyListing = (): DirectoryListing => ({
  files: [],
  directories: [],
  undecodable: [],
  special: [],
  escaping: [],
});

/**
 * Lists a directory. File types come with the listing; only symbolic links are looked at: those that may not be
 * followed are told apart, and those that end like an image are taken for files without a look.
 */
export async function listDirectory(path: string, rules: LinkRules = {}): Promise<DirectoryListing> {
  const entries = await readdir(path, { withFileTypes: true });
  const listing = emptyListing();
  for (const entry of entries) {
    const { name } = entry;
    if (name.includes('\uFFFD')) listing.undecodable.push(name);
    else if (entry.isFile()) listing.files.push(name);
    else if (entry.isDirectory()) listing.directories.push(name);
    else if (entry.isSymbolicLink()) {
      if (await isForbiddenLink(rules, `${path}/${name}`)) listing.escaping.push(name);
      else if (/\.tiff?$/i.test(name)) listing.files.push(name);
      else if (await leadsToDirectory(`${path}/${name}`)) listing.directories.push(name);
      else listing.files.push(name);
    } else listing.special.push(name);
  }
  return listing;
}

async function leadsToDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // A dangling link is shown as a file; opening it gives the system's own error.
    return false;
  }
}

/** A directory that has been found, not yet read. */
interface Found {
  readonly path: string;
  readonly parent: number;
  readonly name: string;
  readonly depth: number;
}

async function readOne(
  root: string,
  { path, parent, name, depth }: Found,
  known: KnownListings | undefined,
  rules: LinkRules,
): Promise<WalkedDirectory> {
  const absolute = path === '' ? root : `${root}/${path}`;
  try {
    if (depth > MAX_DEPTH) throw new Error(`folders are nested more than ${MAX_DEPTH} deep`);
    // The time is taken before the listing, so that a change during it is seen as one afterwards.
    const { mtimeNs, ino, dev } = await stat(absolute, { bigint: true });
    const mtimeMs = Number(mtimeNs) / 1e6;
    const listing = known?.listing(path, mtimeMs, ino) ?? (await listDirectory(absolute, rules));
    listing.files.sort();
    listing.directories.sort();
    return { parent, name, path, mtimeMs, inode: ino, identity: `${dev}:${ino}`, ...listing };
  } catch (cause) {
    const failure = new UnreadableSourceError(absolute, "can't be listed", {
      cause,
      advice: 'check its permissions',
    });
    return { parent, name, path, mtimeMs: 0, inode: 0n, identity: '', ...emptyListing(), failure };
  }
}

/**
 * Walks a tree level by level. Directories are numbered in the order they are yielded, so parents come before
 * children and the children of one directory are contiguous. A link that leads back to a directory above it is
 * yielded without its content; links out of the plate are left aside unless they are to be followed. Directories
 * that are as they were in the `previous` index are not read again.
 * `enter` says which of a directory's folders to walk; all of them unless given.
 * @throws CancelledError, UnreadableSourceError when the root itself can't be listed.
 */
export async function* walkPlate(
  root: string,
  signal: AbortSignal,
  { previous, followLinks = false, mountpoint: avoid }: IndexOptions = {},
  enter: (directory: WalkedDirectory) => readonly string[] = ({ directories }) => directories,
): AsyncGenerator<WalkedDirectory> {
  const known = previous && KnownListings.of(previous);
  const rules: LinkRules = {
    ...(followLinks ? {} : { insideOf: await realRoot(root) }),
    ...(avoid === undefined ? {} : { avoid }),
  };
  const queue: Found[] = [{ path: '', parent: 0, name: '', depth: 0 }];
  const identities: string[] = [];
  const pending: Promise<WalkedDirectory>[] = [];
  let started = 0;
  for (let done = 0; done < queue.length; done += 1) {
    if (signal.aborted) throw new CancelledError('indexing was cancelled');
    for (; started < queue.length && started < done + CONCURRENCY; started += 1) {
      const found = queue[started];
      if (found) pending.push(readOne(root, found, known, rules));
    }
    const next = await pending.shift();
    if (!next) return;
    if (next.failure && done === 0) throw next.failure;
    identities.push(next.identity);
    if (next.failure === undefined && leadsUpwards(queue, identities, done)) {
      yield { ...next, ...emptyListing() };
      continue;
    }
    yield next;
    const depth = (queue[done]?.depth ?? 0) + 1;
    for (const name of enter(next))
      queue.push({ path: joinPath(next.path, name), parent: done, name, depth });
  }
}

async function realRoot(root: string): Promise<string> {
  try {
    return await realpath(root);
  } catch (cause) {
    throw new UnreadableSourceError(root, "can't be listed", { cause, advice: 'check its permissions' });
  }
}

/** True when directory `number` is the same as one above it. */
function leadsUpwards(queue: readonly Found[], identities: readonly string[], number: number): boolean {
  for (let at = number; at !== 0; ) {
    at = queue[at]?.parent ?? 0;
    if (identities[at] === identities[number]) return true;
  }
  return false;
}
