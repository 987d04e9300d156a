import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { DEFAULT_REVISION_QUOTA_BYTES } from '../changes/revision-quota.ts';
import type { DaemonSpec, ResolvedDefinition } from '../config/daemon-spec.ts';
import { explain } from '../core/errors.ts';
import { FrontWake } from '../fuse/front-wake.ts';
import type { LandingOwner } from '../materializer/output-owners.ts';
import { budgetOf } from '../memory/budget.ts';
import type { OverlayFolders } from '../overlay/open-overlay.ts';
import { indexFolder } from '../tree/index-cache.ts';
import { MountTree } from '../tree/mount-tree.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import { chooseBudgetBytes, chooseHotBytes } from './budget-choice.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { Documents } from './documents.ts';
import type { FrontLink } from './front-link.ts';
import { startFront } from './front-start.ts';
import { HotRenders } from './hot-renders.ts';
import { hotStore, type KeptFolders, keptFolders } from './kept-stores.ts';
import { landingOwner } from './landing-owner.ts';
import { Landings } from './landings.ts';
import { LiveMount } from './live-mount.ts';
import { LiveRevisions } from './live-revisions.ts';
import { logEvent } from './log.ts';
import type { MessageRoutes } from './message-routes.ts';
import { MountMemory } from './mount-memory.ts';
import { loadPlaneTools, type PlaneTools } from './plane-tools.ts';
import { plateOrigin } from './plate-origin.ts';
import { Readers } from './readers.ts';
import { RenderKeeper } from './render-keeper.ts';
import type { RuntimeWarnings } from './runtime-warnings.ts';
import type { OpenedPart } from './session-files.ts';
import { Status } from './status.ts';
import type { DaemonVoice, StartMessage } from './supervisor-messages.ts';
import { WriteOut } from './write-out.ts';

