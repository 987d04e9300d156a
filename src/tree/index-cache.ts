import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { systemCode } from '../core/system-code.ts';
import { PLATE_INDEX_LAYOUT_VERSION, type PlateIndex } from '../model/plate-index.ts';
import { bufferOf, countsOf, layOutColumns, type PlateIndexCounts } from '../model/plate-index-columns.ts';
import { directoryPath, filePath } from '../model/plate-lookup.ts';
import { isSettled } from '../model/settled-directory.ts';
import { type PackedSource, packSources, unpackSources } from './sources/packed-sources.ts';

/**
 * A cache file: magic, layout version, lengths, CRC-32 of what follows; then JSON (everything that is no
 * column); then the columns' buffer as it lies in memory.
 */
const MAGIC = Buffer.from('PFSINDEX');
const HEADER_BYTES = 32;
const SUFFIX = '.index';
/** Plates remembered; the least recently used go. */
const MAX_ENTRIES = 64;
/** Told why a cached index was not used or not written. */
export type CacheLog = (message: string) => void;

/** `$XDG_CACHE_HOME/platefs/index`, `~/.cache` where that is unset (XDG Base Directory Specification). */
export function defaultCacheDir(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return indexFolder(join(base?.startsWith('/') ? base : join(homedir(), '.cache'), 'platefs'));
}

/** Where indexes are kept in a folder for things that can be made again. */
export const indexFolder = (cacheFolder: string): string => join(cacheFolder, 'index');

/** The cache file of a plate folder: named by its real path, device and inode, and the layout it is read by. */
function indexCachePath(cacheDir: string, folder: string, layout: string | undefined): string {
  const real = realpathSync(folder);
  const { dev, ino } = statSync(real, { bigint: true });
  const key = createHash('sha256')
    .update(`${real}\0${dev}\0${ino}${layout === undefined ? '' : `\0${layout}`}`)
    .digest('hex')
    .slice(0, 40);
  return join(cacheDir, key + SUFFIX);
}

interface CacheDescription extends Omit<PlateIndex, 'directories' | 'files' | 'planes' | 'sources'> {
  readonly counts: PlateIndexCounts;
  readonly sources?: readonly PackedSource[];
}

/** Why a cache file can't be used. */
class UnusableCache extends Error {}

function readAll(fd: number, target: Uint8Array, position: number): void {
  for (let done = 0; done < target.length; ) {
    const count = readSync(fd, target, done, target.length - done, position + done);
    if (count === 0) throw new UnusableCache('it is truncated');
    done += count;
  }
}

function readCache(path: string): PlateIndex {
  const fd = openSync(path, 'r');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    readAll(fd, header, 0);
    if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw new UnusableCache('it is no index of ours');
    const version = header.readUInt32LE(8);
    if (version !== PLATE_INDEX_LAYOUT_VERSION) throw new UnusableCache(`its layout is version ${version}`);
    const jsonBytes = header.readUInt32LE(12);
    const columnBytes = header.readDoubleLE(16);
    if (HEADER_BYTES + jsonBytes + columnBytes !== Number(statSync(path).size))
      throw new UnusableCache('its size is wrong');
    const json = Buffer.alloc(jsonBytes);
    readAll(fd, json, HEADER_BYTES);
    const jsonSum = crc32(json);
    if (jsonSum !== header.readUInt32LE(24)) throw new UnusableCache('its checksum is wrong');
    const { counts, sources, ...described } = JSON.parse(json.toString()) as CacheDescription;
    const { buffer, columns } = layOutColumns(counts);
    if (buffer.byteLength !== columnBytes) throw new UnusableCache('its columns have another size');
    const bytes = new Uint8Array(buffer);
    readAll(fd, bytes, HEADER_BYTES + jsonBytes);
    if (crc32(bytes) !== header.readUInt32LE(28)) throw new UnusableCache('its checksum is wrong');
    return { ...described, ...columns, ...(sources ? { sources: unpackSources(sources) } : {}) };
  } finally {
    closeSync(fd);
  }
}

/** The bytes of an index file, in order. */
function indexFileParts(index: PlateIndex, buffer: SharedArrayBuffer): Uint8Array[] {
  const { directories: _d, files: _f, planes: _p, sources, ...described } = index;
  const packed = sources ? { sources: packSources(sources) } : {};
  const json = Buffer.from(JSON.stringify({ ...described, ...packed, counts: countsOf(index) }));
  const bytes = new Uint8Array(buffer);
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(PLATE_INDEX_LAYOUT_VERSION, 8);
  header.writeUInt32LE(json.length, 12);
  header.writeDoubleLE(bytes.length, 16);
  header.writeUInt32LE(crc32(json), 24);
  header.writeUInt32LE(crc32(bytes), 28);
  return [header, json, bytes];
}

/**
 * Writes an index where a process that goes on with this one's work finds it. Survives the process, not the
 * machine: no sync.
 */
