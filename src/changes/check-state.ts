import { closeSync, existsSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { examineJournal, type JournalExamination } from '../journal/examine.ts';
import { logName, logsIn, readDurableLog } from '../overlay/durable-log.ts';
import { isFile, isOverlayNode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import type { Namespace } from '../overlay/namespace.ts';
import {
  dataFolder,
  durableFolder,
  hasLostPower,
  journalPath,
  type OverlayFolders,
  spillFolder,
  stagingFolder,
} from '../overlay/open-overlay.ts';
import type { OverlayRecord } from '../overlay/records.ts';
import type { Finding } from './findings.ts';
import { namesOf, savedFile, type WrittenState } from './written-state.ts';

export interface CheckedState {
  readonly findings: readonly Finding[];
  readonly journal: JournalExamination;
  readonly names: Namespace;
}

/** A file's number, alone or before the number of its log. */
const DATA_NAME = /^[0-9a-f]+$/;

/**
 * Checks journal and data files of a state folder. Changes nothing.
 * @param isServed a daemon works with it: what lies there without a name may be named in the next moment.
 */
export function checkState(folders: OverlayFolders, lower: LowerTree, isServed: boolean): CheckedState {
  const journal = examineJournal(journalPath(folders), hasLostPower(folders));
  const state: WrittenState = { records: journal.records as OverlayRecord[], files: [] };
  const names = namesOf(state, lower);
  const findings: Finding[] = [];
  const path = journalPath(folders);
  for (const { atByte, sizeBytes } of journal.damaged)
    findings.push({
      kind: 'journal-damaged',
      path,
      detail: `${sizeBytes} bytes from byte ${atByte} on are no record; changes are missing, and no mount starts`,
    });
  if (journal.tornBytes > 0 && !isServed)
    findings.push({
      kind: 'journal-torn',
      path,
      detail: `its last ${journal.tornBytes} bytes are an unfinished change, which the next mount cuts off`,
    });
  findings.push(...damagedLogs(folders, names));
  for (const inode of names.inodes.values()) {
    const { place } = inode;
    if (!place) continue;
    const mountPath = names.pathOf(inode.number) ?? place.name;
    if (isOverlayNode(place.parent) && !names.inodes.has(place.parent))
      findings.push({ kind: 'name-lost', path: mountPath, detail: 'the folder it was written into is gone' });
    if (isServed || !isFile(inode) || savedFile(folders, inode).content.kind !== 'lost') continue;
    findings.push({
      kind: 'file-lost',
      path: mountPath,
      detail: 'it was written, and its bytes are nowhere',
    });
  }
  if (!isServed) findings.push(...unnamedData(folders, names));
  return { findings, journal, names };
}

/** What programs had synced, and is no longer as it was. */
function damagedLogs(folders: OverlayFolders, names: Namespace): Finding[] {
  const found: Finding[] = [];
  if (!existsSync(durableFolder(folders))) return found;
  for (const [number, generations] of logsIn(durableFolder(folders)))
    for (const generation of generations) {
      const path = join(durableFolder(folders), logName(number, generation));
      const fd = openSync(path, 'r');
      try {
        for (const { from, to } of readDurableLog(fd)?.damaged ?? [])
          found.push({
            kind: 'synced-damaged',
            path,
            detail: `bytes ${from} to ${to} of ${names.pathOf(number) ?? 'a file without a name'} are damaged`,
          });
      } finally {
        closeSync(fd);
      }
    }
  return found;
}

/** Files of the state that no inode has its bytes in. */
function unnamedData(folders: OverlayFolders, names: Namespace): Finding[] {
  const found: Finding[] = [];
  const holds = (name: string): boolean => {
    const [number = ''] = name.split('.');
    const inode = DATA_NAME.test(number) ? names.inodes.get(Number.parseInt(number, 16)) : undefined;
    return inode !== undefined && !inode.landed;
  };
  for (const folder of [dataFolder(folders), spillFolder(folders), durableFolder(folders)]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder))
      if (!holds(name))
        found.push({
          kind: 'data-unnamed',
          path: join(folder, name),
          detail: 'bytes that no written file has',
        });
  }
  if (existsSync(stagingFolder(folders)))
    for (const name of readdirSync(stagingFolder(folders)))
      found.push({
        kind: 'staging-left',
        path: join(stagingFolder(folders), name),
        detail: 'a copy that was being made',
      });
  return found;
}
