import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FileCalls } from '../core/file-calls.ts';
import { Journal } from '../journal/journal.ts';
import { DataStore } from './data-store.ts';
import { FilePlacements, type PlacementLimits, placementLimits } from './file-placement.ts';
import { HandleLog } from './handle-log.ts';
import { isFile } from './inode.ts';
import type { LowerTree } from './lower-tree.ts';
import { Namespace } from './namespace.ts';
import { Overlay, type OverlayParts } from './overlay.ts';
import { noteRecovery, noteRunning, powerState } from './power-mark.ts';
import type { OverlayRecord } from './records.ts';
import { reserveRoom } from './reserved-room.ts';
import { snapshotOf } from './snapshot.ts';
import { restoreSynced } from './synced-recovery.ts';

/** Folders and files an overlay lives in. */
export interface OverlayFolders {
  /** In tmpfs: written bytes, copies under way, the handle log. */
  readonly memory: string;
  /** On disk: journal, spilled bytes, copies that survive power loss. */
  readonly state: string;
}

export const dataFolder = (folders: OverlayFolders): string => join(folders.memory, 'data');
export const stagingFolder = (folders: OverlayFolders): string => join(folders.memory, 'staging');
export const spillFolder = (folders: OverlayFolders): string => join(folders.state, 'spill');
export const durableFolder = (folders: OverlayFolders): string => join(folders.state, 'durable');
export const sumsPath = (folders: OverlayFolders): string => join(folders.memory, 'sums');
export const journalPath = (folders: OverlayFolders): string => join(folders.state, 'journal');

/** Whether the machine went down since the folders were last in use. */
export const hasLostPower = (folders: OverlayFolders): boolean =>
  powerState(folders.memory, dataFolder(folders), folders.state) !== 'kept';

export interface OpenedOverlay {
  readonly overlay: Overlay;
  /** Bytes of an unfinished record that were cut off. */
  readonly tornBytes: number;
  /** Files whose bytes are gone: the machine lost power before they were on disk. */
  readonly lost: readonly string[];
  /** Stretches of files that had been safe on disk and are damaged: reading them fails. */
  readonly damaged: readonly string[];
}

/**
 * Brings back what was written. With a new connection (`resumed` false) no program has anything open: what was
 * unlinked is freed, what was being written is declared whole, and the journal is rewritten to the present state.
 * @throws StateCorruptError, NoSpaceError
 */
export function openOverlay(
  folders: OverlayFolders,
  options: {
    readonly resumed: boolean;
    readonly budgetBytes: number;
    readonly calls: FileCalls;
    readonly lower: LowerTree;
    /** By default as the budget asks. */
    readonly placement?: PlacementLimits;
  },
  notices: Pick<OverlayParts, 'onSealed' | 'onUnsealed' | 'onAbandoned'>,
): OpenedOverlay {
  const { resumed, budgetBytes, calls, lower, placement = placementLimits(budgetBytes) } = options;
  for (const folder of [stagingFolder(folders), durableFolder(folders)])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  const power = powerState(folders.memory, dataFolder(folders), folders.state);
  noteRecovery(folders.memory, power);
  let names = new Namespace(lower);
  const { journal, tornBytes } = Journal.open(
    journalPath(folders),
    (record) => names.apply(record as OverlayRecord),
    power !== 'kept',
  );
  const store = new DataStore(
    {
      memory: dataFolder(folders),
      spill: spillFolder(folders),
      durable: durableFolder(folders),
      sums: sumsPath(folders),
    },
    budgetBytes,
    calls,
    (number) => names.pathOf(number) ?? `inode ${number}`,
  );
  store.growing.fromBytes = placement.largeBytes;
  journal.reserveBy((fd, sizeBytes) => reserveRoom(calls, fd, sizeBytes));
  const handles = new HandleLog(join(folders.memory, 'handles'), resumed, (fd, sizeBytes) =>
    reserveRoom(calls, fd, sizeBytes),
  );
  const parts = {
    journal,
    store,
    handles,
    lower,
    placements: new FilePlacements(store, placement),
    ...notices,
  };
  // Before the journal is rewritten, numbers of what is to be removed are not final.
  let overlay = Overlay.over(names, resumed ? parts : { ...parts, onAbandoned: () => undefined });
  const lost: string[] = [];
  const damaged: string[] = store.sums.wasDamaged ? ['what is known of the bytes in memory'] : [];
  if (handles.damagedRecords > 0)
    damaged.push(`what is known of open files (${handles.damagedRecords} records)`);
  for (const inode of [...names.inodes.values()]) {
    if (!isFile(inode) || inode.landed) continue;
    if (power === 'kept' && store.recover(inode)) continue;
    const restored = restoreSynced(store, inode.number, calls);
    if (!restored && power === 'restarted' && store.recover(inode)) continue;
    if (restored) {
      overlay.adoptSpilled(inode);
      store.sumUp(inode);
      for (const { from, to } of restored.damaged) store.sums.spoil(inode.number, from, to);
      for (const { from, to } of restored.damaged)
        damaged.push(`${names.pathOf(inode.number) ?? inode.number}: bytes ${from} to ${to}`);
    } else if (inode.previous) {
      lost.push(`${names.pathOf(inode.number) ?? inode.number} (what was written since it landed)`);
      overlay.restoreLanded(inode);
    } else if (inode.place) {
      lost.push(names.pathOf(inode.number) ?? inode.place.name);
      overlay.forgetLost(inode);
    }
  }
  store.files.sweep((number) => {
    const inode = names.inodes.get(number);
    return inode !== undefined && !inode.landed;
  });
  for (const name of readdirSync(stagingFolder(folders)))
    rmSync(join(stagingFolder(folders), name), { recursive: true });
  for (const inode of [...names.inodes.values()])
    if (!inode.place && handles.countsOf(inode.number) === undefined) overlay.drop(inode.number);
  if (!resumed) {
    for (const inode of names.inodes.values()) overlay.seal(inode);
    journal.rewrite(snapshotOf(names, lower));
    // As a daemon that resumes will find it: listings go on by the order in which entries came.
    const replayed = new Namespace(lower);
    for (const record of snapshotOf(names, lower)) replayed.apply(record);
    names = replayed;
    overlay = Overlay.over(names, parts);
    for (const name of readdirSync(durableFolder(folders))) {
      const inode = names.inodes.get(Number.parseInt(name, 16));
      if (!inode || inode.landed) rmSync(join(durableFolder(folders), name));
    }
  }
  noteRunning(folders.memory, folders.state);
  overlay.sealed.countAll();
  overlay.landings.announceAbandoned();
  return { overlay, tornBytes, lost, damaged };
}
