import { flushCompileCache } from 'node:module';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, type Worker } from 'node:worker_threads';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import type { ControlServer } from '../control/control-server.ts';
import { MountRegistry } from '../control/mount-registry.ts';
import { errnoOf } from '../core/errno.ts';
import { explain } from '../core/errors.ts';
import { FrontWake } from '../fuse/front-wake.ts';
import { invalidateNode } from '../fuse/notify.ts';
import { demandWholeJournal } from '../journal/examine.ts';
import { budgetOf } from '../memory/budget.ts';
import { placementLimits } from '../overlay/file-placement.ts';
import { hasLostPower, journalPath, type OverlayFolders, stagingFolder } from '../overlay/open-overlay.ts';
import { indexFolder } from '../tree/index-cache.ts';
import { MountTree } from '../tree/mount-tree.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import type { FrontNotice } from '../vfs/jobs.ts';
import { chooseBudgetBytes, chooseHotBytes } from './budget-choice.ts';
import { openControl } from './control-entry.ts';
import { Documents } from './documents.ts';
import { FrontLink } from './front-link.ts';
import type { FromFront } from './front-messages.ts';
import type { FrontData } from './front-worker.ts';
import type { HookPump } from './hook-pump.ts';
import { HotRenders } from './hot-renders.ts';
import { hotStore, keptFolders } from './kept-stores.ts';
import { Landings } from './landings.ts';
import { LiveChanges } from './live-changes.ts';
import { LiveMount } from './live-mount.ts';
import { LiveRevisions } from './live-revisions.ts';
import { logEvent } from './log.ts';
import { memoryFolder, removeMemoryFolder } from './memory-folder.ts';
import { MountMemory, writtenBoundBytes } from './mount-memory.ts';
import { loadPlaneTools } from './plane-tools.ts';
import { Readers } from './readers.ts';
import { RenderKeeper } from './render-keeper.ts';
import { RuntimeWarnings } from './runtime-warnings.ts';
import { countResumes, openSessionParts } from './session-files.ts';
import { keepNames } from './session-names.ts';
import { startHooks } from './start-hooks.ts';
import { lockState } from './state-lock.ts';
import { Status } from './status.ts';
import type { DaemonVoice, StartMessage } from './supervisor-messages.ts';
import { invalidateNames } from './tree-invalidation.ts';
import { WriteOut } from './write-out.ts';
import { WritePace } from './write-pace.ts';

type FrontBudget = { readonly budgetBytes: number; readonly hotBytes: number };

/** The front hears within milliseconds that it is to end. */
const FRONT_END_TIMEOUT_MS = 5000;

/**
 * One mount's daemon: opens the plate, starts the front and reader threads, and moves what they publish between
 * the rooms. Runs in the main thread, which serves no FUSE request but those on documents.
 */
export class Daemon {
  readonly #start: StartMessage;
  readonly #spec: DaemonSpec;
  readonly #voice: DaemonVoice;
  readonly #stop = new AbortController();
  readonly #warnings = new RuntimeWarnings();
  readonly #pace: WritePace;
  readonly #owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  #front: FrontLink | undefined;
  readonly #frontWorker: Worker;
  readonly #wake = new FrontWake();
  #readers: Readers | undefined;
  #documents: Documents | undefined;
  #landings: Landings | undefined;
  #writeOut: WriteOut | undefined;
  #hooks: HookPump | undefined;
  #plates: LiveMount | undefined;
  #control: ControlServer | undefined;
  #memory: MountMemory | undefined;
  #renders: RenderKeeper | undefined;
  #revisions: LiveRevisions | undefined;
  #hot: HotRenders | undefined;
  #ending: Promise<void> | undefined;
  #unlock: () => void = () => {};
  /** Where written bytes live, from when on the state is ours. */
  #memoryFolder: string | undefined;
  readonly #unmounted = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();
  /** Resolves when `run` has started everything. */
  readonly #running = Promise.withResolvers<void>();

  /** @param frontWorker - The front's thread, which may still be loading and waits for its first message. */
  constructor(start: StartMessage, frontWorker: Worker, voice: DaemonVoice) {
    this.#start = start;
    this.#frontWorker = frontWorker;
    this.#spec = start.spec as DaemonSpec;
    this.#voice = voice;
    this.#pace = new WritePace(start.fuseFd);
  }

