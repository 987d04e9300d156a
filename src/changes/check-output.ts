import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { CancelledError, explain } from '../core/errors.ts';
import { loadSidecar } from '../materializer/landed-image.ts';
import { LANDED_PATH, type Landing, STATE_NAME, STORE_NAME } from '../materializer/landing.ts';
import { OutputLock, type TakeLock } from '../materializer/output-lock.ts';
import { strayStaging } from '../materializer/output-owners.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import type { LandedBytes } from '../overlay/inode.ts';
import type { Namespace } from '../overlay/namespace.ts';
import type { BranchPlace } from './branch-store.ts';
import type { Finding } from './findings.ts';
import { LandedFiles } from './landed-files.ts';

const READ_BYTES = 4 << 20;
const DECODED_BYTES = 64 << 20;

export interface CheckProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
}

interface CheckOptions {
  readonly isServed: boolean;
  /** Tells which mounts land in the folder now. */
  readonly takeLock: TakeLock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CheckProgress) => void;
}

/**
 * Keeps every mount from landing in an output folder, so that what is garbage there stays garbage.
 * @param onNote - Told of a long wait.
 * @returns lets them land again.
 * @throws CancelledError
 */
export async function holdOutput(
  outputFolder: string,
  takeLock: TakeLock,
  onNote: (note: string) => void,
  signal: AbortSignal,
): Promise<() => void> {
  if (!existsSync(join(outputFolder, STATE_NAME))) return () => {};
  const turn = await new OutputLock(outputFolder, 'platefs gc', takeLock, onNote).acquire(signal);
  return turn.release;
}

/** Everything of a mount that is said to be safe in the output folder. */
function landedOf(names: Namespace): { path: string; landed: LandedBytes }[] {
  return [...names.inodes.values()].flatMap(({ number, landed, previous, place }) => {
    const safe = landed ?? previous;
    return safe && place ? [{ path: names.pathOf(number) ?? place.name, landed: safe }] : [];
  });
}

/**
 * Checks an output folder: every landed file is read back whole, every document of the store is read, and what nothing
 * names is looked for. Changes nothing.
 * @throws CancelledError
 */
export async function checkOutput(
  place: BranchPlace,
  names: Namespace,
  { isServed, takeLock, signal, onProgress }: CheckOptions,
): Promise<Finding[]> {
  const { output: outputFolder } = place;
  const files = landedOf(names);
  const findings: Finding[] = [];
  const reader = new LandedFiles(place, new ByteCache(DECODED_BYTES));
  for (const [filesDone, { path, landed }] of files.entries()) {
    onProgress({ filesDone, filesTotal: files.length });
    await turn();
    if (signal.aborted) throw new CancelledError('stopped before everything was checked');
    const fault = readBack(reader, landed);
    if (fault !== undefined) findings.push({ kind: 'landing-unreadable', path, detail: fault });
  }
  const own = files.filter(({ landed }) => landed.record['owner'] === undefined);
  const claimed = new Set(own.map(({ landed }) => String(landed.record['path'])));
  findings.push(
    ...checkStore(join(outputFolder, STORE_NAME), (path) => claimed.has(`${STORE_NAME}/${path}`)),
  );
  if (!isServed) findings.push(...leftBehind(outputFolder, new Set(own.map(idOf)), takeLock));
  return findings;
}

const idOf = ({ landed }: { readonly landed: LandedBytes }): string => String(landed.record['id']);

/** Reads all of a landed file. @returns what is wrong with it. */
export function readBack(
  reader: Pick<LandedFiles, 'readSync'>,
  { record, sizeBytes }: Pick<LandedBytes, 'record' | 'sizeBytes'>,
): string | undefined {
  const landing = record as unknown as Landing;
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, sizeBytes)));
  let sum = 0;
  try {
    for (let at = 0; at < sizeBytes; at += buffer.length) {
      const wanted = Math.min(buffer.length, sizeBytes - at);
      const count = reader.readSync(landing, at, wanted, buffer);
      if (count < wanted) return `only ${at + count} of ${sizeBytes} bytes are there`;
      sum = crc32(buffer.subarray(0, count), sum);
    }
  } catch (error) {
    return explain(error);
  }
  // Of a file that is kept whole the landing's name ends in the checksum of its bytes.
  const isWhole = landing.kind === 'plain' || landing.exactness === 'verbatim';
  const expected = /-([0-9a-f]{8})$/.exec(landing.id)?.[1];
  if (isWhole && expected !== undefined && expected !== sum.toString(16).padStart(8, '0'))
    return 'its bytes in the output folder are no longer those that were written';
  return undefined;
}

const DOCUMENTS: ReadonlySet<string> = new Set(['.zattrs', '.zgroup', '.zarray', 'zarr.json']);
const LABELS_OF_FIELD = /^[A-Z]{1,2}\/\d+\/\d+\/labels$/;
type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Every document of a store is JSON, what documents name is there, and images of wells are named.
 * @param isClaimed whether files landed in the image at a path below the store.
 */
