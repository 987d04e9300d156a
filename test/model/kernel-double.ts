import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { errnoOf } from '../../src/core/errno.ts';
import { type FaultPoint, hearFaultPoints } from '../../src/core/fault-points.ts';
import { kernelFileCalls } from '../../src/daemon/file-calls.ts';
import type { Durability } from '../../src/model/mount-definition.ts';
import type { LandingRecord } from '../../src/overlay/inode.ts';
import {
  journalPath,
  type OverlayFolders,
  openOverlay,
  stagingFolder,
} from '../../src/overlay/open-overlay.ts';
import type { Overlay } from '../../src/overlay/overlay.ts';
import { ROOT_NODE } from '../../src/tree/tree.ts';
import { runSync } from '../../src/vfs/file-syncs.ts';
import {
  type AttributesReply,
  DEFERRED,
  type Deferred,
  type OpenReply,
  type RequestContext,
} from '../../src/vfs/file-system.ts';
import { Front } from '../../src/vfs/front.ts';
import type { ReaderJob, SyncJob } from '../../src/vfs/jobs.ts';
import { KeptRenders } from '../../src/vfs/kept-renders.ts';
import { Reader } from '../../src/vfs/reader.ts';
import type { MemoryTree } from './memory-tree.ts';

const STALE_ERRNO = 116;
const FOPEN_PASSTHROUGH = 1 << 7;
const FOPEN_DIRECT_IO = 1 << 0;
const O_TRUNC = 0o1000;

/** What a client gets instead of a result. */
export class Refused extends Error {
  readonly errno: number;
  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

/** The daemon is gone. */
class Died extends Error {}

export interface DoubleHandle {
  readonly node: number;
  readonly reply: OpenReply;
  readonly writing: boolean;
  /** The backing file, where reads are passed through. */
  readonly backingFd: number | undefined;
}

/** The file behind a descriptor; undefined when it was closed meanwhile, as the one that listed them is. */
function targetOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the kernel does around a file system: numbers requests, repeats them, asks again after ESTALE. */
export class KernelDouble {
  readonly folders: OverlayFolders;
  readonly #base: string;
  readonly #memoryBase: string;
  readonly tree: MemoryTree;
  readonly #budgetBytes: number;
  front!: Front;
  overlay!: Overlay;
  /** Names of files that were said to be lost. */
  lost: readonly string[] = [];
  /** What was said to be damaged. */
  damaged: readonly string[] = [];
  /** What the front thread would have reported last. */
  lastError = '';
  /** What "lies in the output folder". */
  readonly landedBytes = new Map<string, Uint8Array>();
  /** What lies in output folders of other branches, by their numbers. */
  sharedBytes: ReadonlyMap<number, ReadonlyMap<string, Uint8Array>> = new Map();
  /** What the materializer has yet to remove. */
  readonly #abandoned = new Map<number, LandingRecord>();
  #nextUnique = 2;
  #nextBacking = 1;
  /** The kernel's backing files live as long as the connection. */
  readonly #backing = new Map<number, number>();
  readonly #openPassed = new Map<number, { backingId: number; count: number }>();
  readonly #openCached = new Map<number, number>();
  #jobs: ReaderJob[] = [];
  #answers = new Map<number, { errno: number } | AttributesReply | number | Uint8Array | undefined>();
  /** Passes of fault points until the daemon dies; Infinity: it lives. */
  #passesLeft = Number.POSITIVE_INFINITY;
  deaths = 0;
  /** Whether failures are expected; they are noted in `reports`. */
  isTolerant = false;
  readonly reports: string[] = [];
  /** For the next daemon. */
  durability: Durability = 'fsync';
  /** What happens between a reader's job being given and being done, once. */
  beforeReading: (() => void) | undefined;
  #dying = false;

