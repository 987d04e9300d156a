/** Everything written to a mount as a change set: of one that runs, as its daemon tells, or of an unmounted plate. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { type Change, changesOf } from '../changes/change-list.ts';
import { type ChangeRow, rowOf } from '../changes/change-rows.ts';
import { chosenChanges, isAtOrBelow } from '../changes/chosen-changes.ts';
import type { CommitView } from '../changes/commit-files.ts';
import { type CommitItem, planCommit } from '../changes/commit-plan.ts';
import { LandedFiles } from '../changes/landed-files.ts';
import { type Difference, differencesOf, type WrittenView } from '../changes/view-differences.ts';
import { areSameBytes, type FileBytes, writtenBytes } from '../changes/written-bytes.ts';
import { namesOf, savedState, type WrittenFile, type WrittenState } from '../changes/written-state.ts';
import { UnreadableSourceError } from '../core/errors.ts';
import { readFully } from '../core/io.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import type { Namespace } from '../overlay/namespace.ts';
import { memoryFolderPath } from './memory-folder.ts';
import { MountReader } from './mount-reader.ts';
import { type SavedMount, savedMount } from './saved-mount.ts';

/** Decoded pixels that copying keeps. */
const DECODED_BYTES = 128 * 2 ** 20;

export class ChangeSet {
  readonly #saved: SavedMount;
  readonly #names: Namespace;
  readonly #files: ReadonlyMap<number, WrittenFile>;
  readonly #landed: LandedFiles;
  readonly #state: string;
  readonly #output: string;
  #reader: MountReader | undefined;
  readonly changes: readonly Change[];

  private constructor(saved: SavedMount, written: WrittenState, state: string, output: string) {
    this.#saved = saved;
    this.#state = state;
    this.#output = output;
    this.#names = namesOf(written, saved.tree);
    this.#files = new Map(written.files.map((file) => [file.inode, file]));
    this.#landed = new LandedFiles({ state, output }, new ByteCache(DECODED_BYTES));
    this.changes = changesOf(this.#names, saved.tree);
  }

  /**
   * @param written what a daemon tells; without it, what lies in the state folder of an unmounted plate.
   * @throws FsRefusal `no-such-entry` where nothing was ever mounted with this state.
   */
  static async open(state: string, output: string, written?: WrittenState): Promise<ChangeSet> {
    const saved = await savedMount(state);
    const folders = { state, memory: memoryFolderPath(state) };
    return new ChangeSet(saved, written ?? savedState(folders, saved.tree), state, output);
  }

  /** The same mount a moment later. */
  after(written: WrittenState): ChangeSet {
    const later = new ChangeSet(this.#saved, written, this.#state, this.#output);
    later.#reader = this.#reader;
    return later;
  }

  /** The same plate with nothing written to it. */
  unwritten(): ChangeSet {
    return new ChangeSet(this.#saved, { records: [], files: [] }, this.#state, this.#output);
  }

  /** @throws FsRefusal for a path at which nothing was changed. */
  rows(paths: readonly string[]): ChangeRow[] {
    const fileOf = (inode: number): WrittenFile | undefined => this.#files.get(inode);
    return chosenChanges(this.changes, paths).map((change) => rowOf(change, this.#saved.tree, fileOf));
  }

  /** What it shows, to be compared with what others do. */
  get #view(): WrittenView {
    return {
      names: this.#names,
      lower: this.#saved.tree,
      changes: this.changes,
      fileOf: (inode) => this.#files.get(inode),
    };
  }

  /**
   * Where this and another branch of the plate differ, at and below paths.
   * @throws what reading a file throws, where its bytes have to be looked at.
   */
  differencesTo(other: ChangeSet, paths: readonly string[]): Difference[] {
    const sameBytes = (path: string, here: WrittenFile, there: WrittenFile): boolean => {
      using one = writtenBytes(here, path, this.#landed);
      using another = writtenBytes(there, path, other.#landed);
      return areSameBytes(one, another);
    };
    const isAsked = ({ path }: Difference): boolean => paths.some((above) => isAtOrBelow(path, above));
    return differencesOf(this.#view, other.#view, sameBytes).filter(isAsked);
  }

  /** What writing changes at and below paths out means now. @throws as {@link rows}. */
  async commitView(paths: readonly string[]): Promise<CommitView> {
    const plan = planCommit(this.#names, this.#saved.tree, chosenChanges(this.changes, paths));
    if (plan.items.some(({ kind }) => kind === 'source'))
      this.#reader ??= await MountReader.open(this.#saved.mount, new ByteCache(DECODED_BYTES));
    return {
      ...plan,
      fileOf: (inode) => this.#files.get(inode),
      bytesOf: (item) => this.#bytesOf(item),
    };
  }

  #bytesOf(item: Extract<CommitItem, { readonly kind: 'written' | 'source' }>): FileBytes {
    const { path } = item;
    if (item.kind === 'source') return this.#sourceBytes(path, item.node);
    const file = this.#files.get(item.inode.number);
    if (!file) throw new UnreadableSourceError(path, 'is gone');
    return writtenBytes(file, path, this.#landed);
  }

  #sourceBytes(path: string, node: number): FileBytes {
    const content = this.#saved.tree.content(node);
    if (content.kind === 'verbatim') return fileBytes(content.path);
    if (content.kind === 'document')
      throw new UnreadableSourceError(path, 'is written anew whenever it is read; copy it from the mount');
    const sizeBytes = this.#saved.tree.attributes(node)?.sizeBytes ?? 0;
    const reader = this.#reader;
    return {
      sizeBytes,
      read: (offsetBytes, target) => {
        if (reader?.read(node, offsetBytes, target) !== target.length)
          throw new UnreadableSourceError(path, `ends before byte ${offsetBytes + target.length}`);
      },
      [Symbol.dispose]: () => {},
    };
  }
}

function fileBytes(path: string): FileBytes {
  const fd = openSync(path, 'r');
  return {
    sizeBytes: fstatSync(fd).size,
    read: (offsetBytes, target) => {
      if (readFully(fd, target, offsetBytes) < target.length)
        throw new UnreadableSourceError(path, `ends before byte ${offsetBytes + target.length}`);
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}
