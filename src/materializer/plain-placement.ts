import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { isObject, nameExists, readJson } from './atomic-json.ts';
import { BRANCHES_FOLDER, LANDED_PATH, STATE_NAME, STORE_NAME } from './landing.ts';

/** Who owns a plain file of the output folder; written before the file gets its name. */
export interface PlainRecord {
  readonly id: string;
  readonly inode: number;
  /** As in the file's landing. */
  readonly owner?: string;
  readonly path: string;
  /** Inode on the output's file system: tells our file from one that somebody put in its place. */
  readonly diskInode: number;
  /** The table of the store that was written of it, by path below the store. */
  readonly table?: string;
}

const RESERVED: ReadonlySet<string> = new Set([STORE_NAME, STATE_NAME, BRANCHES_FOLDER]);

/** Where the record of an output path lies. */
export function plainRecordPath(path: string): string {
  return `${LANDED_PATH}/files/${createHash('sha256').update(path).digest('hex').slice(0, 40)}.json`;
}

export function readPlainRecord(outputDir: string, path: string): PlainRecord | undefined {
  const record = readJson(join(outputDir, plainRecordPath(path)));
  if (!record || !isObject(record)) return undefined;
  const { id, inode, owner, diskInode, table } = record;
  if (typeof id !== 'string' || typeof inode !== 'number' || typeof diskInode !== 'number') return undefined;
  return {
    id,
    inode,
    ...(typeof owner === 'string' ? { owner } : {}),
    path,
    diskInode,
    ...(typeof table === 'string' ? { table } : {}),
  };
}

/** `name~2.csv`: attempt 1 is the name itself. */
function numbered(name: string, attempt: number): string {
  if (attempt === 1) return name;
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? `${name}~${attempt}` : `${name.slice(0, dot)}~${attempt}${name.slice(dot)}`;
}

/**
 * The output path for a plain file: its mount path, or a distinct one where something that is not ours, or that
 * another living file of the mount owns, lies there. Never through a link.
 */
export function choosePlainPath(
  outputDir: string,
  mountPath: string,
  mayReplace: (path: string) => boolean,
): string {
  const parts = mountPath.split('/');
  const name = parts.pop() ?? mountPath;
  let folder = '';
  for (const part of parts) folder = chooseFolder(outputDir, folder, part);
  for (let attempt = 1; ; attempt++) {
    const path = folder + numbered(name, attempt);
    if (folder === '' && RESERVED.has(path)) continue;
    if (!nameExists(join(outputDir, path)) || mayReplace(path)) return path;
  }
}

function chooseFolder(outputDir: string, above: string, name: string): string {
  for (let attempt = 1; ; attempt++) {
    const candidate = above + (attempt === 1 ? name : `${name}~${attempt}`);
    if (above === '' && RESERVED.has(candidate)) continue;
    const path = join(outputDir, candidate);
    if (!nameExists(path) || lstatSync(path).isDirectory()) return `${candidate}/`;
  }
}

/** Whether the file at `path` is still the one that the record was written for. */
export function isRecordedFile(outputDir: string, record: PlainRecord): boolean {
  const path = join(outputDir, record.path);
  return nameExists(path) && lstatSync(path).ino === record.diskInode;
}