  constructor(treeOf: (folder: string) => MemoryTree, budgetBytes: number) {
    this.#base = mkdtempSync(join(tmpdir(), 'platefs-model-'));
    this.#memoryBase = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'platefs-model-'));
    const source = join(this.#base, 'source');
    mkdirSync(source);
    this.folders = { state: join(this.#base, 'state'), memory: this.#memoryBase };
    mkdirSync(this.folders.state);
    this.tree = treeOf(source);
    this.#budgetBytes = budgetBytes;
    this.#open(false);
  }

  dispose(): void {
    this.#closeFiles();
    for (const fd of this.#backing.values()) closeSync(fd);
    rmSync(this.#base, { recursive: true, force: true });
    rmSync(this.#memoryBase, { recursive: true, force: true });
  }

  #open(resumed: boolean): void {
    this.#abandoned.clear();
    hearFaultPoints(undefined);
    this.#dying = false;
    this.#jobs = [];
    this.#answers = new Map();
    const { overlay, lost, damaged } = openOverlay(
      this.folders,
      { resumed, budgetBytes: this.#budgetBytes, calls: kernelFileCalls, lower: this.tree },
      {
        onSealed: () => {},
        onUnsealed: () => {},
        onAbandoned: ({ id, record }) => this.#abandoned.set(id, record),
      },
    );
    this.overlay = overlay;
    this.lost = lost;
    this.damaged = damaged;
    this.front = new Front({
      tree: this.tree,
      overlay,
      backing: {
        open: (fd) => {
          this.#backing.set(this.#nextBacking, openSync(`/proc/self/fd/${fd}`, 'r'));
          return this.#nextBacking++;
        },
        close: () => {},
      },
      calls: kernelFileCalls,
      owner: { uid: 0, gid: 0 },
      readOnly: false,
      stagingFolder: stagingFolder(this.folders),
      journalPath: journalPath(this.folders),
      durability: this.durability,
      // So that the disk begins with small files too.
      aheadBytes: 20_000,
      diskFolder: this.folders.state,
      renders: new KeptRenders(),
      submit: (job) => this.#jobs.push(job),
      readLiteral: () => undefined,
      notify: (notice) => {
        if (this.#dying) throw new Died();
        if (notice.kind !== 'failed') return;
        if (!this.isTolerant) throw new Error(`failed: ${notice.path}: ${notice.message}`);
        this.reports.push(`${notice.path}: ${notice.message}`);
      },
      answer: ({ uniqueLow }, bytes) => this.#answers.set(uniqueLow, Uint8Array.from(bytes)),
      answerLate: ({ uniqueLow }, late) => {
        if (late.kind !== 'attributes') throw new Error('nothing here is measured late');
        this.#answers.set(uniqueLow, late.reply);
      },
      refuse: ({ uniqueLow }, errno) => this.#answers.set(uniqueLow, { errno }),
      drain: () => {},
    });
  }

  /** A new daemon on the same connection. */
  resume(): void {
    this.deaths++;
    this.#closeFiles();
    this.#open(true);
  }

  /** Everything died: a new mount. */
  remount(): void {
    this.#closeFiles();
    this.#openPassed.clear();
    this.#openCached.clear();
    this.#open(false);
  }

  /** What happens to the files a process has open when it ends. */
  #closeFiles(): void {
    hearFaultPoints(undefined);
    for (const fd of this.openFiles().keys()) closeSync(fd);
  }

  /** Files of this mount that its daemon has open, by descriptor; the kernel's backing files are not among them. */
  openFiles(): Map<number, string> {
    const backing = new Set(this.#backing.values());
    const open = new Map<number, string>();
    for (const name of readdirSync('/proc/self/fd')) {
      const fd = Number(name);
      const path = targetOf(fd);
      if (path === undefined || backing.has(fd)) continue;
      if ([this.#base, this.#memoryBase].some((base) => path.startsWith(`${base}/`))) open.set(fd, path);
    }
    return open;
  }

  /** The daemon dies when it passes its nth fault point from here on, unless the work is done before. */
  dieAfter(passes: number): void {
    this.#passesLeft = passes;
    hearFaultPoints((_point: FaultPoint) => {
      if (--this.#passesLeft > 0) return;
      // Whoever catches the death as if it were a failure gets no further than the next point.
      this.#dying = true;
      throw new Died();
    });
  }

  stayAlive(): void {
    hearFaultPoints(undefined);
  }

  /** Carries out work of the daemon's own: when it dies in it, a new one takes over. */
  inside<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      this.resume();
      return undefined;
    }
  }

  /** One request, resent to the next daemon as long as daemons die over it. */
  request<T>(send: (front: Front, context: RequestContext) => T | Deferred): T {
    const unique = this.#nextUnique;
    this.#nextUnique += 2;
    for (let resent = false; ; resent = true) {
      const context: RequestContext = {
        uniqueLow: unique,
        uniqueHigh: resent ? 0x8000_0000 : 0,
        resent,
        uid: 0,
        gid: 0,
        pid: 1,
      };
      try {
        const result = send(this.front, context);
        return result === DEFERRED ? (this.#wait(unique) as T) : result;
      } catch (error) {
        if (error instanceof Died) {
          this.resume();
          continue;
        }
        if (error instanceof Refused) throw error;
        const errno = errnoOf(error);
        if (errno === 5 && !this.isTolerant) throw error;
        this.lastError = String(error);
        throw new Refused(errno);
      }
    }
  }

  /** Lets the readers work until a request is answered. */
  #wait(unique: number): unknown {
    const reader = new Reader({
      readRendered: (node, offset, target) => {
        const bytes = this.tree.bytesOf(node).subarray(offset, offset + target.length);
        target.set(bytes);
        return bytes.length;
      },
      pourRendered: () => undefined,
      readLanded: (record, offset, target) => {
        const bytes = this.#placeOf(record)
          ?.get(String(record['id']))
          ?.subarray(offset, offset + target.length);
        if (!bytes) throw new Error(`landing ${String(record['id'])} was removed and is read`);
        target.set(bytes);
        return bytes.length;
      },
    });
    for (let job = this.#jobs.shift(); job; job = this.#jobs.shift()) {
      this.beforeReading?.();
      this.beforeReading = undefined;
      try {
        if (job.kind === 'sync') {
          this.#sync(job);
          continue;
        }
        if (job.kind === 'find-render') throw new Error('no finished render is kept here');
        const result = reader.run(job);
        if (job.kind === 'stage') this.front.staged(job.node, 0);
        else this.#answers.set(job.uniqueLow, result === undefined ? undefined : Uint8Array.from(result));
      } catch (error) {
        if (error instanceof Died) throw error;
        if (job.kind === 'stage') this.front.staged(job.node, errnoOf(error));
        else if (job.kind === 'read-pieces' || job.kind === 'read-landed')
          this.front.failed(job, errnoOf(error), String(error));
        else throw error;
      }
    }
    if (!this.#answers.has(unique)) throw new Error('a request was never answered');
    const answer = this.#answers.get(unique);
    if (typeof answer === 'object' && 'errno' in answer) throw new Refused(answer.errno);
    return answer;
  }

  /** The output folder that a landing is in. */
  #placeOf({ owner }: LandingRecord): ReadonlyMap<string, Uint8Array> | undefined {
    return owner === undefined ? this.landedBytes : this.sharedBytes.get(Number(owner));
  }

  #sync(job: SyncJob): void {
    const report = runSync(job);
    const failed = new Set(report.items.filter(({ failure }) => failure).map(({ inode }) => inode));
    for (const { uniqueLow, inode, writtenBytes } of job.tickets)
      if (!report.namesFailure && !failed.has(inode)) this.#answers.set(uniqueLow, writtenBytes);
    this.front.synced(report);
  }

  lookup(parent: number, name: string): number {
    const entry = this.request((front, context) => front.lookup(context, parent, name));
    if (entry.node === 0) throw new Refused(2);
    return entry.node;
  }

  /** The node a path names. */
  walk(path: readonly string[]): number {
    return path.reduce((node, name) => this.lookup(node, name), ROOT_NODE);
  }

  /** Repeats what a path names while its node goes stale, as the kernel does. */
  retrying<T>(path: readonly string[], act: (node: number) => T): T {
    for (let tries = 0; ; tries++) {
      try {
        return act(this.walk(path));
      } catch (error) {
        if (!(error instanceof Refused) || error.errno !== STALE_ERRNO || tries > 3) throw error;
      }
    }
  }

  create(path: readonly string[], mode: number, flags: number): DoubleHandle {
    const parent = this.walk(path.slice(0, -1));
    const { entry, open } = this.request((front, context) =>
      front.create(context, parent, path.at(-1) ?? '', mode, flags),
    );
    return this.#opened(entry.node, open, (flags & 3) !== 0);
  }

  tmpfile(path: readonly string[], mode: number): DoubleHandle {
    const parent = this.walk(path);
    const { entry, open } = this.request((front, context) => front.tmpfile(context, parent, mode, 2));
    return this.#opened(entry.node, open, true);
  }

  open(path: readonly string[], flags: number): DoubleHandle {
    return this.retrying(path, (node) =>
      this.#opened(
        node,
        this.request((front, context) => front.open(context, node, flags)),
        (flags & (3 | O_TRUNC)) !== 0,
      ),
    );
  }

  /** The kernel's own rules: one way of reading per node, one backing file. */
  #opened(node: number, reply: OpenReply, writing: boolean): DoubleHandle {
    let backingFd: number | undefined;
    if (reply.openFlags & FOPEN_PASSTHROUGH) {
      const { backingId = -1 } = reply;
      const fd = this.#backing.get(backingId);
      if (fd === undefined) throw new Error(`there is no backing file ${backingId}`);
      if ((this.#openCached.get(node) ?? 0) > 0) throw new Error(`${node} is passed through while cached`);
      const known = this.#openPassed.get(node);
      if (known && known.backingId !== backingId) throw new Error(`${node} has two backing files`);
      this.#openPassed.set(node, { backingId, count: (known?.count ?? 0) + 1 });
      if (!(reply.openFlags & FOPEN_DIRECT_IO)) backingFd = fd;
    } else if (!(reply.openFlags & FOPEN_DIRECT_IO)) {
      if (this.#openPassed.has(node)) throw new Error(`${node} is cached while passed through`);
      this.#openCached.set(node, (this.#openCached.get(node) ?? 0) + 1);
    }
    return { node, reply, writing, backingFd };
  }

  close({ node, reply }: DoubleHandle): void {
    const passed = this.#openPassed.get(node);
    if (reply.openFlags & FOPEN_PASSTHROUGH && passed) {
      if (--passed.count === 0) this.#openPassed.delete(node);
    } else if (!(reply.openFlags & FOPEN_DIRECT_IO)) {
      this.#openCached.set(node, (this.#openCached.get(node) ?? 1) - 1);
    }
    try {
      this.request((front, context) => front.flush(context, node, reply.handle));
    } catch (error) {
      // Then close(2) succeeds all the same.
      if (!(error instanceof Refused && error.errno === constants.errno.ENOSYS)) throw error;
    }
    this.request((front, context) => front.release(context, node, reply.handle));
  }

  read({ node, reply, backingFd }: DoubleHandle, offset: number, size: number): Uint8Array {
    if (backingFd !== undefined) {
      const target = Buffer.alloc(size);
      return target.subarray(0, readSync(backingFd, target, 0, size, offset));
    }
    return Uint8Array.from(
      this.request((front, context) => front.read(context, node, reply.handle, offset, size)),
    );
  }

  write({ node, reply }: DoubleHandle, offset: number, data: Uint8Array): number {
    return this.request((front, context) => front.write(context, node, reply.handle, offset, data));
  }

  /** All names from a cookie on, at most `room` of them; and where the next call goes on. */
  list(node: number, cookie: number, room: number): { names: string[]; next: number; ended: boolean } {
    const names: string[] = [];
    let next = cookie;
    let full = false;
    this.request((front, context) =>
      front.readdir(context, node, 0n, cookie, {
        plus: false,
        add: (name, _node, _type, after) => {
          if (names.length >= room) {
            full = true;
            return false;
          }
          names.push(name);
          next = after;
          return true;
        },
      }),
    );
    return { names: names.filter((name) => name !== '.' && name !== '..'), next, ended: !full };
  }

  // ---- the daemon's other rooms

  /** What a landing takes away with it: the bytes of a version. */
  beginLanding(number: number): { inode: number; version: number; record: LandingRecord } | undefined {
    const file = this.overlay.sealed.file(number);
    if (!file) return undefined;
    const reader = new Reader({
      readRendered: () => 0,
      pourRendered: () => undefined,
      readLanded: () => 0,
    });
    const bytes = reader.run({
      kind: 'read-pieces',
      inode: number,
      uniqueLow: 0,
      uniqueHigh: 0,
      pieces: file.pieces,
      fileSizeBytes: file.sizeBytes,
      offsetBytes: 0,
      sizeBytes: file.sizeBytes,
    });
    // The same bytes of the same file land as the same thing.
    const id = `${number}-${crc32(bytes ?? '')}`;
    this.landedBytes.set(id, Uint8Array.from(bytes ?? []));
    return { inode: number, version: file.version, record: { id } };
  }

  endLanding(landing: { inode: number; version: number; record: LandingRecord }): void {
    const { inode, version, record } = landing;
    const { deaths } = this;
    this.inside(() => {
      if (this.overlay.landings.landed([{ inode, version, record }]).refused.length > 0)
        this.overlay.landings.abandon(inode, record);
    });
    // A daemon that dies before anything is noted leaves what a later landing replaces.
    if (this.deaths > deaths) this.forgetLanding(inode, record);
  }

  /** What was landed is not noted, and lies there for the next landing to replace. */
  forgetLanding(inode: number, record: LandingRecord): void {
    const known = this.overlay.inode(inode);
    const present = (known?.landed ?? known?.previous)?.record;
    if (present?.['id'] !== record['id'] || present?.['owner'] !== record['owner'])
      this.landedBytes.delete(String(record['id']));
  }

  /** Landings that files lie in, or lay in until their present version has landed. */
  #wanted(): Set<string> {
    const records = [...this.overlay.names.inodes.values()].map(
      ({ landed, previous }) => (landed ?? previous)?.record,
    );
    return new Set(
      records.filter((record) => record?.['owner'] === undefined).map((record) => String(record?.['id'])),
    );
  }

  /** The materializer removes what it was told to, unless a successor lies in the same place. */
  clearAbandoned(): void {
    const wanted = this.#wanted();
    for (const [id, record] of this.#abandoned) {
      if (record['owner'] === undefined && !wanted.has(String(record['id'])))
        this.landedBytes.delete(String(record['id']));
      this.inside(() => this.overlay.landings.cleared(id));
    }
    this.#abandoned.clear();
  }

  /** What lies in the output folder and belongs to nobody. */
  orphans(): string[] {
    const wanted = this.#wanted();
    return [...this.landedBytes.keys()].filter((id) => !wanted.has(id));
  }

  /** Memory that written files really take. */
  memoryBytes(): number {
    const folder = join(this.folders.memory, 'data');
    return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).blocks * 512, 0);
  }

  stage(name: string, bytes: Uint8Array): string {
    const path = join(stagingFolder(this.folders), name);
    writeFileSync(path, bytes);
    return path;
  }
}
