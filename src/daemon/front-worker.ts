import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { RevisionStore } from '../changes/revision-store.ts';
import { isVersionNode, VersionNodes } from '../changes/version-nodes.ts';
import { VersionedTree } from '../changes/versioned-tree.ts';
import { errorDocument } from '../control/protocol.ts';
import { errnoOf } from '../core/errno.ts';
import { explain } from '../core/errors.ts';
import { FrontWake } from '../fuse/front-wake.ts';
import type { Negotiated } from '../fuse/negotiation.ts';
import { resend } from '../fuse/notify.ts';
import { BackingFiles } from '../fuse/passthrough.ts';
import { attributesBody, entryBody, openBody } from '../fuse/reply.ts';
import { replyTo } from '../fuse/reply-writer.ts';
import { runSession } from '../fuse/session.ts';
import type { Durability } from '../model/mount-definition.ts';
import type { PlacementLimits } from '../overlay/file-placement.ts';
import { isFile } from '../overlay/inode.ts';
import { journalPath, type OverlayFolders, openOverlay, stagingFolder } from '../overlay/open-overlay.ts';
import type { Overlay } from '../overlay/overlay.ts';
import { KnownLayouts } from '../tree/known-layouts.ts';
import { MountTree } from '../tree/mount-tree.ts';
import { renderUnitAt } from '../tree/render-unit.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import { loadCatalogEncoders } from '../tree/sources/catalog-encoders.ts';
import { Front } from '../vfs/front.ts';
import { KeptRenders } from '../vfs/kept-renders.ts';
import { kernelFileCalls } from './file-calls.ts';
import { discardPaths, restorePaths, writtenState } from './front-changes.ts';
import type { FromFront, ToFront } from './front-messages.ts';
import { loadPlaneTools } from './plane-tools.ts';
import { publishOutputs } from './publish.ts';
import { ReadAhead } from './read-ahead.ts';
import { ReaderCounters } from './reader-counters.ts';
import { ReaderPool } from './reader-pool.ts';
import { WholeReads } from './whole-reads.ts';

/** What the front thread serves: its first message. */
export interface FrontData {
  readonly fuseFd: number;
  readonly resumed: boolean;
  readonly negotiated?: Negotiated;
  readonly privileged: boolean;
  readonly passthrough: boolean;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly mount: SharedMount;
  readonly folders: OverlayFolders;
  /** Memory that written files may take at the start. */
  readonly budgetBytes: number;
  /** The most that is decoded ahead at once. */
  readonly aheadBytes: number;
  /** What files that were read whole may hold, to be passed through. */
  readonly hotBytes: number;
  /** Where written files go by their size. */
  readonly placement: PlacementLimits;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Somebody wants to hear which files are whole: the mount has rules. */
  readonly tellsSealed: boolean;
  readonly fromMain: MessagePort;
  /** Memory of the {@link FrontWake} that the main thread kicks. */
  readonly wake: SharedArrayBuffer;
  readonly readers: readonly MessagePort[];
  /** Memory of the {@link ReaderCounters}. */
  readonly counters: SharedArrayBuffer;
}

const data = await new Promise<FrontData>((resolve) => parentPort?.once('message', resolve));
const tell = (message: FromFront): void => parentPort?.postMessage(message);

let negotiated: Negotiated | undefined = data.negotiated;
let backing: BackingFiles | undefined;

const canPass = (): boolean =>
  data.privileged && data.passthrough && negotiated?.passthrough === true && backing?.available !== false;

/** Passthrough is known only after INIT; until then nothing is open. */
const lazyBacking = {
  open(fd: number): number | undefined {
    if (!canPass()) return undefined;
    backing ??= new BackingFiles(data.fuseFd, true);
    return backing.open(fd);
  },
  close(backingId: number): void {
    backing ??= new BackingFiles(data.fuseFd, true);
    backing.close(backingId);
  },
};

/** Thrown out of the session's loop when main wants no more requests served. */
class SessionOver extends Error {}

interface Rooms {
  readonly overlay: Overlay;
  readonly front: Front;
  readonly mountTree: MountTree;
  readonly tree: VersionedTree;
  readonly readers: ReaderPool;
  readonly layouts: KnownLayouts;
  readonly wholeReads: WholeReads;
}