function checkStore(store: string, isClaimed: (path: string) => boolean): Finding[] {
  if (!existsSync(store)) return [];
  const findings: Finding[] = [];
  const read = (path: string): JsonObject | undefined => {
    try {
      const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
      findings.push({ kind: 'store-damaged', path, detail: 'is no JSON object' });
    } catch (error) {
      findings.push({ kind: 'store-damaged', path, detail: `is no document: ${explain(error)}` });
    }
    return undefined;
  };
  const named = (folder: string, list: unknown): void => {
    for (const entry of Array.isArray(list) ? (list as JsonObject[]) : []) {
      const path = typeof entry?.['path'] === 'string' ? join(folder, entry['path']) : undefined;
      if (path !== undefined && !existsSync(path))
        findings.push({ kind: 'store-damaged', path, detail: `is named by ${folder}, and missing` });
    }
  };
  /** Folders below `folder` that should be on a list, and are not. */
  const unnamed = (folder: string, names: readonly string[], list: unknown, lister: string): void => {
    const listed = new Set(Array.isArray(list) ? (list as unknown[]) : []);
    for (const name of names.filter((one) => !listed.has(one))) {
      const path = join(folder, name);
      findings.push(
        isClaimed(relative(store, path))
          ? { kind: 'store-damaged', path, detail: `files landed in it, and ${lister} does not name it` }
          : {
              kind: 'image-unnamed',
              path,
              detail: `a landing that did not end; ${lister} does not name it`,
            },
      );
    }
  };
  const walk = (folder: string): void => {
    const entries = readdirSync(folder, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    let isArray = entries.some(({ name }) => name === '.zarray');
    let labels: unknown;
    let tables: unknown;
    for (const { name } of entries.filter((entry) => entry.isFile() && DOCUMENTS.has(entry.name))) {
      const document = read(join(folder, name));
      const attributes = name === 'zarr.json' ? ome(document) : document;
      isArray ||= document?.['node_type'] === 'array';
      named(folder, (attributes?.['plate'] as JsonObject | undefined)?.['wells']);
      const images = (attributes?.['well'] as JsonObject | undefined)?.['images'];
      named(folder, images);
      labels ??= attributes?.['labels'];
      tables ??= tablesOf(document);
      if (!Array.isArray(images)) continue;
      const paths = (images as JsonObject[]).map((image) => image?.['path']);
      const numbered = folders.filter((name) => /^\d+$/.test(name));
      unnamed(folder, numbered, paths, 'its well');
    }
    // What lies in an array is chunks.
    if (isArray) return;
    if (Array.isArray(labels))
      named(
        folder,
        (labels as unknown[]).map((path) => ({ path })),
      );
    if (labels !== undefined || LABELS_OF_FIELD.test(relative(store, folder)))
      unnamed(folder, folders, labels, 'its list of labels');
    if (Array.isArray(tables)) {
      named(
        folder,
        (tables as unknown[]).map((path) => ({ path })),
      );
      unnamed(folder, folders, tables, 'its list of tables');
    }
    for (const name of folders) walk(join(folder, name));
  };
  walk(store);
  return findings;
}

/** In Zarr v3 the list of tables stands beside what OME-NGFF defines. */
const tablesOf = (document: JsonObject | undefined): unknown =>
  document?.['zarr_format'] === 3
    ? (document['attributes'] as JsonObject | undefined)?.['tables']
    : document?.['tables'];

const ome = (document: JsonObject | undefined): JsonObject | undefined =>
  (document?.['attributes'] as JsonObject | undefined)?.['ome'] as JsonObject | undefined;

const isEmptyFolder = (path: string): boolean =>
  statSync(path).isDirectory() && readdirSync(path).length === 0;

/** What a crash left in an output folder. */
function leftBehind(outputFolder: string, claimed: ReadonlySet<string>, takeLock: TakeLock): Finding[] {
  const found: Finding[] = [];
  for (const path of strayStaging(outputFolder, takeLock))
    if (!isEmptyFolder(path))
      found.push({ kind: 'staging-left', path, detail: 'a landing that did not end' });
  const records = join(outputFolder, LANDED_PATH);
  if (!existsSync(records)) return found;
  for (const name of readdirSync(records, { recursive: true, encoding: 'utf8' })) {
    const path = join(records, name);
    if (!statSync(path).isFile()) continue;
    const id = recordId(path);
    if (id === undefined || !claimed.has(id))
      found.push({
        kind: 'landing-unclaimed',
        path,
        detail: 'it is of no file of this mount; of another one with the same output folder, maybe',
      });
  }
  return found;
}

/** Which landing a record is of; undefined for one that can't be read. */
function recordId(path: string): string | undefined {
  try {
    if (path.endsWith('.json')) return String((JSON.parse(readFileSync(path, 'utf8')) as JsonObject)['id']);
    return loadSidecar(path).sidecar.id;
  } catch {
    // Said of the file that landed with it, whose bytes can't be read back.
    return undefined;
  }
}
