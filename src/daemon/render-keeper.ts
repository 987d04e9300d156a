import { rmSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import type { DropResult, KeepProgress, KeepResult, PinsDocument } from '../control/documents.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { CancelledError, explain, FsRefusal, NoSpaceError } from '../core/errors.ts';
import { invalidateNode } from '../fuse/notify.ts';
import type { RenderStore } from '../renders/render-store.ts';
import { filesBelow, type TreeFile } from '../tree/files-below.ts';
import { MountTree, type TreeTools } from '../tree/mount-tree.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import type { Tree } from '../tree/tree.ts';
import type { FrontLink } from './front-link.ts';
import type { HotRenders } from './hot-renders.ts';
import { coldStore, type KeptFolders, pinStore } from './kept-stores.ts';
import type { MountMemory } from './mount-memory.ts';
import { RenderCrew } from './render-crew.ts';

export interface RenderKeeperParts {
  readonly fuseFd: number;
  /** The plate's folder: whose renders on disk these are. */
  readonly source: string;
  readonly folders: KeptFolders;
  /** Everything as it is shown now. */
  readonly mount: () => SharedMount;
  readonly tools: TreeTools;
  readonly front: FrontLink;
  /** Whose budget pins come out of. */
  readonly memory: Pick<MountMemory, 'reserve' | 'release'>;
  /** Absent where files that were read whole are not kept. */
  readonly hot: () => HotRenders | undefined;
  readonly log: (message: string) => void;
}

interface KeptFile extends TreeFile {
  readonly sizeBytes: number;
}

interface Pin {
  readonly key: string;
  readonly mountPath: string;
  readonly sizeBytes: number;
}

/** Where renders are brought to, and what is asked before and said after. */
interface Destination {
  readonly store: RenderStore;
  readonly presentKeys: () => readonly string[];
  /** @throws NoSpaceError when there is no room for so much. */
  readonly makeRoom: (file: KeptFile) => Promise<void>;
  readonly kept: (file: KeptFile, key: string) => Promise<void>;
  /** It was there before, or could not be made: the room is not needed. */
  readonly giveRoomBack: (file: KeptFile) => Promise<void>;
}

/** Files looked at between two turns of the event loop. */
const SLICE = 256;

/**
 * Finished renders of a mount: brings them to memory and to disk when asked, lets go of them, and tells the front of
 * which files there may be one. Whether one is still good is found out at every open, by a reader.
 */
export class RenderKeeper {
  readonly #parts: RenderKeeperParts;
  readonly #pinned: RenderStore;
  readonly #cold: RenderStore | undefined;
  /** Oldest first. */
  #pins: Pin[] = [];
  /** Paths of files with a render on disk. */
  readonly #coldPaths = new Set<string>();

  constructor(parts: RenderKeeperParts) {
    this.#parts = parts;
    this.#pinned = pinStore(parts.folders);
    this.#cold = coldStore(parts.folders);
  }

  /** Finds what earlier daemons pinned on this connection, and what any mount of the plate left on disk. */
  async start(): Promise<void> {
    for (const { key, mountPath, sizeBytes } of this.#pinned.list()) {
      if (await this.#parts.memory.reserve(sizeBytes)) this.#pins.push({ key, mountPath, sizeBytes });
      else this.#pinned.remove(key);
    }
    for (const { source, mountPath } of this.#cold?.list() ?? [])
      if (source === this.#parts.source) this.#coldPaths.add(mountPath);
    this.treeChanged();
  }

  /** Nodes may stand for other files. */
  treeChanged(): void {
    const hotPaths = this.#parts.hot()?.paths ?? [];
    const paths = new Set([...this.#pins.map(({ mountPath }) => mountPath), ...hotPaths, ...this.#coldPaths]);
    const tree = this.#tree();
    const nodes = [...paths].flatMap((path) => tree.resolve(path) ?? []);
    this.#parts.front.tell({ type: 'renders', nodes });
  }

  #tree(): MountTree {
    return new MountTree(this.#parts.mount(), this.#parts.tools);
  }

  get document(): PinsDocument {
    return {
      files: this.#pins.length,
      sizeBytes: this.pinnedBytes,
      paths: this.#pins.map(({ mountPath }) => mountPath),
    };
  }

  get pinnedBytes(): number {
    return this.#pins.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Brings files to memory. @throws FsRefusal when a path is not there. */
  pin(
    paths: readonly string[],
    progress: (value: KeepProgress) => void,
    signal: AbortSignal,
  ): Promise<KeepResult> {
    const { memory } = this.#parts;
    return this.#keep(paths, progress, signal, {
      store: this.#pinned,
      presentKeys: () => this.#pins.map(({ key }) => key),
      makeRoom: async ({ sizeBytes }) => {
        if (!(await memory.reserve(sizeBytes)))
          throw new NoSpaceError(`there is no room for ${formatByteSize(sizeBytes)} more in memory`, {
            advice: 'drop other pins, or mount with a larger --budget; pins may take half of it',
          });
      },
      giveRoomBack: ({ sizeBytes }) => memory.release(sizeBytes),
      kept: async ({ path: mountPath, sizeBytes }, key) => {
        const before = this.#pins.filter((pin) => pin.mountPath === mountPath);
        this.#pins.push({ key, mountPath, sizeBytes });
        await this.#unpin(before);
        await this.#parts.hot()?.drop((path) => path === mountPath);
      },
    });
  }

  /** Brings files to the cold cache. @throws FsRefusal when a path is not there, or the mount has no cold cache. */
  async warm(
    paths: readonly string[],
    progress: (value: KeepProgress) => void,
    signal: AbortSignal,
  ): Promise<KeepResult> {
    const store = this.#cold;
    if (!store) throw new FsRefusal('not-supported', 'this mount was made with  -o cold-cache=off');
    const result = await this.#keep(paths, progress, signal, {
      store,
      presentKeys: () => store.list().map(({ key }) => key),
      makeRoom: async () => {},
      giveRoomBack: async ({ path }) => void this.#coldPaths.add(path),
      kept: async ({ path }) => void this.#coldPaths.add(path),
    });
    return result;
  }

  async #keep(
    paths: readonly string[],
    progress: (value: KeepProgress) => void,
    signal: AbortSignal,
    destination: Destination,
  ): Promise<KeepResult> {
    const { files, plain } = await this.#renderedFiles(paths, signal);
    const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    let doneBytes = 0;
    const result = {
      files: 0,
      sizeBytes: 0,
      present: 0,
      plain,
      failed: [] as KeepResult['failed'][number][],
    };
    const writing = new Map<KeptFile, number>();
    const tell = (): void => {
      const writtenBytes = [...writing.values()].reduce((sum, bytes) => sum + bytes, 0);
      const filesDone = result.files + result.present + result.failed.length;
      progress({ filesDone, filesTotal: files.length, doneBytes: doneBytes + writtenBytes, totalBytes });
    };
    await using crew = RenderCrew.of(this.#parts.mount(), files.length);
    const queue = files.values();
    const lane = async (): Promise<void> => {
      for (const file of queue) {
        if (signal.aborted) return;
        try {
          const outcome = await this.#keepOne(file, crew, destination, signal, (bytes) => {
            writing.set(file, bytes);
            tell();
          });
          result[outcome]++;
          if (outcome === 'files') result.sizeBytes += file.sizeBytes;
        } catch (error) {
          if (signal.aborted) return;
          result.failed.push({ path: file.path, reason: explain(error) });
        }
        writing.delete(file);
        doneBytes += file.sizeBytes;
        tell();
      }
    };
    try {
      await Promise.all(Array.from({ length: crew.size }, lane));
    } finally {
      this.treeChanged();
    }
    if (signal.aborted) throw new CancelledError('stopped; what was done is kept');
    return result;
  }

  async #keepOne(
    file: KeptFile,
    crew: RenderCrew,
    { store, presentKeys, makeRoom, giveRoomBack, kept }: Destination,
    signal: AbortSignal,
    onWritten: (bytes: number) => void,
  ): Promise<'files' | 'present'> {
    await makeRoom(file);
    const temporaryPath = store.temporaryPath();
    try {
      const { node, sizeBytes: wholeBytes } = file;
      const task = { node, sizeBytes: wholeBytes, temporaryPath, presentKeys: presentKeys() };
      const rendered = await crew.render(task, onWritten);
      if (rendered.type === 'failed') throw new Error(rendered.message);
      if (rendered.type === 'present') {
        await giveRoomBack(file);
        return 'present';
      }
      const { key, sizeBytes, checksum } = rendered;
      if (sizeBytes !== file.sizeBytes) throw new Error(`it has ${sizeBytes} bytes, not ${file.sizeBytes}`);
      const { source } = this.#parts;
      await store.bringIn(key, temporaryPath, { sizeBytes, checksum, source, mountPath: file.path }, signal);
      await kept(file, key);
      return 'files';
    } catch (error) {
      rmSync(temporaryPath, { force: true });
      await giveRoomBack(file);
      throw error;
    }
  }

  /** Lets go of pins, renders on disk and the kernel's pages of files. @throws FsRefusal when a path is not there. */
  async drop(paths: readonly string[], signal: AbortSignal): Promise<DropResult> {
    const { fuseFd, source } = this.#parts;
    const isBelow = (path: string): boolean =>
      paths.some((folder) => folder === '' || path === folder || path.startsWith(`${folder}/`));
    const tree = this.#tree();
    const nodes = paths.map((path) => nodeAt(tree, path));
    const pins = this.#pins.filter(({ mountPath }) => isBelow(mountPath));
    await this.#unpin(pins);
    await this.#parts.hot()?.drop(isBelow);
    let coldFiles = 0;
    for (const render of this.#cold?.list() ?? []) {
      if (render.source !== source || !isBelow(render.mountPath)) continue;
      this.#cold?.remove(render.key);
      coldFiles++;
    }
    for (const path of [...this.#coldPaths]) if (isBelow(path)) this.#coldPaths.delete(path);
    this.treeChanged();
    let files = 0;
    for (const [i, path] of paths.entries())
      for (const file of filesBelow(tree, nodes[i] ?? 0, path)) {
        invalidateNode(fuseFd, file.node);
        if (++files % SLICE === 0) await breathe();
        if (signal.aborted) throw new CancelledError('stopped; some files may be in the page cache still');
      }
    return { pins: pins.length, coldFiles, files };
  }

  /** Lets go of the oldest pins until so much is free. @returns bytes of memory freed. */
  async unpin(bytes: number): Promise<number> {
    const going: Pin[] = [];
    let freedBytes = 0;
    for (const pin of this.#pins) {
      if (freedBytes >= bytes) break;
      going.push(pin);
      freedBytes += pin.sizeBytes;
    }
    await this.#unpin(going, false);
    if (going.length > 0) {
      this.#parts.log(
        `memory is tight: ${going.length} pinned files were let go, ${formatByteSize(freedBytes)}`,
      );
      this.treeChanged();
    }
    return freedBytes;
  }

  async #unpin(pins: readonly Pin[], release = true): Promise<void> {
    const gone = new Set(pins);
    this.#pins = this.#pins.filter((pin) => !gone.has(pin));
    for (const { key, sizeBytes } of pins) {
      if (!this.#pins.some((pin) => pin.key === key)) this.#pinned.remove(key);
      if (release) await this.#parts.memory.release(sizeBytes);
    }
  }

  /** The files at and below some paths that have to be put together, each once, and how many need not. */
  async #renderedFiles(
    paths: readonly string[],
    signal: AbortSignal,
  ): Promise<{ files: KeptFile[]; plain: number }> {
    const tree = this.#tree();
    const files = new Map<number, KeptFile>();
    const plain = new Set<number>();
    let looked = 0;
    for (const path of paths) {
      for (const file of filesBelow(tree, nodeAt(tree, path), path)) {
        if (++looked % SLICE === 0) await breathe();
        if (signal.aborted) throw new CancelledError('stopped before anything was done');
        const sizeBytes = tree.isKeepable(file.node) ? tree.attributes(file.node)?.sizeBytes : undefined;
        if (sizeBytes === undefined) plain.add(file.node);
        else files.set(file.node, { ...file, sizeBytes });
      }
    }
    return { files: [...files.values()], plain: plain.size };
  }
}

function nodeAt(tree: Tree, path: string): number {
  const node = tree.resolve(path);
  if (node === undefined)
    throw new FsRefusal(
      'no-such-entry',
      `the plate shows no ${path}; what programs wrote need not be kept so`,
    );
  return node;
}