function receive(rooms: Rooms, message: ToFront): void {
  const { overlay, front, mountTree, tree, readers, layouts, wholeReads } = rooms;
  switch (message.type) {
    case 'adopt':
      mountTree.adopt(message.part, message.shared);
      tree.treeChanged();
      layouts.clear();
      wholeReads.clear();
      readers.adopt(message.part, message.shared);
      front.treeChanged();
      tell({ type: 'adopted', token: message.token });
      return;
    case 'staged':
      front.staged(message.node, message.errno);
      return;
    case 'measured':
      for (const node of tree.shownAs(message.node)) front.measured(node, message.errno);
      return;
    case 'failed':
      front.failed(message.job, message.errno, message.message);
      return;
    case 'synced':
      front.synced(message.report);
      return;
    case 'list-sealed':
      tell({
        type: 'sealed-files',
        token: message.token,
        files: [...overlay.sealed.files()],
        reservedBytes: overlay.store.reservedBytes,
      });
      return;
    case 'sealed-file': {
      const file = overlay.sealed.file(message.inode);
      tell({ type: 'sealed-file', token: message.token, ...(file === undefined ? {} : { file }) });
      return;
    }
    case 'growing-file': {
      const file = overlay.sealed.watchGrowing(message.inode);
      tell({ type: 'growing-file', token: message.token, ...(file === undefined ? {} : { file }) });
      return;
    }
    case 'landed': {
      const { refused, failure } = overlay.landings.landed(message.items);
      // Where the journal can't take a line, what landed stays for the next try to land in its place.
      if (failure === undefined)
        for (const { inode, record } of refused) overlay.landings.abandon(inode, record);
      const { reservedBytes } = overlay.store;
      tell({
        type: 'landed',
        token: message.token,
        refused: refused.map(({ inode }) => inode),
        reservedBytes,
        ...(failure === undefined ? {} : { failure: explain(failure) }),
      });
      return;
    }
    case 'list-moved':
      tell({ type: 'moved-files', token: message.token, files: [...overlay.landings.moved()] });
      return;
    case 'relanded': {
      const { token, inode, version, record } = message;
      let accepted = false;
      try {
        accepted = overlay.landings.relanded(inode, version, record);
      } catch (error) {
        // The journal can't take a line: the file stays where it lies.
        tell({ type: 'notice', notice: { kind: 'failed', path: '', message: explain(error) } });
      }
      const present = overlay.inode(inode)?.landed ?? overlay.inode(inode)?.previous;
      tell({
        type: 'relanded',
        token,
        accepted,
        ...(present === undefined ? {} : { present: present.record }),
      });
      return;
    }
    case 'cleared':
      overlay.landings.cleared(message.id);
      return;
    case 'publish': {
      const { token, source, outputs, hook } = message;
      try {
        tell({ type: 'published', token, ...publishOutputs(overlay, source, outputs, data.owner, hook) });
      } catch (error) {
        tell({ type: 'published', token, accepted: false, changed: [], failure: explain(error) });
      }
      return;
    }
    case 'hook-ended':
      overlay.hookEnded(message.inode, message.version, message.rule);
      return;
    case 'set-budget': {
      const { reservedBytes, budgetBytes } = overlay.store;
      const accepted = reservedBytes <= message.budgetBytes;
      // What they hold already they may hold until it has landed; what comes goes to disk.
      overlay.store.budgetBytes = accepted ? message.budgetBytes : Math.min(budgetBytes, reservedBytes);
      tell({ type: 'budget-set', token: message.token, accepted });
      return;
    }
    case 'spill': {
      let freedBytes = 0;
      try {
        freedBytes = overlay.bytes.spillResting(message.bytes, message.restingSinceMs);
      } catch (error) {
        // The disk is full, mostly: what is in memory stays there.
        tell({ type: 'notice', notice: { kind: 'failed', path: '', message: explain(error) } });
      }
      tell({ type: 'spilled', token: message.token, freedBytes });
      return;
    }
    case 'flushed':
      front.flushed(message.inode, message.sizeBytes, message.hasFailed);
      return;
    case 'renders':
      front.rendersChanged(message.nodes);
      return;
    case 'render-found': {
      const { uniqueLow, uniqueHigh, node, path } = message.found;
      const reply = front.renderFound(message.found, node, path);
      replyTo(data.fuseFd, uniqueLow, uniqueHigh, [openBody(reply)]);
      return;
    }
    case 'end':
      // The session's loop is left already.
      return;
    case 'revisions':
      tree.reload();
      return;
    case 'written':
      tell({ type: 'written', token: message.token, state: writtenState(overlay, tree) });
      return;
    case 'restore': {
      const { token } = message;
      try {
        tell({ type: 'restore', token, ...restorePaths(overlay, tree, data.folders.state, message) });
      } catch (error) {
        const nothing = { gone: [], come: [], kept: [], changed: [], needed: [] };
        tell({ type: 'restore', token, ...nothing, failure: errorDocument(error) });
      }
      return;
    }
    case 'discard': {
      const { token, paths, force } = message;
      try {
        tell({ type: 'discard', token, ...discardPaths(overlay, tree, paths, force) });
      } catch (error) {
        const failure = errorDocument(error);
        tell({ type: 'discard', token, discarded: [], kept: [], changed: [], failure });
      }
      return;
    }
    case 'usage':
      tell({
        type: 'usage',
        token: message.token,
        reservedBytes: overlay.store.reservedBytes,
        sealedBytes: overlay.sealed.memoryBytes,
        waiting: { files: overlay.sealed.count, sizeBytes: overlay.sealed.sizeBytes },
        openForWriting: [...overlay.handles.nodes()].filter((node) => overlay.handles.isWriting(node)).length,
      });
      return;
  }
}