  get #definition(): DaemonSpec['definition'] {
    return this.#spec.definition;
  }

  /** @throws a typed error when the mount can't be served. */
  async run(): Promise<void> {
    try {
      await this.#serve();
    } catch (error) {
      // Before the front nothing is written: whoever mounts it right, and at once, need not wait for our end.
      if (!this.#front) {
        if (this.#memoryFolder !== undefined && !this.#start.resumed)
          removeMemoryFolder({ state: this.#definition.state, memory: this.#memoryFolder });
        this.#unlock();
      }
      throw error;
    }
  }

  async #serve(): Promise<void> {
    const { resumed } = this.#start;
    const { state, output } = this.#definition;
    this.#unlock = lockState(state);
    const folders: OverlayFolders = { state, memory: memoryFolder(state) };
    this.#memoryFolder = folders.memory;
    if (!resumed) demandWholeJournal(journalPath(folders), hasLostPower(folders));
    const resumes = countResumes(folders, resumed);
    if (!resumed) keepNames(folders, this.#definition);
    const opened = await openSessionParts(this.#spec, folders, resumed, {
      signal: this.#stop.signal,
      onProgress: (text) => this.#voice.tell({ type: 'progress', text }),
    });
    const mount = opened.map(({ number, name, shared }) => ({ number, name, shared }));
    LiveRevisions.prepare(
      state,
      mount.map(({ number }) => number),
      !resumed,
    );
    const budgetBytes = this.#definition.budgetBytes ?? chooseBudgetBytes(folders.memory);
    const { memoryFd, privileged } = this.#start;
    const largePages = memoryFd === undefined ? undefined : `/proc/self/fd/${memoryFd}`;
    const kept = keptFolders(largePages ?? folders.memory, this.#spec.coldCache);
    this.#readers = new Readers({
      kept,
      wake: this.#wake.memory,
      count: this.#definition.options.readers ?? Math.max(2, availableParallelism()),
      fuseFd: this.#start.fuseFd,
      mount,
      outputFolder: output,
      stateFolder: state,
      decodedBytes: budgetOf(budgetBytes).decodedBytes,
      onMessage: (message) => {
        if (message.type === 'staged')
          this.#front?.tell({ type: 'staged', node: message.node, errno: message.errno });
        else if (message.type === 'render-found') {
          this.#front?.nudge();
          this.#hot?.looked(message.found.node, message.found.path);
        } else if (message.type === 'synced') this.#front?.tell(message);
        else if (message.type === 'failed-job') this.#front?.tell({ ...message, type: 'failed' });
        else if (message.type === 'source-changed') this.#plates?.sourceChanged(message.node);
        else if (message.type === 'files-read') this.#plates?.filesRead(message.files);
        else this.#warnings.fail(message.message);
      },
      onDeath: (error) => this.#die('a reader thread', error),
    });
    const hotBytes = privileged
      ? chooseHotBytes(budgetBytes, this.#definition.options, largePages !== undefined)
      : 0;
    const front = this.#startFront(mount, folders, { budgetBytes, hotBytes }, this.#readers);
    const landings = new Landings({
      outputFolder: output,
      format: this.#definition.options.landing,
      front,
      isHeld: (inode) => this.#hooks?.isHeld(inode) ?? false,
      keep: async (landing) => await this.#revisions?.keep(landing),
      warn: (message) => this.#warnings.warn('landing', message),
      signal: this.#stop.signal,
    });
    this.#landings = landings;
    const memory = new MountMemory({
      budgetBytes,
      front,
      readers: this.#readers,
      landings,
      unpin: async (bytes) => (await this.#renders?.unpin(bytes)) ?? 0,
      dropHot: async (bytes) => (await this.#hot?.shrink(bytes)) ?? 0,
      log: logEvent,
    });
    this.#memory = memory;
    const tools = await loadPlaneTools(mount.map(({ shared }) => shared.index));
    const plates = new LiveMount({
      parts: opened,
      tools,
      fuseFd: this.#start.fuseFd,
      mode: this.#definition.options.watch ?? 'auto',
      front,
      warn: (message) => this.#warnings.warn('plate', message),
      onChange: () => {
        this.#renders?.treeChanged();
      },
      cacheDir: indexFolder(this.#spec.cacheFolder),
      fail: (message) => this.#warnings.fail(message),
      onDeath: (error) => this.#die('the measuring thread', error),
      signal: this.#stop.signal,
    });
    this.#plates = plates;
    const revisions = new LiveRevisions({
      stateFolder: state,
      outputFolder: output,
      front,
      fuseFd: this.#start.fuseFd,
      parts: mount.map(({ number }) => number),
      lower: () => new MountTree(plates.mount, tools),
      landAll: (progress, signal) => this.#writeOut?.flush(progress, signal) ?? Promise.resolve(),
      whileNothingLands: (work) => landings.whileNothingLands(work),
    });
    this.#revisions = revisions;
    const renders = new RenderKeeper({
      fuseFd: this.#start.fuseFd,
      source: this.#definition.source,
      folders: kept,
      mount: () => plates.mount,
      tools,
      front,
      memory,
      hot: () => this.#hot,
      log: (message) => this.#warnings.warn('pins', message),
    });
    this.#renders = renders;
    if (hotBytes > 0)
      this.#hot = new HotRenders({
        store: hotStore(kept),
        source: this.#definition.source,
        limitBytes: hotBytes,
        mount: () => plates.mount,
        tools,
        memory,
        counters: this.#readers.counters,
        onChange: () => renders.treeChanged(),
        warn: (message) => this.#warnings.warn('memory', message),
        signal: this.#stop.signal,
      });
    const writeOut = new WriteOut({
      mountpoint: this.#definition.mountpoint,
      landings,
      hooks: () => this.#hooks,
      unmount: (lazy) => this.#voice.unmount(lazy),
      unmounted: this.#unmounted.promise,
    });
    this.#writeOut = writeOut;
    const status = new Status({
      spec: this.#spec,
      mount: () => plates.mount,
      front,
      landings,
      memory,
      readers: this.#readers,
      renders: () => this.#renders,
      hot: () => this.#hot,
      hooks: () => this.#hooks,
      warnings: this.#warnings,
      resumes,
    });
    this.#documents = new Documents(this.#start.fuseFd, status.texts(), this.#owner);
    await this.#opened.promise;
    // Whoever waited for a reader when the last daemon died waits for the next one's.
    if (resumed) this.#readers.start();
    landings.start();
    await this.#startHooks(front, folders);
    memory.start();
    await this.#hot?.start();
    await renders.start();
    const changes = new LiveChanges(front, landings, revisions, this.#start.fuseFd);
    this.#control = await openControl(this.#spec, status, writeOut, renders, changes);
    plates.start();
    this.#running.resolve();
    this.#voice.tell({ type: 'ready' });
    setImmediate(flushCompileCache);
    void this.#unmounted.promise.then(() => this.#end());
  }

  #startFront(mount: SharedMount, folders: OverlayFolders, budget: FrontBudget, readers: Readers): FrontLink {
    const { budgetBytes, hotBytes } = budget;
    const { fuseFd, resumed, negotiated, privileged } = this.#start;
    const channel = new MessageChannel();
    const ports = readers.frontPorts();
    const data: FrontData = {
      fuseFd,
      resumed,
      ...(negotiated === undefined ? {} : { negotiated }),
      privileged,
      passthrough: !this.#definition.options.noPassthrough,
      readOnly: this.#definition.options.readOnly,
      durability: this.#definition.options.durability ?? 'fsync',
      mount,
      folders,
      budgetBytes: writtenBoundBytes(budgetBytes),
      placement: placementLimits(budgetBytes, this.#definition.options),
      aheadBytes: Math.floor(budgetOf(budgetBytes).decodedBytes / ports.length / 2),
      hotBytes,
      owner: this.#owner,
      tellsSealed: this.#definition.hooks.length > 0,
      fromMain: channel.port2,
      wake: this.#wake.memory,
      readers: ports,
      counters: readers.counters.memory,
    };
    const worker = this.#frontWorker;
    worker.ref();
    worker.on('error', (error) => this.#die('the front thread', error));
    const front = new FrontLink(worker, channel.port1, this.#wake, (message) => this.#hear(message));
    this.#front = front;
    worker.postMessage(data, [channel.port2, ...ports]);
    return front;
  }

  async #startHooks(front: FrontLink, folders: OverlayFolders): Promise<void> {
    this.#hooks = await startHooks({
      rules: this.#definition.hooks,
      stagingDir: stagingFolder(folders),
      front,
      fuseFd: this.#start.fuseFd,
      log: (message) => this.#warnings.warn('hook', message),
    });
    if (this.#hooks) for (const file of (await front.ask('list-sealed', {})).files) this.#hooks.offer(file);
  }

  #hear(message: FromFront): void {
    switch (message.type) {
      case 'open':
        if (message.tornBytes > 0)
          logEvent(`${message.tornBytes} bytes of an unfinished change were cut off the journal`);
        for (const path of message.lost)
          this.#warnings.warn('lost', `${path} was in memory only when the machine went down, and is lost`);
        for (const what of message.damaged)
          this.#warnings.fail(
            `${what} was damaged on disk and can't be read; restore the file from elsewhere`,
          );
        invalidateNames(this.#start.fuseFd, message.published);
        this.#landings?.know(message.files, message.nextInode);
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
      case 'stage-document':
        void this.#stageDocument(notice.node, notice.stagedPath);
        return;
      case 'sealed':
      case 'moved':
        this.#hooks
          ?.onSealed(notice.inode)
          .catch((error: unknown) => this.#warnings.warn('hook', explain(error)));
        return;
      case 'unsealed':
        this.#hooks?.onUnsealed(notice.inode);
        return;
      case 'abandoned':
        this.#landings?.remove(notice.abandoned);
        return;
      case 'flush':
      case 'answer-write':
        this.#pace.hear(notice, this.#front);
        return;
      case 'pressed':
        this.#memory?.pressed();
        return;
      case 'source-changed':
      case 'passed-through':
        invalidateNode(this.#start.fuseFd, notice.node);
        return;
      case 'read-whole':
        this.#hot?.wanted(notice.node);
        return;
      case 'measure':
        void this.#running.promise.then(() => this.#plates?.measure(notice.node));
        return;
      case 'failed':
        this.#warnings.fail(notice.path === '' ? notice.message : `${notice.path}: ${notice.message}`);
    }
  }

  async #stageDocument(node: number, stagedPath: string): Promise<void> {
    const error = await this.#documents?.stage(node, stagedPath);
    if (error !== undefined) this.#warnings.fail(explain(error));
    this.#front?.tell({ type: 'staged', node, errno: error === undefined ? 0 : errnoOf(error) });
  }

  /** A thread is gone: nothing can be trusted any more, so a new daemon takes over. */
  #die(who: string, error: Error): void {
    logEvent(`${who} failed: ${error.stack ?? error.message}`);
    process.exit(70);
  }

  /** SIGTERM: everything out, then gone, whether programs have files open or not. */
  async drain(): Promise<void> {
    // Before all is up, nobody knows what there is to write out.
    await this.#running.promise;
    try {
      const drained = await this.#writeOut?.drain(true, () => {}, this.#stop.signal);
      for (const { path, reason } of drained?.kept ?? [])
        logEvent(`${path} is kept for the next mount: ${reason}`);
    } catch (error) {
      logEvent(`writing out failed, what was written is kept for the next mount: ${explain(error)}`);
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
    await this.#writeOut?.settled;
    try {
      await this.#writeOut?.flush(() => {}, this.#stop.signal);
    } catch (error) {
      logEvent(`writing out failed: ${explain(error)}`);
    }
    try {
      await this.#revisions?.make('unmount', undefined, false, () => {}, this.#stop.signal);
    } catch (error) {
      logEvent(`no revision could be made: ${explain(error)}`);
    }
    this.#stop.abort();
    this.#memory?.[Symbol.dispose]();
    await this.#plates?.close();
    await this.#hooks?.close();
    await this.#landings?.close();
    await this.#hot?.close();
    await this.#readers?.close();
    await this.#control?.[Symbol.asyncDispose]();
    await this.#frontWorker.terminate();
    const folders = { state, memory: this.#memoryFolder ?? memoryFolder(state) };
    // What a program had open to the last could not land: nobody called it whole. The next mount does.
    const unlanded = removeMemoryFolder(folders);
    if (unlanded > 0) logEvent(`${unlanded} files that had not landed are kept for the next mount`);
    // Whoever waits for the entry to go may mount the plate again at once.
    this.#unlock();
    new MountRegistry(this.#spec.registryFolder).remove(mountpoint);
    this.#voice.tell({ type: 'done' });
  }
}
