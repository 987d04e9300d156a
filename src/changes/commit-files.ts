import { CancelledError, explain, FsRefusal, NoSpaceError } from '../core/errors.ts';
import type { OverlayInode } from '../overlay/inode.ts';
import type { CommitItem, CommitPlan } from './commit-plan.ts';
import type { CommitTarget, FileMarks } from './commit-target.ts';
import type { FileBytes } from './written-bytes.ts';
import type { WrittenFile } from './written-state.ts';

type FileItem = Extract<CommitItem, { readonly kind: 'written' | 'source' }>;

/** What is to be written out, as it is at one moment. */
export interface CommitView extends CommitPlan {
  fileOf(inode: number): WrittenFile | undefined;
  /** @throws when the bytes can't be had. */
  bytesOf(item: FileItem): FileBytes;
}

export interface CommitProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What came of it. */
export interface CommitResult {
  readonly written: number;
  /** Bytes in the files that were written. */
  readonly sizeBytes: number;
  /** Files and links that lay there already, exactly as they are. */
  readonly present: number;
  /** What could not be written, with the reason. */
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
  /** Names that the mount has no more; they are left alone. */
  readonly gone: readonly string[];
  /** Marks that the place can't keep, and of how many files. */
  readonly unkept: Readonly<Partial<Record<'owner' | 'times' | 'xattrs' | 'mode', number>>>;
}

export interface CommitOptions {
  /** What is to be written now. Called again while files change under the copying. */
  readonly view: () => Promise<CommitView>;
  /** Other files with the same names may be replaced. */
  readonly replace: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CommitProgress) => void;
}

/** A file that is written again while it is copied is copied again so often. */
const ROUNDS = 4;
const NAMED_CONFLICTS = 5;

const isFileItem = (item: CommitItem): item is FileItem => item.kind === 'written' || item.kind === 'source';

function marksOf(inode: OverlayInode, file?: WrittenFile): FileMarks {
  const { mode, uid, gid, xattrs, mtimeNs } = inode;
  return {
    mode,
    uid,
    gid,
    mtimeNs: file ? BigInt(file.mtimeNs) : mtimeNs,
    ...(file ? { atimeNs: BigInt(file.atimeNs) } : {}),
    ...(xattrs ? { xattrs } : {}),
  };
}

/** A file of the source, as a mount shows it. */
const SOURCE_MARKS: FileMarks = { mode: 0o644 };

/**
 * Writes changes into a folder as plain files. Looks first whether another file would be lost: then nothing is written.
 * Running it again after whatever ended it goes on where it stopped.
 * @throws FsRefusal `entry-exists`; NoSpaceError; CancelledError.
 */
