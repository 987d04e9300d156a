import { copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Journal } from '../journal/journal.ts';
import { journalPath, type OverlayFolders } from '../overlay/open-overlay.ts';
import type { CheckedState } from './check-state.ts';
import { type Finding, weightOf } from './findings.ts';

/** A free name beside `path`: nothing that was put aside is ever replaced. */
function freeName(path: string): string {
  for (let number = 1; ; number++) {
    const candidate = `${path}-${number}`;
    if (!existsSync(candidate)) return candidate;
  }
}

/** Gives a file a second name in a folder of the same file system. @returns that name. */
export function linkAside(path: string, folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const aside = freeName(join(folder, `${basename(dirname(path))}-${basename(path)}`));
  linkSync(path, aside);
  return aside;
}

/** Moves a file to another file system where it must. */
function putAside(path: string, folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const aside = freeName(join(folder, `${basename(dirname(path))}-${basename(path)}`));
  try {
    renameSync(path, aside);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error;
    // Out of memory, onto the disk.
    copyFileSync(path, `${aside}.part`);
    renameSync(`${aside}.part`, aside);
    rmSync(path);
  }
  return aside;
}

/** What was damaged, or lost its name, and is kept for people to look at. */
export const rescuedFolder = ({ state }: OverlayFolders): string => join(state, 'rescued');

/**
 * Mends what can be: a damaged journal is put aside and its whole records go on without what is missing; bytes that
 * lost their names with it are put aside, since the next mount would take them away. The state must be locked.
 * @returns what was found, each with what was done.
 */
export function repairState(folders: OverlayFolders, { findings, journal }: CheckedState): Finding[] {
  if (journal.damaged.length === 0) return [...findings];
  const path = journalPath(folders);
  const mended = `${path}.mended`;
  const rescued = rescuedFolder(folders);
  const aside = freeName(`${path}.damaged`);
  // Both are whole before the first name changes; a link keeps the damaged one though the other takes its name.
  rmSync(mended, { force: true });
  const { journal: next } = Journal.open(mended, () => {});
  next.rewrite(journal.records);
  next.close();
  const done = findings.map((finding): Finding => {
    if (finding.kind !== 'data-unnamed') return finding;
    return { ...finding, done: `moved to ${putAside(finding.path, rescued)}` };
  });
  linkSync(path, aside);
  renameSync(mended, path);
  return done.map((finding) =>
    finding.kind === 'journal-damaged'
      ? { ...finding, done: `kept as ${aside}; its whole records go on` }
      : finding,
  );
}

/** Removes what nothing refers to. The state must be locked, its journal whole. @returns what was removed. */
export function collectGarbage(findings: readonly Finding[]): Finding[] {
  const garbage = findings.filter((finding) => weightOf(finding) === 'garbage');
  for (const { path } of garbage) rmSync(path, { recursive: true, force: true });
  return garbage.map((finding) => ({ ...finding, done: 'removed' }));
}