export function writeIndexFile(path: string, index: PlateIndex): void {
  const buffer = bufferOf(index);
  if (!buffer) throw new Error('only an index laid out by the builder can be written');
  const temporary = `${path}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    for (const part of indexFileParts(index, buffer)) {
      for (let done = 0; done < part.length; ) done += writeSync(fd, part, done, part.length - done);
    }
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

/**
 * The index that {@link writeIndexFile} wrote, whatever became of the plate since.
 * @throws when it is missing or damaged.
 */
export function readIndexFile(path: string): PlateIndex {
  return readCache(path);
}

/** The first thing of the plate that is not as it was when it was indexed, or undefined. */
function findChange(index: PlateIndex): string | undefined {
  const { directories, files } = index;
  for (let i = 0; i < directories.count; i += 1) {
    const path = directoryPath(index, i);
    const stat = statSync(`${index.rootPath}/${path}`, { bigint: true, throwIfNoEntry: false });
    if (!stat) return `${path || 'the plate folder'} is gone`;
    if (stat.ino !== directories.inodes[i] || Number(stat.mtimeNs) / 1e6 !== directories.mtimeMs[i])
      return `${path || 'the plate folder'} changed`;
  }
  for (const file of index.evidenceFiles) {
    const path = filePath(index, file);
    const stat = statSync(`${index.rootPath}/${path}`, { bigint: true, throwIfNoEntry: false });
    if (!stat) return `${path} is gone`;
    if (Number(stat.size) !== files.sizeBytes[file] || Number(stat.mtimeNs) / 1e6 !== files.mtimeMs[file])
      return `${path} changed`;
  }
  return undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const isMissing = (error: unknown): boolean => systemCode(error) === 'ENOENT';

/** An index out of the cache. */
export interface CachedIndex {
  readonly index: PlateIndex;
  /** Nothing changed since; else it only saves reading what did not change. */
  readonly isPresent: boolean;
}

/**
 * The cached index of a folder, when there is one. A damaged, foreign or outdated cache file counts as none; why
 * is said to `log`.
 */
export function loadCachedIndex(
  cacheDir: string,
  folder: string,
  log: CacheLog,
  layout?: string,
): CachedIndex | undefined {
  try {
    const path = indexCachePath(cacheDir, folder, layout);
    const index = readCache(path);
    const change = findChange(index);
    if (change !== undefined) {
      log(`the plate is indexed again: ${change}`);
      return { index, isPresent: false };
    }
    utimesSync(path, new Date(), new Date());
    return { index, isPresent: true };
  } catch (error) {
    if (!isMissing(error)) log(`the cached index of ${folder} is not used: ${messageOf(error)}`);
    return undefined;
  }
}

/** Why an index would not be safe to trust later, or undefined. */
function whyNotCached(index: PlateIndex, startedAtMs: number): string | undefined {
  if (index.warnings.some((warning) => warning.kind === 'unreadable-folder'))
    return 'some folders could not be read';
  const { count, mtimeMs } = index.directories;
  for (let i = 0; i < count; i += 1) {
    const changedAtMs = mtimeMs[i] ?? 0;
    if (!isSettled(changedAtMs, startedAtMs))
      return `${directoryPath(index, i) || 'the plate folder'} was being changed`;
  }
  return undefined;
}

function dropOldEntries(cacheDir: string): void {
  const entries = readdirSync(cacheDir)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => ({
      name,
      usedAt: statSync(join(cacheDir, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    }))
    .sort((a, b) => b.usedAt - a.usedAt);
  for (const { name } of entries.slice(MAX_ENTRIES)) rmSync(join(cacheDir, name), { force: true });
}

/**
 * Saves an index for `folder`; `startedAtMs` is when indexing began. A failure is told to `log` and costs only
 * the next mount's time. Temp file, fsync, rename: a reader sees the old file or the new one.
 */
export function saveCachedIndex(
  cacheDir: string,
  folder: string,
  index: PlateIndex,
  startedAtMs: number,
  log: CacheLog,
): void {
  const buffer = bufferOf(index);
  const reason = buffer ? whyNotCached(index, startedAtMs) : 'it was not laid out by the builder';
  if (!buffer || reason !== undefined) {
    log(`the index is not cached: ${reason}`);
    return;
  }
  let temp: string | undefined;
  try {
    mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
    const path = indexCachePath(cacheDir, folder, index.facts.layout);
    temp = `${path}.${process.pid}.tmp`;
    writeDurably(temp, indexFileParts(index, buffer));
    renameSync(temp, path);
    temp = undefined;
    dropOldEntries(cacheDir);
  } catch (error) {
    log(`the index could not be cached in ${cacheDir}: ${messageOf(error)}`);
  } finally {
    if (temp !== undefined) rmSync(temp, { force: true });
  }
}

/** Saves an index again of which more is known than when it was saved; one that was not saved then is not now. */
export function saveMeasuredIndex(cacheDir: string, index: PlateIndex, log: CacheLog): void {
  const { scope, rootPath } = index;
  if (scope === undefined || scope.kind === 'url') return;
  const path = scope.kind === 'file' ? `${rootPath}/${scope.name}` : rootPath;
  const cached = loadCachedIndex(cacheDir, path, log);
  if (cached?.isPresent && cached.index.indexedAtMs === index.indexedAtMs)
    saveCachedIndex(cacheDir, path, index, index.indexedAtMs, log);
}

function writeDurably(path: string, parts: readonly Uint8Array[]): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    for (const part of parts)
      for (let done = 0; done < part.length; ) done += writeSync(fd, part, done, part.length - done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