async function serve(): Promise<void> {
  const tools = await loadPlaneTools(data.mount.map(({ shared }) => shared.index));
  const mountTree = new MountTree(data.mount, tools);
  const { state } = data.folders;
  const tree = new VersionedTree(mountTree, new RevisionStore(state), new VersionNodes(state));
  /** What shows a node, for whoever asks how its bytes are made; undefined for what was written. */
  const ownOf = (node: number): number | undefined => (isVersionNode(node) ? tree.baseOf(node) : node);
  const hasSources = data.mount.some(({ shared }) => shared.index.scope);
  const encoders = hasSources ? await loadCatalogEncoders() : undefined;
  const layouts = new KnownLayouts((node) => {
    const own = ownOf(node);
    return own === undefined ? undefined : mountTree.layoutOf(own, encoders);
  });
  const unitAt = (node: number, offsetBytes: number) =>
    renderUnitAt(node, layouts.of(node), offsetBytes, (region) => {
      const own = ownOf(node);
      return own === undefined ? undefined : mountTree.decodedTogether(own, region);
    });
  const counters = ReaderCounters.over(data.counters);
  const readers = new ReaderPool({
    ports: data.readers,
    counters,
    unitAt,
    ahead: new ReadAhead({
      unitAt,
      isRendered: (node) => !isVersionNode(node) && mountTree.isRendered(node),
      limitBytes: data.aheadBytes,
    }),
    onWanted: (count) => tell({ type: 'readers-wanted', count }),
  });
  const { overlay, tornBytes, lost, damaged } = openOverlay(
    data.folders,
    {
      resumed: data.resumed,
      budgetBytes: data.budgetBytes,
      placement: data.placement,
      calls: kernelFileCalls,
      lower: tree,
    },
    {
      onSealed: (inode) => data.tellsSealed && tell({ type: 'notice', notice: { kind: 'sealed', inode } }),
      onUnsealed: (inode) =>
        data.tellsSealed && tell({ type: 'notice', notice: { kind: 'unsealed', inode } }),
      onAbandoned: (abandoned) => tell({ type: 'notice', notice: { kind: 'abandoned', abandoned } }),
    },
  );
  const wholeReads = new WholeReads({
    sizeOf: (node) =>
      canPass() && !isVersionNode(node) && mountTree.isKeepable(node) && !mountTree.isFetched(node)
        ? mountTree.attributes(node)?.sizeBytes
        : undefined,
    limitBytes: data.hotBytes,
    onWhole: (node) => tell({ type: 'notice', notice: { kind: 'read-whole', node } }),
  });
  const renders = new KeptRenders();
  const ports = [data.fromMain, ...data.readers];
  const front: Front = new Front({
    tree,
    overlay,
    backing: lazyBacking,
    calls: kernelFileCalls,
    owner: data.owner,
    readOnly: data.readOnly,
    stagingFolder: stagingFolder(data.folders),
    journalPath: journalPath(data.folders),
    durability: data.durability,
    diskFolder: data.folders.state,
    submit: (job) => {
      readers.submit(job);
      if (job.kind === 'read-rendered') wholeReads.noted(job.node, job.offsetBytes, job.sizeBytes);
    },
    readLiteral: (node, offsetBytes, target) => {
      const filledBytes = layouts.readLiteral(node, offsetBytes, target);
      if (filledBytes !== undefined) {
        readers.answered(node, offsetBytes, filledBytes);
        wholeReads.noted(node, offsetBytes, filledBytes);
      }
      return filledBytes;
    },
    pacesWrites: true,
    notify: (notice) =>
      tell({
        type: 'notice',
        notice: notice.kind === 'measure' ? { ...notice, node: tree.measuredBy(notice.node) } : notice,
      }),
    answer: ({ uniqueLow, uniqueHigh }, bytes) => replyTo(data.fuseFd, uniqueLow, uniqueHigh, [bytes]),
    answerLate: ({ uniqueLow, uniqueHigh }, late) => {
      const body = late.kind === 'entry' ? entryBody(late.entry) : attributesBody(late.reply);
      replyTo(data.fuseFd, uniqueLow, uniqueHigh, [body]);
    },
    refuse: ({ uniqueLow, uniqueHigh }, errno) => replyTo(data.fuseFd, uniqueLow, uniqueHigh, errno),
    renders,
    passedFolder: join(data.folders.memory, 'passed'),
    drain: () => {
      for (const port of ports) {
        for (let received = receiveMessageOnPort(port); received; received = receiveMessageOnPort(port)) {
          try {
            const message = received.message as ToFront;
            if (message.type === 'end') throw new SessionOver();
            receive({ overlay, front, mountTree, tree, readers, layouts, wholeReads }, message);
          } catch (error) {
            if (error instanceof SessionOver) throw error;
            // A disk that is full, as a rule: this change was not made, and everything else goes on.
            tell({ type: 'notice', notice: { kind: 'failed', path: '', message: explain(error) } });
          }
        }
      }
    },
  });
  const published = data.resumed ? overlay.names.lastPublished : [];
  const { names } = overlay;
  const files = [...names.inodes.values()].filter(isFile).map((inode) => inode.number);
  const { reservedBytes } = overlay.store;
  tell({
    type: 'open',
    tornBytes,
    lost,
    damaged,
    published,
    reservedBytes,
    files,
    nextInode: names.nextInode,
  });
  // Now, because this thread never comes to its end: a successor then starts in a third of the time.
  if (!data.resumed) flushCompileCache();
  // Before the first read: what was carried out and not answered must come before anything new.
  if (data.resumed) resend(data.fuseFd);
  try {
    runSession({
      fd: data.fuseFd,
      handler: front,
      wake: new FrontWake(data.wake),
      errnoOf,
      ...(data.negotiated === undefined ? {} : { negotiated: data.negotiated }),
      onInit: (agreed) => {
        negotiated = agreed;
        tell({ type: 'negotiated', negotiated: agreed });
      },
      report: (error) =>
        tell({ type: 'notice', notice: { kind: 'failed', path: '', message: explain(error) } }),
    });
  } catch (error) {
    if (!(error instanceof SessionOver)) throw error;
  }
  // The mount is gone. What was being written is whole now, and main may still ask about it.
  for (const inode of overlay.names.inodes.values()) overlay.seal(inode);
  tell({ type: 'unmounted' });
  data.fromMain.on('message', (message: ToFront) =>
    receive({ overlay, front, mountTree, tree, readers, layouts, wholeReads }, message),
  );
}

serve().catch((error: unknown) => {
  writeSync(2, `platefs front: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(70);
});
