import { flushCompileCache } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { isBranchState } from '../changes/branch-store.ts';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import { MountRegistry } from '../control/mount-registry.ts';
import { explain, FsRefusal } from '../core/errors.ts';
import { demandWholeJournal } from '../journal/examine.ts';
import { hasLostPower, journalPath, type OverlayFolders, stagingFolder } from '../overlay/open-overlay.ts';
import { compose } from './composition.ts';
import { openControl } from './control-entry.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { FrontLink } from './front-link.ts';
import { LiveChanges } from './live-changes.ts';
import { LiveRevisions } from './live-revisions.ts';
import { logEvent } from './log.ts';
import { memoryFolder, removeMemoryFolder } from './memory-folder.ts';
import { MessageRoutes } from './message-routes.ts';
import { RuntimeWarnings } from './runtime-warnings.ts';
import { countResumes, openSessionParts } from './session-files.ts';
import { keepNames } from './session-names.ts';
import { startHooks } from './start-hooks.ts';
import { lockState } from './state-lock.ts';
import type { DaemonVoice, StartMessage } from './supervisor-messages.ts';

/** The front hears within milliseconds that it is to end. */
const FRONT_END_TIMEOUT_MS = 5000;

/** @throws FsRefusal when the branch was deleted since it was asked for: nothing may be made in its place. */
function demandBranch({ branch, state }: DaemonSpec['definition']): void {
  if (branch !== undefined && !isBranchState(state))
    throw new FsRefusal('no-such-entry', `the branch '${branch}' was deleted`);
}

/**
 * The life of one mount's daemon: opens the plate, starts the parts, and ends them. Runs in the main thread, which
 * serves no FUSE request but those on documents.
 */
export class Daemon {
  readonly #start: StartMessage;
  readonly #spec: DaemonSpec;
  readonly #voice: DaemonVoice;
  readonly #stop = new AbortController();
  readonly #warnings = new RuntimeWarnings();
  readonly #parts: DaemonParts = {};
  readonly #routes: MessageRoutes;
  readonly #frontWorker: Worker;
  #ending: Promise<void> | undefined;
  #unlock: () => void = () => {};
  /** Where written bytes live, from when on the state is ours. */
  #memoryFolder: string | undefined;
  /** Resolves when `run` has started everything. */
  readonly #running = Promise.withResolvers<void>();

  /** @param frontWorker - The front's thread, which may still be loading and waits for its first message. */
  constructor(start: StartMessage, frontWorker: Worker, voice: DaemonVoice) {
    this.#start = start;
    this.#frontWorker = frontWorker;
    this.#spec = start.spec as DaemonSpec;
    this.#voice = voice;
    this.#routes = new MessageRoutes({
      fuseFd: start.fuseFd,
      parts: this.#parts,
      warnings: this.#warnings,
      voice,
      running: this.#running.promise,
    });
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
      if (!this.#parts.front) {
        if (this.#memoryFolder !== undefined && !this.#start.resumed)
          removeMemoryFolder({ state: this.#definition.state, memory: this.#memoryFolder });
        this.#unlock();
      }
      throw error;
    }
  }

  async #serve(): Promise<void> {
    const { resumed } = this.#start;
    const { state } = this.#definition;
    demandBranch(this.#definition);
    this.#unlock = lockState(state);
    demandBranch(this.#definition);
    const folders: OverlayFolders = { state, memory: memoryFolder(state) };
    this.#memoryFolder = folders.memory;
    if (!resumed) demandWholeJournal(journalPath(folders), hasLostPower(folders));
    const resumes = countResumes(folders, resumed);
    if (!resumed) keepNames(folders, this.#definition);
    const opened = await openSessionParts(this.#spec, folders, resumed, {
      signal: this.#stop.signal,
      onProgress: (text) => this.#voice.tell({ type: 'progress', text }),
    });
    LiveRevisions.prepare(
      state,
      opened.map(({ number }) => number),
      !resumed,
    );
    const { front, readers, landings, memory, plates, revisions, renders, writeOut, status } = await compose(
      {
        start: this.#start,
        spec: this.#spec,
        frontWorker: this.#frontWorker,
        voice: this.#voice,
        folders,
        opened,
        resumes,
        warnings: this.#warnings,
        routes: this.#routes,
        signal: this.#stop.signal,
      },
      this.#parts,
    );
    await this.#routes.opened;
    // Whoever waited for a reader when the last daemon died waits for the next one's.
    if (resumed) readers.start();
    landings.start();
    await this.#startHooks(front, folders);
    memory.start();
    await this.#parts.hot?.start();
    await renders.start();
    const changes = new LiveChanges(front, landings, revisions, this.#start.fuseFd);
    this.#parts.control = await openControl(this.#spec, status, writeOut, renders, changes);
    plates.start();
    this.#running.resolve();
    this.#voice.tell({ type: 'ready' });
    setImmediate(flushCompileCache);
    void this.#routes.unmounted.then(() => this.#end());
  }

  async #startHooks(front: FrontLink, folders: OverlayFolders): Promise<void> {
    const hooks = await startHooks({
      rules: this.#definition.hooks,
      stagingDir: stagingFolder(folders),
      front,
      fuseFd: this.#start.fuseFd,
      log: (message) => this.#warnings.warn('hook', message),
    });
    this.#parts.hooks = hooks;
    if (hooks) for (const file of (await front.ask('list-sealed', {})).files) hooks.offer(file);
  }

  /** SIGTERM: everything out, then gone, whether programs have files open or not. */
  async drain(): Promise<void> {
    // Before all is up, nobody knows what there is to write out.
    await this.#running.promise;
    const { front, writeOut } = this.#parts;
    try {
      const drained = await writeOut?.drain(true, () => {}, this.#stop.signal);
      for (const { path, reason } of drained?.kept ?? [])
        logEvent(`${path} is kept for the next mount: ${reason}`);
    } catch (error) {
      logEvent(`writing out failed, what was written is kept for the next mount: ${explain(error)}`);
    }
    // Programs that still have files open lose them now; what they wrote is whole with that, and lands.
    front?.tell({ type: 'end' });
    await Promise.race([this.#routes.unmounted, delay(FRONT_END_TIMEOUT_MS)]);
    await this.#end();
  }

  /** The mount is gone: land the rest, tidy up, end. */
  #end(): Promise<void> {
    this.#ending ??= this.#finish();
    return this.#ending;
  }

  async #finish(): Promise<void> {
    const { state, mountpoint } = this.#definition;
    const { writeOut, revisions, memory, plates, hooks, landings, hot, readers, control } = this.#parts;
    await writeOut?.settled;
    try {
      await writeOut?.flush(() => {}, this.#stop.signal);
    } catch (error) {
      logEvent(`writing out failed: ${explain(error)}`);
    }
    try {
      await revisions?.make('unmount', undefined, false, () => {}, this.#stop.signal);
    } catch (error) {
      logEvent(`no revision could be made: ${explain(error)}`);
    }
    this.#stop.abort();
    memory?.[Symbol.dispose]();
    await plates?.close();
    await hooks?.close();
    await landings?.close();
    await hot?.close();
    await readers?.close();
    await control?.[Symbol.asyncDispose]();
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
