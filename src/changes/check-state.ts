import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { examineJournal, type JournalExamination } from '../journal/examine.ts';
import { isFile, isOverlayNode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import type { Namespace } from '../overlay/namespace.ts';
import {
  dataFolder,
  durableFolder,
  journalPath,
  type OverlayFolders,
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

const DATA_NAME = /^[0-9a-f]+$/;

/**
 * Checks journal and data files of a state folder. Changes nothing.
 * @param isServed a daemon works with it: what lies there without a name may be named in the next moment.
 */
export function checkState(folders: OverlayFolders, lower: LowerTree, isServed: boolean): CheckedState {
  const journal = examineJournal(journalPath(folders));
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

/** Files of the state that no inode has its bytes in. */
function unnamedData(folders: OverlayFolders, names: Namespace): Finding[] {
  const found: Finding[] = [];
  const holds = (name: string): boolean => {
    const inode = DATA_NAME.test(name) ? names.inodes.get(Number.parseInt(name, 16)) : undefined;
    return inode !== undefined && !inode.landed;
  };
  for (const folder of [dataFolder(folders), join(folders.state, 'spill'), durableFolder(folders)]) {
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
