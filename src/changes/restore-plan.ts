import type { Place } from '../overlay/inode.ts';
import { isFile, isOverlayNode, type LandedBytes, type OverlayInode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import { type Namespace, WHITEOUT } from '../overlay/namespace.ts';
import type { OverlayRecord } from '../overlay/records.ts';
import { type Change, changesOf, lowerPlace } from './change-list.ts';
import { isAtOrBelow } from './chosen-changes.ts';
import { type DiscardPlan, discardOf, placeKey } from './discard-plan.ts';

/** What leads from the present state of paths to an earlier one. */
export interface RestorePlan {
  /** Present changes that go. */
  readonly gone: readonly Change[];
  /** Changes that come back. */
  readonly come: readonly Change[];
  /** To be carried out at once; inodes are numbered from the present state's next one on. */
  readonly records: readonly OverlayRecord[];
  /** Files that are made: their new numbers, and what they were. */
  readonly files: readonly {
    readonly inode: number;
    readonly was: OverlayInode;
    readonly landed: LandedBytes;
  }[];
  /** Names that show something else afterwards. */
  readonly changed: readonly Place[];
  /** What stands in the way; nothing may be changed while something does. */
  readonly obstacles: DiscardPlan['obstacles'];
}

const sameBytes = (one: Uint8Array, other: Uint8Array | undefined): boolean =>
  other !== undefined && Buffer.from(one).equals(other);

function sameInode(now: OverlayInode | undefined, was: OverlayInode | undefined): boolean {
  if (!now || !was || now.number !== was.number) return false;
  if (now.mode !== was.mode || now.uid !== was.uid || now.gid !== was.gid || now.target !== was.target)
    return false;
  const marks = [...(now.xattrs ?? [])];
  if (marks.length !== (was.xattrs?.size ?? 0)) return false;
  if (!marks.every(([name, value]) => sameBytes(value, was.xattrs?.get(name)))) return false;
  return !isFile(now) || (now.landed !== undefined && now.landed.record['id'] === was.landed?.record['id']);
}

const isChosen = ({ path, from }: Change, paths: readonly string[]): boolean =>
  paths.some((above) => isAtOrBelow(path, above) || (from !== undefined && isAtOrBelow(from, above)));

/** Changes that both states have: they stay as they are. */
function sameChanges(
  now: Namespace,
  was: Namespace,
  chosen: readonly Change[],
  wanted: readonly Change[],
): Set<string> {
  const before = new Map(wanted.map((change) => [placeKey(change.place), change]));
  const same = new Set<string>();
  const sameFolders = new Set<number>();
  for (const change of chosen) {
    const key = placeKey(change.place);
    const earlier = before.get(key);
    const { inode } = change;
    if (!earlier || (isOverlayNode(change.place.parent) && !sameFolders.has(change.place.parent))) continue;
    const isSame =
      inode === undefined
        ? earlier.inode === undefined && earlier.kind === change.kind && earlier.tree === change.tree
        : earlier.inode === inode && sameInode(now.inodes.get(inode), was.inodes.get(inode));
    if (!isSame) continue;
    same.add(key);
    if (inode !== undefined) sameFolders.add(inode);
  }
  return same;
}

/**
 * Pure: how everything at and below paths becomes what it was in an earlier state over the same tree.
 * @param atMs the wall clock.
 */
export function planRestore(
  now: Namespace,
  lower: LowerTree,
  was: Namespace,
  paths: readonly string[],
  atMs: number,
): RestorePlan {
  const all = changesOf(now, lower);
  const chosen = all.filter((change) => isChosen(change, paths));
  const wanted = changesOf(was, lower).filter((change) => isChosen(change, paths));
  const same = sameChanges(now, was, chosen, wanted);
  const gone = chosen.filter(({ place }) => !same.has(placeKey(place)));
  const come = wanted.filter(({ place }) => !same.has(placeKey(place)));
  const isWhole = paths.includes('');
  const discard = discardOf(now, lower, all, gone);
  const going = new Set(discard.places.map(placeKey));
  const stays = new Set(
    chosen.flatMap(({ place, inode }) => (inode !== undefined && same.has(placeKey(place)) ? [inode] : [])),
  );
  const builder = new Builder(now, lower, was, going, all, stays, atMs);
  for (const change of come) builder.add(change);
  const obstacles = isWhole ? [] : [...discard.obstacles, ...builder.obstacles, ...folders(come)];
  const reveals = discard.places.filter((place) => !same.has(placeKey(place)));
  const records: OverlayRecord[] = [
    { op: 'revealed', places: reveals, at: atMs },
    ...builder.records,
    ...builder.times,
  ];
  const changed = new Map([...reveals, ...builder.places].map((place) => [placeKey(place), place]));
  return { gone, come, records, files: builder.files, changed: [...changed.values()], obstacles };
}

/** A folder of the source that was renamed may take along what is not asked for. */
const folders = (come: readonly Change[]): DiscardPlan['obstacles'] =>
  come
    .filter(({ kind, inode, type }) => kind === 'renamed' && inode === undefined && type === 'folder')
    .map(({ path }) => ({
      path,
      reason: 'a folder of the source had this name; restore everything instead',
    }));

/** Puts records together, folders before what lies in them. */
class Builder {
  readonly #now: Namespace;
  readonly #lower: LowerTree;
  readonly #was: Namespace;
  readonly #going: ReadonlySet<string>;
  readonly #atMs: number;
  readonly #numbers = new Map<number, number>();
  /** What of the source hangs elsewhere now, by its node. */
  readonly #moved = new Map<number, Change>();
  /** What was written and stays as it is, by number. */
  readonly #stays: ReadonlySet<number>;
  #next: number;
  readonly records: OverlayRecord[] = [];
  /** Set when all is made: names that are made change times of their folders. */
  readonly #times: OverlayRecord[] = [];
  readonly files: { inode: number; was: OverlayInode; landed: LandedBytes }[] = [];
  readonly places: Place[] = [];
  readonly obstacles: { path: string; reason: string }[] = [];

  constructor(
    now: Namespace,
    lower: LowerTree,
    was: Namespace,
    going: ReadonlySet<string>,
    all: readonly Change[],
    stays: ReadonlySet<number>,
    atMs: number,
  ) {
    this.#stays = stays;
    this.#now = now;
    this.#lower = lower;
    this.#was = was;
    this.#going = going;
    this.#atMs = atMs;
    this.#next = now.nextInode;
    for (const change of all)
      if (change.kind === 'renamed' && change.inode === undefined && change.tree !== undefined)
        this.#moved.set(change.tree, change);
  }

  get times(): readonly OverlayRecord[] {
    return this.#times;
  }

  add(change: Change): void {
    const { kind, path, from, inode: number, tree } = change;
    const parent = this.#parentOf(change.place.parent, path);
    if (parent === undefined) return;
    const place = { parent, name: change.place.name };
    if (from !== undefined) this.#hide(from, path);
    if (kind === 'deleted') this.records.push({ op: 'whiteout', place });
    else if (number === undefined && tree !== undefined) {
      const elsewhere = this.#moved.get(tree);
      if (elsewhere && !this.#going.has(placeKey(elsewhere.place)))
        this.obstacles.push({ path, reason: `it is ${elsewhere.path} now; restore that too` });
      this.records.push({ op: 'placed', place, tree: this.#lower.pathOf(tree) });
    } else if (number !== undefined) this.#make(number, place);
    this.places.push(place);
  }

  /** The name that something of the source had is no more. */
  #hide(from: string, path: string): void {
    const home = lowerPlace(this.#lower, from);
    if (!home || this.#was.entries.get(home.parent)?.get(home.name)?.node !== WHITEOUT) return;
    const present = this.#now.entries.get(home.parent)?.get(home.name)?.node ?? WHITEOUT;
    if (present !== WHITEOUT && !this.#going.has(placeKey(home)))
      this.obstacles.push({
        path: from,
        reason: `it was ${path} then, and was written since; restore it too`,
      });
    this.records.push({ op: 'whiteout', place: home });
    this.places.push(home);
  }

  /** Where a folder of the earlier state is now; it is made where it is not. */
  #parentOf(parent: number, path: string): number | undefined {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (!isOverlayNode(parent)) {
      if (!isReachable(this.#now, this.#lower, parent))
        this.obstacles.push({ path: folder, reason: 'this folder was deleted since; restore it too' });
      return parent;
    }
    const known = this.#numbers.get(parent);
    if (known !== undefined) return known;
    const place = this.#now.inodes.get(parent)?.place;
    if (place && !this.#going.has(placeKey(place)) && this.#now.pathOf(parent) === folder) return parent;
    const node = walk(this.#now, folder);
    if (node !== undefined && this.#now.isDirectory(node) && !this.#isGoing(folder)) return node;
    const was = this.#was.inodes.get(parent);
    const above = was?.place && this.#parentOf(was.place.parent, folder);
    if (!was?.place || above === undefined) return undefined;
    const made = { parent: above, name: was.place.name };
    this.#make(parent, made);
    this.places.push(made);
    return this.#numbers.get(parent);
  }

  #isGoing(path: string): boolean {
    const cut = path.lastIndexOf('/');
    const parent = walk(this.#now, path.slice(0, Math.max(0, cut)));
    return parent !== undefined && this.#going.has(placeKey({ parent, name: path.slice(cut + 1) }));
  }

  #make(number: number, place: Place): void {
    const was = this.#was.inodes.get(number);
    if (!was) return;
    // One more name of a file that is there, or was made before.
    const there = this.#numbers.get(number) ?? (this.#stays.has(number) ? number : undefined);
    if (there !== undefined) {
      this.records.push({ op: 'linked', inode: there, place, at: this.#atMs });
      return;
    }
    const inode = this.#next++;
    this.#numbers.set(number, inode);
    const { mode, uid, gid, rdev, target, origin, xattrs, version, landed } = was;
    this.records.push({
      op: 'make',
      inode,
      ...place,
      mode,
      uid,
      gid,
      at: this.#atMs,
      ...(rdev === 0 ? {} : { rdev }),
      ...(target === undefined ? {} : { target }),
      ...(origin === undefined ? {} : { origin }),
    });
    for (const [name, value] of xattrs ?? [])
      this.records.push({
        op: 'xattr',
        inode,
        name,
        value: Buffer.from(value).toString('base64'),
        at: this.#atMs,
      });
    if (isFile(was) && landed) {
      // All of it lies on disk, where whoever carries this out has put it.
      this.records.push({ op: 'split', inode, splitAt: 0 }, { op: 'sealed', inode, version });
      this.files.push({ inode, was, landed });
    } else this.#times.push(timesOf(was, inode));
  }
}

/** The node at a path of the merged view. */
function walk(names: Namespace, path: string): number | undefined {
  let node: number | undefined = 1;
  if (path === '') return node;
  for (const name of path.split('/')) node = node === undefined ? undefined : names.lookup(node, name);
  return node;
}

/** Whether a folder of the tree is where its path says. */
function isReachable(names: Namespace, lower: LowerTree, folder: number): boolean {
  const path = names.pathOf(folder) ?? lower.pathOf(folder);
  return walk(names, path) === folder;
}

function timesOf({ changedNs, atimeNs, mtimeNs }: OverlayInode, inode: number): OverlayRecord {
  return {
    op: 'touched',
    inode,
    changedNs: String(changedNs),
    atimeNs: String(atimeNs),
    mtimeNs: String(mtimeNs),
  };
}