/** What a daemon has before it has parts. */
export interface Ground {
  readonly start: StartMessage;
  readonly spec: DaemonSpec;
  /** The front's thread, which waits for its first message. */
  readonly frontWorker: Worker;
  readonly voice: DaemonVoice;
  readonly folders: OverlayFolders;
  readonly opened: readonly OpenedPart[];
  /** How many daemons this connection had before. */
  readonly resumes: number;
  readonly warnings: RuntimeWarnings;
  readonly routes: MessageRoutes;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

/** The parts that are started once the front has opened the overlay. */
export interface Composed {
  readonly front: FrontLink;
  readonly readers: Readers;
  readonly landings: Landings;
  readonly memory: MountMemory;
  readonly plates: LiveMount;
  readonly revisions: LiveRevisions;
  readonly renders: RenderKeeper;
  readonly writeOut: WriteOut;
  readonly status: Status;
}

interface Threads {
  readonly readers: Readers;
  readonly front: FrontLink;
  readonly kept: KeptFolders;
  readonly budgetBytes: number;
  readonly hotBytes: number;
}

type Owner = { readonly uid: number; readonly gid: number };

/** A thread is gone: nothing can be trusted any more, so a new daemon takes over. */
function dieOf(who: string, error: Error): void {
  logEvent(`${who} failed: ${error.stack ?? error.message}`);
  process.exit(70);
}

/**
 * Makes the parts of a daemon, starts the front among them, and notes each in `parts` as soon as it is there.
 * @throws what loading the tools for its planes throws.
 */
export async function compose(ground: Ground, parts: DaemonParts): Promise<Composed> {
  const mount = ground.opened.map(({ number, name, shared }) => ({ number, name, shared }));
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const threads = composeThreads(ground, parts, mount, owner);
  const { front, readers } = threads;
  // The front may have opened the overlay by the next turn, and then tells of files that are to land.
  const { landings, memory } = composeLanding(ground, parts, threads);
  const tools = await loadPlaneTools(mount.map(({ shared }) => shared.index));
  const { plates, revisions } = composePlates(ground, parts, { front, landings, tools });
  const renders = composeRenders(ground, parts, { threads, plates, memory, tools });
  const writeOut = new WriteOut({
    mountpoint: ground.spec.definition.mountpoint,
    landings,
    hooks: () => parts.hooks,
    unmount: (lazy) => ground.voice.unmount(lazy),
    unmounted: ground.routes.unmounted,
  });
  parts.writeOut = writeOut;
  const status = new Status({
    spec: ground.spec,
    mount: () => plates.mount,
    front,
    landings,
    memory,
    readers,
    renders: () => parts.renders,
    hot: () => parts.hot,
    hooks: () => parts.hooks,
    warnings: ground.warnings,
    resumes: ground.resumes,
  });
  parts.documents = new Documents(ground.start.fuseFd, status.texts(), owner);
  return { front, readers, landings, memory, plates, revisions, renders, writeOut, status };
}

function composeThreads(ground: Ground, parts: DaemonParts, mount: SharedMount, owner: Owner): Threads {
  const { start, spec, folders, routes } = ground;
  const { definition } = spec;
  const budgetBytes = definition.budgetBytes ?? chooseBudgetBytes(folders.memory);
  const { memoryFd, privileged } = start;
  const largePages = memoryFd === undefined ? undefined : `/proc/self/fd/${memoryFd}`;
  const kept = keptFolders(largePages ?? folders.memory, spec.coldCache);
  const wake = new FrontWake();
  const readers = new Readers({
    kept,
    wake: wake.memory,
    count: definition.options.readers ?? Math.max(2, availableParallelism()),
    fuseFd: start.fuseFd,
    mount,
    outputFolder: definition.output,
    stateFolder: definition.state,
    decodedBytes: budgetOf(budgetBytes).decodedBytes,
    onMessage: (message) => routes.hearReader(message),
    onDeath: (error) => dieOf('a reader thread', error),
  });
  parts.readers = readers;
  const hotBytes = privileged ? chooseHotBytes(budgetBytes, definition.options, largePages !== undefined) : 0;
  const front = startFront({
    worker: ground.frontWorker,
    start,
    definition,
    mount,
    folders,
    budgetBytes,
    hotBytes,
    owner,
    readers,
    wake,
    onMessage: (message) => routes.hearFront(message),
    onDeath: (error) => dieOf('the front thread', error),
  });
  parts.front = front;
  return { readers, front, kept, budgetBytes, hotBytes };
}

/**
 * Who lands, found at once: when files are to land because the disk of the state is full, there is no room to note it.
 * Where it can't be noted now, the landing tries again, and says why not.
 */
function ownerOf(definition: ResolvedDefinition): () => LandingOwner {
  let owner: LandingOwner | undefined;
  try {
    owner = landingOwner(definition);
  } catch (error) {
    logEvent(`who lands could not be noted: ${explain(error)}`);
  }
  return () => (owner ??= landingOwner(definition));
}

function composeLanding(
  { spec, warnings, signal }: Ground,
  parts: DaemonParts,
  { front, readers, budgetBytes }: Threads,
): Pick<Composed, 'landings' | 'memory'> {
  const landings = new Landings({
    outputFolder: spec.definition.output,
    owner: ownerOf(spec.definition),
    format: spec.definition.options.landing,
    front,
    isHeld: (inode) => parts.hooks?.isHeld(inode) ?? false,
    keep: async (landing) => await parts.revisions?.keep(landing),
    plateOf: (mountPath) => parts.plateOf?.(mountPath),
    warn: (message) => warnings.warn('landing', message),
    signal,
  });
  parts.landings = landings;
  const memory = new MountMemory({
    budgetBytes,
    front,
    readers,
    landings,
    unpin: async (bytes) => (await parts.renders?.unpin(bytes)) ?? 0,
    dropHot: async (bytes) => (await parts.hot?.shrink(bytes)) ?? 0,
    log: logEvent,
  });
  parts.memory = memory;
  return { landings, memory };
}

function composePlates(
  { start, spec, opened, warnings, signal }: Ground,
  parts: DaemonParts,
  made: { readonly front: FrontLink; readonly landings: Landings; readonly tools: PlaneTools },
): Pick<Composed, 'plates' | 'revisions'> {
  const { front, landings, tools } = made;
  const { definition } = spec;
  const plates = new LiveMount({
    parts: opened,
    tools,
    fuseFd: start.fuseFd,
    mode: definition.options.watch ?? 'auto',
    front,
    warn: (message) => warnings.warn('plate', message),
    onChange: () => {
      parts.renders?.treeChanged();
    },
    cacheDir: indexFolder(spec.cacheFolder),
    fail: (message) => warnings.fail(message),
    onDeath: (error) => dieOf('the measuring thread', error),
    signal,
  });
  parts.plates = plates;
  parts.plateOf = (mountPath) => plateOrigin(plates.mount, tools.probe, mountPath);
  const revisions = new LiveRevisions({
    stateFolder: definition.state,
    outputFolder: definition.output,
    quotaBytes: definition.options.revisionQuotaBytes ?? DEFAULT_REVISION_QUOTA_BYTES,
    log: logEvent,
    warn: (message) => warnings.warn('revisions', message),
    front,
    fuseFd: start.fuseFd,
    parts: opened.map(({ number }) => number),
    lower: () => new MountTree(plates.mount, tools),
    landAll: (progress, signal) => parts.writeOut?.flush(progress, signal) ?? Promise.resolve(),
    whileNothingLands: (work) => landings.whileNothingLands(work),
  });
  parts.revisions = revisions;
  return { plates, revisions };
}

function composeRenders(
  { start, spec, warnings, signal }: Ground,
  parts: DaemonParts,
  made: {
    readonly threads: Threads;
    readonly plates: LiveMount;
    readonly memory: MountMemory;
    readonly tools: PlaneTools;
  },
): RenderKeeper {
  const { threads, plates, memory, tools } = made;
  const { source } = spec.definition;
  const renders = new RenderKeeper({
    fuseFd: start.fuseFd,
    source,
    folders: threads.kept,
    mount: () => plates.mount,
    tools,
    front: threads.front,
    memory,
    hot: () => parts.hot,
    log: (message) => warnings.warn('pins', message),
  });
  parts.renders = renders;
  if (threads.hotBytes > 0)
    parts.hot = new HotRenders({
      store: hotStore(threads.kept),
      source,
      limitBytes: threads.hotBytes,
      mount: () => plates.mount,
      tools,
      memory,
      counters: threads.readers.counters,
      onChange: () => renders.treeChanged(),
      warn: (message) => warnings.warn('memory', message),
      signal,
    });
  return renders;
}