export async function commitFiles(target: CommitTarget, options: CommitOptions): Promise<CommitResult> {
  const { signal, onProgress } = options;
  const first = await options.view();
  if (!options.replace) await refuseConflicts(target, first, signal);
  const state = { written: new Set<string>(), present: new Set<string>(), sizes: new Map<string, number>() };
  const kept = new Map<string, string>(first.kept.map(({ path, reason }) => [path, reason]));
  const sizeOf = (view: CommitView, item: CommitItem): number =>
    item.kind === 'written' ? (view.fileOf(item.inode.number)?.sizeBytes ?? 0) : 0;
  const files = first.items.filter(isFileItem);
  const totalBytes = files.reduce((sum, item) => sum + sizeOf(first, item), 0);
  let doneBytes = 0;
  let view = first;
  let pending: readonly CommitItem[] = first.items;
  for (let round = 0; pending.length > 0 && round < ROUNDS; round++) {
    const copied = new Map<string, WrittenFile | undefined>();
    for (const item of pending) {
      kept.delete(item.path);
      const file = item.kind === 'written' ? view.fileOf(item.inode.number) : undefined;
      try {
        if (file?.isWriting) throw new FsRefusal('stale', 'a program has it open to write');
        const replace = options.replace || state.written.has(item.path);
        const outcome = await writeItem(target, view, item, file, replace, signal, (count) => {
          doneBytes += count;
          const filesDone = state.written.size + state.present.size;
          onProgress({ filesDone, filesTotal: files.length, doneBytes, totalBytes });
        });
        copied.set(item.path, file);
        if (outcome !== undefined) state[outcome].add(item.path);
        if (outcome === 'written' && isFileItem(item)) state.sizes.set(item.path, file?.sizeBytes ?? 0);
      } catch (error) {
        if (endsAll(error)) throw error;
        kept.set(item.path, explain(error));
      }
    }
    if (round + 1 === ROUNDS) break;
    view = await options.view();
    pending = view.items.filter((item) => isOut(view, item, copied));
  }
  for (const { path } of pending.filter(({ path }) => !kept.has(path) && !state.present.has(path)))
    if (!state.written.has(path)) kept.set(path, 'it is written again and again');
  for (const item of view.items.toReversed())
    if (item.kind === 'folder' && item.inode) target.markFolder(item.path, marksOf(item.inode));
  target.sync();
  const present = [...state.present].filter((path) => !state.written.has(path));
  return {
    written: state.written.size,
    sizeBytes: [...state.sizes.values()].reduce((sum, size) => sum + size, 0),
    present: present.length,
    kept: [...kept].map(([path, reason]) => ({ path, reason })),
    gone: view.gone,
    unkept: Object.fromEntries(target.unkept),
  };
}

/** Whether what was copied of an item, if anything, is not what it is now. */
function isOut(
  view: CommitView,
  item: CommitItem,
  copied: ReadonlyMap<string, WrittenFile | undefined>,
): boolean {
  if (item.kind === 'folder' || item.kind === 'link') return !copied.has(item.path);
  if (!copied.has(item.path)) {
    // What failed is tried again, unless a program goes on writing it.
    return item.kind === 'written' && view.fileOf(item.inode.number)?.isWriting === false;
  }
  if (item.kind === 'source') return false;
  const before = copied.get(item.path);
  const now = view.fileOf(item.inode.number);
  return before?.inode !== now?.inode || before?.version !== now?.version;
}

const endsAll = (error: unknown): boolean =>
  error instanceof CancelledError ||
  error instanceof NoSpaceError ||
  (error instanceof FsRefusal && error.tag !== 'stale');

async function writeItem(
  target: CommitTarget,
  view: CommitView,
  item: CommitItem,
  file: WrittenFile | undefined,
  replace: boolean,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<'written' | 'present' | undefined> {
  switch (item.kind) {
    case 'folder':
      target.makeFolder(item.path);
      return undefined;
    case 'link':
      return target.writeLink(item.path, item.target, replace);
    case 'written':
    case 'source': {
      using bytes = view.bytesOf(item);
      const marks = item.kind === 'written' ? marksOf(item.inode, file) : SOURCE_MARKS;
      return await target.writeFile(item.path, bytes, marks, { replace, signal, onBytes });
    }
  }
}

async function refuseConflicts(target: CommitTarget, view: CommitView, signal: AbortSignal): Promise<void> {
  const conflicts: string[] = [];
  for (const item of view.items) {
    if (item.kind === 'link') continue;
    if (item.kind === 'folder') {
      if (await target.holdsOther(item.path, undefined, signal)) conflicts.push(item.path);
      continue;
    }
    if (!target.has(item.path)) continue;
    using bytes = view.bytesOf(item);
    if (await target.holdsOther(item.path, bytes, signal)) conflicts.push(item.path);
  }
  if (conflicts.length === 0) return;
  const more = conflicts.length > NAMED_CONFLICTS ? ` and ${conflicts.length - NAMED_CONFLICTS} more` : '';
  throw new FsRefusal(
    'entry-exists',
    `${target.folder} has other files of the same names: ${conflicts.slice(0, NAMED_CONFLICTS).join(', ')}${more}`,
    { advice: 'nothing was written; name another folder, or use --overwrite to replace them' },
  );
}
