import {
  appendFileSync,
  existsSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { flushCompileCache } from 'node:module';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import { type ControlMethod, ControlServer } from '../control/control-server.ts';
import type { DrainParams, LandingProgress, LandingResult, StatusDocument } from '../control/documents.ts';
import { MountRegistry } from '../control/mount-registry.ts';
import { BadMountpointError, explain } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import { FrontWake } from '../fuse/front-wake.ts';
import { invalidateEntry, invalidateNode } from '../fuse/notify.ts';
import type { Landing } from '../materializer/landing.ts';
import type { Materializer } from '../materializer/materializer.ts';
import { defaultBudgetBytes } from '../memory/budget.ts';
import { PressureProbe, watchPressure } from '../memory/pressure.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import type { Abandoned } from '../overlay/inode.ts';
import { dataFolder, type OverlayFolders, stagingFolder } from '../overlay/open-overlay.ts';
import { renderMetrics } from '../telemetry/metrics.ts';
import { readIndexFile, writeIndexFile } from '../tree/index-cache.ts';
import { openPlate } from '../tree/open-plate.ts';
import { openhcsDocument } from '../tree/openhcs-document.ts';
import {
  METRICS_NODE,
  OPENHCS_NODE,
  PlateTree,
  type SharedTree,
  STATUS_NODE,
  shareTree,
  WARNINGS_NODE,
} from '../tree/plate-tree.ts';
import type { FrontNotice } from '../vfs/jobs.ts';
import { Documents } from './documents.ts';
import { FrontLink } from './front-link.ts';
import type { FromFront } from './front-messages.ts';
import type { FrontData } from './front-worker.ts';
import type { HookPump } from './hook-pump.ts';
import { LandingLoop } from './landing-loop.ts';
import { logLine } from './log.ts';
import { memoryFolder, removeMemoryFolder } from './memory-folder.ts';
import { loadPlaneTools } from './plane-tools.ts';
import { Readers } from './readers.ts';
import { SizeSweep } from './size-sweep.ts';
import { lockState } from './state-lock.ts';
import type { FromDaemon, StartMessage } from './supervisor-messages.ts';

/** Memory is freed down to this share of the budget once landing has begun. */
const KEEP_SHARE = 0.25;
/** Share of the budget that readers may use for decoded planes and chunks. */
const READER_CACHE_BYTES = 128 * 1024 * 1024;
/** The front hears within milliseconds that it is to end. */
const FRONT_END_TIMEOUT_MS = 5000;
const MAX_RUNTIME_WARNINGS = 1000;

/** How the outside world is told. */
export interface DaemonVoice {
  tell(message: FromDaemon): void;
  /** Asks the supervisor to unmount; resolves with what came of it. */
  unmount(lazy: boolean): Promise<'unmounted' | 'busy' | 'not-mounted'>;
}

/**
 * One mount's daemon: opens the plate, starts the front and reader threads, and moves what they publish between
 * the rooms. Runs in the main thread, which serves no FUSE request but those on documents.
 */
export class Daemon {
  readonly #start: StartMessage;
  readonly #spec: DaemonSpec;
  readonly #voice: DaemonVoice;
  readonly #stop = new AbortController();
  readonly #runtimeWarnings: { atMs: number; kind: string; message: string }[] = [];
  readonly #owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  #index: PlateIndex | undefined;
  #front: FrontLink | undefined;
  #frontWorker: Worker | undefined;
  #readers: Readers | undefined;
  #documents: Documents | undefined;
  #landing: LandingLoop | undefined;
  #hooks: HookPump | undefined;
  #control: ControlServer | undefined;
  #pressure: Disposable | undefined;
  #materializer: Promise<Materializer> | undefined;
  #landed = { files: 0, sizeBytes: 0 };
  #failures = 0;
  /** Files there were when this daemon began; later ones are numbered from `firstNewInode` on. */
  #knownFiles: ReadonlySet<number> = new Set();
  #firstNewInode = 0;
  /** Files that had landed and are gone. */
  readonly #deadFiles = new Set<number>();
  /** Removals of landings that are under way. */
  #removal: Promise<unknown> = Promise.resolve();
  #resumes: number;
  #ending: Promise<void> | undefined;
  /** A drain whose answer somebody waits for. */
  #draining: Promise<unknown> = Promise.resolve();
  #makingRoom = false;
  #unlock: () => void = () => {};
  readonly #unmounted = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();
  /** Resolves when `run` has started everything. */
  readonly #running = Promise.withResolvers<void>();

  constructor(start: StartMessage, voice: DaemonVoice) {
    this.#start = start;
    this.#spec = start.spec as DaemonSpec;
    this.#voice = voice;
    this.#resumes = start.resumed ? 1 : 0;
  }

  get #definition(): DaemonSpec['definition'] {
    return this.#spec.definition;
  }

  log(message: string): void {
    logLine(`${new Date().toISOString()} ${message}`);
  }

  #warn(kind: string, message: string): void {
    this.log(message);
    this.#runtimeWarnings.push({ atMs: Date.now(), kind, message });
    if (this.#runtimeWarnings.length > MAX_RUNTIME_WARNINGS) this.#runtimeWarnings.shift();
  }

  /** @throws a typed error when the mount can't be served. */
  async run(): Promise<void> {
    const { state, output } = this.#definition;
    this.#unlock = lockState(state);
    const folders: OverlayFolders = { state, memory: memoryFolder(state) };
    this.#countResumes(folders);
    const index = await this.#openIndex(folders);
    this.#index = index;
    const shared = shareTree(index, this.#mountedAtMs(folders));
    const budgetBytes = this.#definition.budgetBytes ?? chooseBudget(folders.memory);
    this.#readers = new Readers({
      count: this.#definition.options.readers ?? Math.max(2, availableParallelism()),
      fuseFd: this.#start.fuseFd,
      shared,
      outputFolder: output,
      cacheBytes: READER_CACHE_BYTES,
      onMessage: (message) => {
        if (message.type === 'staged')
          this.#front?.tell({ type: 'staged', node: message.node, errno: message.errno });
        else if (message.type === 'failed-job') this.#front?.tell({ ...message, type: 'failed' });
        else this.#fail(message.message);
      },
      onDeath: (error) => this.#die('a reader thread', error),
    });
    this.#startFront(shared, folders, budgetBytes, this.#readers);
    this.#documents = new Documents(this.#start.fuseFd, this.#texts(), this.#owner);
    await this.#opened.promise;
    // Whoever waited for a reader when the last daemon died waits for the next one's.
    if (this.#start.resumed) this.#readers.start();
    await this.#startWork(shared, folders, budgetBytes);
    this.#running.resolve();
    this.#voice.tell({ type: 'ready' });
    setImmediate(flushCompileCache);
    void this.#unmounted.promise.then(() => this.#end());
  }

  #countResumes(folders: OverlayFolders): void {
    const path = join(folders.memory, 'resumes');
    if (!this.#start.resumed) rmSync(path, { force: true });
    else {
      appendFileSync(path, '.');
      this.#resumes = existsSync(path) ? readLength(path) : 1;
    }
  }

  /** Every daemon of a connection shows the same times. */
  #mountedAtMs(folders: OverlayFolders): number {
    const path = join(folders.memory, 'mounted');
    if (!this.#start.resumed || !existsSync(path)) writeFileSync(path, '');
    return modifiedMs(path);
  }

  /**
   * A daemon that takes over a connection uses the index its predecessor used: node numbers are positions in it.
   */
  async #openIndex(folders: OverlayFolders): Promise<PlateIndex> {
    const session = join(folders.state, 'session-index');
    if (this.#start.resumed) return readIndexFile(session);
    let toldMs = 0;
    const { index } = await openPlate(this.#definition.source, {
      signal: this.#stop.signal,
      cacheDir: join(this.#spec.cacheFolder, 'index'),
      log: (message) => this.log(message),
      onProgress: ({ files }) => {
        if (Date.now() - toldMs < 250) return;
        toldMs = Date.now();
        this.#voice.tell({ type: 'progress', text: `indexing: ${files} files` });
      },
    });
    writeIndexFile(session, index);
    return index;
  }

  #startFront(shared: SharedTree, folders: OverlayFolders, budgetBytes: number, readers: Readers): void {
    const { fuseFd, resumed, negotiated, privileged } = this.#start;
    const channel = new MessageChannel();
    const wake = new FrontWake();
    const ports = readers.frontPorts();
    const workerData: FrontData = {
      fuseFd,
      resumed,
      ...(negotiated === undefined ? {} : { negotiated }),
      privileged,
      passthrough: !this.#definition.options.noPassthrough,
      readOnly: this.#definition.options.readOnly,
      shared,
      folders,
      budgetBytes,
      owner: this.#owner,
      fromMain: channel.port2,
      wake: wake.memory,
      readers: ports,
      finished: readers.finished,
    };
    const worker = new Worker(new URL('./front-worker.ts', import.meta.url), {
      workerData,
      transferList: [channel.port2, ...ports],
    });
    worker.on('error', (error) => this.#die('the front thread', error));
    this.#frontWorker = worker;
    this.#front = new FrontLink(worker, channel.port1, wake, (message) => this.#hear(message));
  }

  async #startWork(shared: SharedTree, folders: OverlayFolders, budgetBytes: number): Promise<void> {
    const front = this.#frontLink();
    const { hooks, output, source, mountpoint, state } = this.#definition;
    this.#landing = new LandingLoop({
      front,
      materializer: () => this.#openMaterializer(),
      isHeld: (inode) => this.#hooks?.isHeld(inode) ?? false,
      onLanded: (files, sizeBytes) => {
        this.#landed = { files: this.#landed.files + files, sizeBytes: this.#landed.sizeBytes + sizeBytes };
      },
      removed: () => this.#removal,
      log: (message) => this.#warn('landing', message),
    });
    // What only some mounts need is loaded only by them.
    if (hooks.length > 0) {
      const pump = await import('./hook-pump.ts');
      this.#hooks = await pump.HookPump.start({
        rules: hooks,
        stagingDir: stagingFolder(folders),
        front,
        fuseFd: this.#start.fuseFd,
        log: (message) => this.#warn('hook', message),
      });
    }
    if (this.#hooks) for (const file of (await front.ask('list-sealed', {})).files) this.#hooks.offer(file);
    let tight = false;
    this.#pressure = watchPressure(({ isUnderPressure, reasons }) => {
      if (isUnderPressure && !tight) this.log(`memory is tight: ${reasons.join(', ')}`);
      if (isUnderPressure) this.#makeRoom(0);
      tight = isUnderPressure;
    });
    this.#keepBytes = Math.floor(budgetBytes * KEEP_SHARE);
    const registry = new MountRegistry(this.#spec.registryFolder);
    this.#control = await ControlServer.listen({
      socketPath: this.#spec.socketPath,
      methods: this.#methods(),
    });
    registry.add({
      mountpoint,
      source,
      pid: process.pid,
      supervisorPid: process.ppid,
      socket: this.#spec.socketPath,
      output,
      state,
      startedAt: this.#spec.startedAt,
    });
    const { encoders, probe } = await loadPlaneTools();
    void new SizeSweep(new PlateTree(shared, encoders, probe)).run(this.#stop.signal);
  }

  #keepBytes = 0;

  #frontLink(): FrontLink {
    if (!this.#front) throw new Error('the front is not started');
    return this.#front;
  }

  #openMaterializer(): Promise<Materializer> {
    this.#materializer ??= import('../materializer/materializer.ts').then((room) =>
      room.Materializer.open(
        {
          outputDir: this.#definition.output,
          workers: Math.max(1, availableParallelism()),
          codec: 'blosc-lz4',
          isLive: (inode) => this.#isLive(inode),
        },
        this.#stop.signal,
      ),
    );
    this.#materializer.catch(() => {
      this.#materializer = undefined;
    });
    return this.#materializer;
  }

  #makeRoom(keepBytes: number): void {
    if (this.#makingRoom || !this.#landing) return;
    this.#makingRoom = true;
    this.#landing
      .makeRoom(keepBytes, this.#stop.signal)
      .catch((error: unknown) => this.#warn('landing', explain(error)))
      .finally(() => {
        this.#makingRoom = false;
      });
  }

  #hear(message: FromFront): void {
    switch (message.type) {
      case 'open':
        if (message.tornBytes > 0)
          this.log(`${message.tornBytes} bytes of an unfinished change were cut off the journal`);
        for (const path of message.lost)
          this.#warn('lost', `${path} was in memory only when the machine went down, and is lost`);
        for (const { parent, name } of message.published) {
          invalidateEntry(this.#start.fuseFd, parent, name);
          invalidateNode(this.#start.fuseFd, parent);
        }
        this.#knownFiles = new Set(message.files);
        this.#firstNewInode = message.nextInode;
        this.#opened.resolve();
        return;
      case 'negotiated':
        this.#voice.tell({ type: 'negotiated', negotiated: message.negotiated });
        return;
      case 'readers-wanted':
        this.#readers?.start();
        return;
      case 'unmounted':
        this.#unmounted.resolve();
        return;
      case 'notice':
        this.#notice(message.notice);
    }
  }

  #notice(notice: FrontNotice): void {
    switch (notice.kind) {
      case 'document':
        void this.#documents?.answer(notice);
        return;
      case 'sealed':
      case 'moved':
        this.#hooks?.onSealed(notice.inode).catch((error: unknown) => this.#warn('hook', explain(error)));
        return;
      case 'unsealed':
        this.#hooks?.onUnsealed(notice.inode);
        return;
      case 'abandoned':
        this.#removal = Promise.all([this.#removal, this.#removeLanding(notice.abandoned)]);
        return;
      case 'pressed':
        this.#makeRoom(this.#keepBytes);
        return;
      case 'source-changed':
        invalidateNode(this.#start.fuseFd, notice.node);
        return;
      case 'failed':
        this.#fail(notice.path === '' ? notice.message : `${notice.path}: ${notice.message}`);
    }
  }

  /** What fails to be removed is tried again by the next daemon. */
  async #removeLanding({ id, record, successor }: Abandoned): Promise<void> {
    if (successor === undefined) this.#deadFiles.add(Number(record['inode']));
    try {
      const materializer = await this.#openMaterializer();
      await materializer.remove(record as unknown as Landing, successor as unknown as Landing | undefined);
      this.#frontLink().tell({ type: 'cleared', id });
    } catch (error) {
      this.#warn('landing', explain(error));
    }
  }

  #isLive(inode: number): boolean {
    return (inode >= this.#firstNewInode || this.#knownFiles.has(inode)) && !this.#deadFiles.has(inode);
  }

  #fail(message: string): void {
    this.#failures++;
    this.#warn('failed', message);
  }

  /** A thread is gone: nothing can be trusted any more, so a new daemon takes over. */
  #die(who: string, error: Error): void {
    this.log(`${who} failed: ${error.stack ?? error.message}`);
    process.exit(70);
  }

  #texts(): Map<number, () => string | Promise<string>> {
    const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
    return new Map<number, () => string | Promise<string>>([
      [STATUS_NODE, async () => json(await this.#status())],
      [WARNINGS_NODE, () => json(this.#warningsDocument())],
      [METRICS_NODE, () => this.#metrics()],
      [OPENHCS_NODE, () => (this.#index ? openhcsDocument(this.#index) : '')],
    ]);
  }

  #warningsDocument(): unknown {
    const runtime = this.#runtimeWarnings.map(({ atMs, kind, message }) => ({
      kind,
      message,
      files: [],
      at: new Date(atMs).toISOString(),
    }));
    return { plate: this.#index?.warnings ?? [], runtime };
  }

  async #status(): Promise<StatusDocument & Record<string, unknown>> {
    const { mountpoint, source, output, state } = this.#definition;
    const front = this.#frontLink();
    const [usage, sealed] = await Promise.all([front.ask('usage', {}), front.ask('list-sealed', {})]);
    return {
      pid: process.pid,
      mountpoint,
      source,
      plate: { name: this.#index?.facts.name ?? '', format: this.#index?.facts.formatDetail ?? '' },
      planes: this.#index?.planes.count ?? 0,
      warnings: (this.#index?.warnings.length ?? 0) + this.#runtimeWarnings.length,
      overlay: { usedBytes: usage.reservedBytes, budgetBytes: usage.budgetBytes },
      waiting: {
        files: sealed.files.length,
        sizeBytes: sealed.files.reduce((sum, file) => sum + file.sizeBytes, 0),
      },
      openForWriting: usage.openForWriting,
      landed: this.#landed,
      kept: this.#landing?.failures ?? [],
      hooks: this.#hooks?.counts ?? { running: 0, waiting: 0, failed: 0 },
      hookFailures: this.#hooks?.failures() ?? [],
      output,
      state,
      resumedCount: this.#resumes,
      startedAt: this.#spec.startedAt,
    };
  }

  async #metrics(): Promise<string> {
    const status = await this.#status();
    return renderMetrics({
      platefs_planes: status.planes,
      platefs_warnings: status.warnings,
      platefs_overlay_bytes: status.overlay.usedBytes,
      platefs_overlay_budget_bytes: status.overlay.budgetBytes,
      platefs_landed_files_total: this.#landed.files,
      platefs_landed_bytes_total: this.#landed.sizeBytes,
      platefs_hooks_running: status.hooks.running,
      platefs_hooks_waiting: status.hooks.waiting,
      platefs_hooks_failed: status.hooks.failed,
      platefs_failures_total: this.#failures,
      platefs_resumes_total: this.#resumes,
      platefs_rss_bytes: process.memoryUsage.rss(),
    });
  }

  #methods(): Readonly<Record<string, ControlMethod>> {
    return {
      status: () => this.#status(),
      flush: (_params, { progress, signal }) => this.#flush(progress, signal),
      drain: (params, { progress, signal }) => this.#drain((params as DrainParams).lazy, progress, signal),
    };
  }

  /** Waits for hooks, then lands everything sealed. */
  async #flush(progress: (value: LandingProgress) => void, signal: AbortSignal): Promise<LandingResult> {
    if (!this.#landing) return { files: 0, sizeBytes: 0, kept: [] };
    await this.#hooks?.idle();
    const result = await this.#landing.landAll(progress, signal);
    await this.#removal;
    return result;
  }

  /**
   * Writes everything out, then unmounts. @throws BadMountpointError when programs have files open there.
   */
  #drain(
    lazy: boolean,
    progress: (value: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<LandingResult> {
    const drained = this.#writeOutAndUnmount(lazy, progress, signal);
    this.#draining = drained.catch(() => undefined);
    return drained;
  }

  async #writeOutAndUnmount(
    lazy: boolean,
    progress: (value: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<LandingResult> {
    passFaultPoint('daemon.draining');
    const first = await this.#flush(progress, signal);
    passFaultPoint('daemon.draining');
    const result = await this.#voice.unmount(lazy);
    if (result === 'busy') {
      throw new BadMountpointError(this.#definition.mountpoint, 'is in use', {
        advice: `close the programs that use it (fuser -vm ${this.#definition.mountpoint}), or use --lazy`,
      });
    }
    if (!lazy) await Promise.race([this.#unmounted.promise, delay(5_000)]);
    // What was closed by the unmount itself.
    const rest = await this.#flush(progress, signal);
    return { files: first.files + rest.files, sizeBytes: first.sizeBytes + rest.sizeBytes, kept: rest.kept };
  }

  /** SIGTERM: everything out, then gone, whether programs have files open or not. */
  async drain(): Promise<void> {
    // Before all is up, nobody knows what there is to write out.
    await this.#running.promise;
    try {
      const { kept } = await this.#drain(true, () => {}, this.#stop.signal);
      for (const { path, reason } of kept) this.log(`${path} is kept for the next mount: ${reason}`);
    } catch (error) {
      this.log(`writing out failed, what was written is kept for the next mount: ${explain(error)}`);
    }
    // Programs that still have files open lose them now; what they wrote is whole with that, and lands.
    this.#front?.tell({ type: 'end' });
    await Promise.race([this.#unmounted.promise, delay(FRONT_END_TIMEOUT_MS)]);
    await this.#end();
  }

  /** The mount is gone: land the rest, tidy up, end. */
  #end(): Promise<void> {
    this.#ending ??= this.#finish();
    return this.#ending;
  }

  async #finish(): Promise<void> {
    const { state, mountpoint } = this.#definition;
    await this.#draining;
    try {
      await this.#flush(() => {}, this.#stop.signal);
    } catch (error) {
      this.log(`writing out failed: ${explain(error)}`);
    }
    this.#stop.abort();
    this.#pressure?.[Symbol.dispose]();
    await this.#hooks?.close();
    await (await this.#materializer)?.close();
    await this.#readers?.close();
    await this.#control?.[Symbol.asyncDispose]();
    await this.#frontWorker?.terminate();
    const folders = { state, memory: memoryFolder(state) };
    // What a program had open to the last could not land: nobody called it whole. The next mount does.
    const unlanded = readdirSync(dataFolder(folders)).length;
    if (unlanded === 0) removeMemoryFolder(folders);
    else this.log(`${unlanded} files that had not landed are kept for the next mount`);
    // Whoever waits for the entry to go may mount the plate again at once.
    this.#unlock();
    new MountRegistry(this.#spec.registryFolder).remove(mountpoint);
    this.#voice.tell({ type: 'done' });
  }
}

/** A budget that fits the machine, when the user names none. */
function chooseBudget(memory: string): number {
  using probe = new PressureProbe();
  const { bavail, bsize } = statfsSync(memory);
  return defaultBudgetBytes(probe.sample(Date.now()).availableBytes ?? freemem(), bavail * bsize);
}

const readLength = (path: string): number => statSync(path).size;
const modifiedMs = (path: string): number => statSync(path).mtimeMs;
