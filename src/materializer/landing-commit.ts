import { dirname, join } from 'node:path';
import { FsRefusal, PlateFsError } from '../core/errors.ts';
import { storage } from '../core/storage.ts';
import { systemCode } from '../core/system-code.ts';
import { nameExists, place, writeJson } from './atomic-json.ts';
import { union } from './grown-image.ts';
import { labelledImage } from './label-images.ts';
import { type Landing, landingId, STORE_NAME } from './landing.ts';
import type { ImageReport, PackJob, PackReport, PlainReport } from './landing-job.ts';
import { groupPath, type ImageDecision, type PlainDecision } from './landing-plan.ts';
import { landingError } from './landing-pool.ts';
import { packBatch } from './pack-batch.ts';
import { plainRecordPath } from './plain-placement.ts';
import {
  type PublishContext,
  placeDocuments,
  publishMetadata,
  type StagedDocument,
  stageDocuments,
} from './publish-metadata.ts';
import type { ResultImage } from './result-image.ts';
import type { MetadataFile } from './store-documents.ts';
import { WholeImages } from './whole-images.ts';
import { planeKey, withPlane, writtenFile } from './written-planes.ts';

/** A file whose bytes are staged. */
export type StagedFile =
  | { readonly decision: PlainDecision; readonly report: PlainReport }
  | { readonly decision: ImageDecision; readonly report: ImageReport };

export type LandResult =
  | { readonly inode: number; readonly landing: Landing }
  | { readonly inode: number; readonly error: PlateFsError };

export interface CommitContext extends PublishContext {
  readonly outputDir: string;
  /** Puts planes together into a chunk file. */
  readonly pack: (job: PackJob) => Promise<PackReport>;
}

/** The error of a step on the output folder; our own stay what they are. */
export function asLandingError(error: unknown): PlateFsError {
  if (error instanceof PlateFsError) return error;
  return landingError(systemCode(error), error instanceof Error ? error.message : String(error));
}

function tableFilesOf(report: StagedFile['report']): readonly string[] {
  return 'table' in report && report.table && 'files' in report.table ? report.table.files : [];
}

function stagedPaths({ decision, report }: StagedFile): string[] {
  if (decision.kind === 'plain') return [decision.stagedPath, ...tableFilesOf(report)];
  const chunks = 'chunks' in report ? report.chunks.map((chunk) => chunk.stagedPath) : [];
  const isVerbatim = 'exactness' in report && report.exactness === 'verbatim';
  return [...chunks, decision.job.sidecarPath, ...(isVerbatim ? [decision.job.verbatimPath] : [])];
}

/**
 * Gives staged files their places in the order that keeps the store valid at every instant: bytes durable, then
 * chunks and records, then metadata from the inside out, each level durable before the next.
 */
export async function commitBatch(
  context: CommitContext,
  files: readonly StagedFile[],
): Promise<LandResult[]> {
  const { outputDir, store } = context;
  const results: LandResult[] = [];
  const staged = await packBatch(context, files, ({ decision }, error) => {
    results.push({ inode: decision.file.inode, error: asLandingError(error) });
  });
  await delistTables(context, staged);
  const whole = new WholeImages();
  for (const { decision, report } of staged)
    if (decision.kind === 'image' && 'exactness' in report) whole.add(decision, report.exactness);
  const metadata = whole.stageMetadata();
  // With the bytes they are about, so that all become durable at once; used unless a file drops out.
  const expected = expectedDocuments(context, staged, whole);
  const failures = await context.sync([
    ...staged.flatMap(stagedPaths),
    ...metadata.map((file) => file.path),
    ...(expected ?? []).map((document) => document.stagedPath),
  ]);
  const damaged = new Map(
    metadata.flatMap(({ path, stagedImage }) => (failures.has(path) ? [[stagedImage, path] as const] : [])),
  );
  const durable: StagedFile[] = [];
  for (const file of staged) {
    const { decision } = file;
    const failedPath =
      stagedPaths(file).find((path) => failures.has(path)) ??
      (decision.kind === 'image' ? damaged.get(decision.stagedImage ?? '') : undefined);
    if (failedPath === undefined) {
      durable.push(file);
      continue;
    }
    if (decision.kind === 'image') whole.fail(decision);
    const error = landingError(failures.get(failedPath), `${failedPath} was not written`);
    results.push({ inode: decision.file.inode, error });
  }
  const placed: StagedFile[] = [];
  const placedChunks = new Set<string>();
  const verbatimFolders = new Map<string, boolean>();
  const hasVerbatim = (path: string): boolean => {
    const folder = dirname(path);
    const known = verbatimFolders.get(folder) ?? nameExists(folder);
    verbatimFolders.set(folder, known);
    return known;
  };
  for (const file of imagesFirst(durable)) {
    try {
      placeFile(outputDir, file, whole, hasVerbatim, placedChunks);
      placed.push(file);
    } catch (error) {
      if (file.decision.kind === 'image') whole.fail(file.decision);
      results.push({ inode: file.decision.file.inode, error: asLandingError(error) });
    }
  }
  try {
    const isExpected =
      placed.length === staged.length && expected?.every(({ stagedPath }) => !failures.has(stagedPath));
    if (expected && isExpected) await placeDocuments(context, expected);
    else {
      store.reload();
      await publishMetadata(context, metadataOf(context, placed, whole));
    }
    results.push(...placed.map((file) => ({ inode: file.decision.file.inode, landing: landingOf(file) })));
  } catch (error) {
    const known = asLandingError(error);
    results.push(...placed.map((file) => ({ inode: file.decision.file.inode, error: known })));
    store.reload();
  }
  return results;
}

/** The documents that are due when every file can be placed; undefined when they can't be written. */
function expectedDocuments(
  context: CommitContext,
  staged: readonly StagedFile[],
  whole: WholeImages,
): StagedDocument[] | undefined {
  try {
    return stageDocuments(context, metadataOf(context, staged, whole));
  } catch {
    // Tried again once it is known which files are placed; what fails then is told.
    return undefined;
  }
}

/** Tables of files that were written again are on no list while they are replaced. */
async function delistTables(context: CommitContext, staged: readonly StagedFile[]): Promise<void> {
  const former = staged.flatMap(({ decision }) =>
    decision.kind === 'plain' && decision.formerTable !== undefined ? [decision.formerTable] : [],
  );
  const files = former.length > 0 ? context.store.dismissTables(former) : [];
  if (files.length > 0) await publishMetadata(context, files);
}

/** Puts a table into its place, and takes away what an earlier file left there. */
function placeTable(
  storePath: string,
  { stagedPath, formerTable, table: decided }: PlainDecision,
  table: string | undefined,
): void {
  for (const path of new Set([formerTable, table])) {
    if (path === undefined || !nameExists(join(storePath, path))) continue;
    const aside = `${stagedPath}.old`;
    place(join(storePath, path), aside);
    storage.removeTree(aside);
  }
  if (table !== undefined && decided) place(decided.job.stagedFolder, join(storePath, table));
}

/** Labels come after what they lie below. */
function imagesFirst(files: readonly StagedFile[]): StagedFile[] {
  const isLabel = ({ decision }: StagedFile): boolean =>
    decision.kind === 'image' && decision.placement === 'label';
  return [...files.filter((file) => !isLabel(file)), ...files.filter(isLabel)];
}

function placeFile(
  outputDir: string,
  file: StagedFile,
  whole: WholeImages,
  hasVerbatim: (path: string) => boolean,
  placedChunks: Set<string>,
): void {
  const { decision, report } = file;
  if (decision.kind === 'plain') {
    if (!('diskInode' in report)) return;
    const id = landingId(decision.file, report.crc32);
    const { path, stagedPath } = decision;
    const { inode, owner } = decision.file;
    const table = tableFilesOf(report).length > 0 ? decision.table?.path : undefined;
    const record = {
      id,
      inode,
      ...(owner === undefined ? {} : { owner }),
      path,
      diskInode: report.diskInode,
      ...(table === undefined ? {} : { table }),
    };
    writeJson(`${stagedPath}.json`, record);
    place(`${stagedPath}.json`, join(outputDir, plainRecordPath(path)));
    place(stagedPath, join(outputDir, path));
    placeTable(join(outputDir, STORE_NAME), decision, table);
    return;
  }
  if (!('chunks' in report)) return;
  const verbatim = join(outputDir, decision.verbatim);
  if (decision.stagedImage === undefined) {
    const group = join(outputDir, groupPath(decision.image));
    // The full resolution last: it never has a plane that a lower one lacks. A chunk file may be of several files.
    for (const { stagedPath, level, key } of report.chunks.toSorted((a, b) => b.level - a.level)) {
      if (placedChunks.has(stagedPath)) continue;
      place(stagedPath, join(group, String(level), key));
      placedChunks.add(stagedPath);
    }
  } else {
    demandLabelled(outputDir, decision);
    whole.place(outputDir, decision);
  }
  if (report.exactness === 'verbatim') place(decision.job.verbatimPath, verbatim);
  if (!whole.hasPlacedSidecar(decision)) place(decision.job.sidecarPath, join(outputDir, decision.sidecar));
  // The copy that an earlier version of the same file needed.
  if (report.exactness === 'reassembled' && hasVerbatim(verbatim)) storage.remove(verbatim);
}

/** @throws FsRefusal where the image that labels lie below could not be placed: they are landed again with it. */
function demandLabelled(outputDir: string, { placement, image }: ImageDecision): void {
  if (placement !== 'label') return;
  const labelled = labelledImage(groupPath(image));
  if (!nameExists(join(outputDir, labelled)))
    throw new FsRefusal('io', `the image that it labels, ${labelled}, could not be written`);
}

/** The documents that make files of a batch visible. The store takes note of them: reload it where they can't be. */
function metadataOf(
  { store }: CommitContext,
  placed: readonly StagedFile[],
  whole: WholeImages,
): MetadataFile[] {
  const fields = new Map<string, ResultImage>();
  const images: ResultImage[] = [];
  const tables: string[] = [];
  for (const { decision, report } of placed) {
    if (decision.kind === 'plain') {
      if (decision.table && tableFilesOf(report).length > 0) tables.push(decision.table.path);
    } else if (decision.placement === 'multiscales') images.push(decision.image);
    else {
      const { image, job, file } = decision;
      const known = fields.get(image.path);
      const written = withPlane(known ?? image, planeKey(job.base), writtenFile(file));
      fields.set(image.path, { ...(known ? union(known, image) : image), written });
    }
  }
  const isEmpty = fields.size === 0 && images.length === 0 && tables.length === 0;
  if (isEmpty) return [];
  return whole.without([...store.admit([...fields.values()], images, tables), ...store.layoutFiles()]);
}

function landingOf(file: StagedFile): Landing {
  const { decision, report } = file;
  const { inode, mountPath, sizeBytes, mtimeMs } = decision.file;
  const tableNote =
    'table' in report && report.table && 'note' in report.table ? report.table.note : undefined;
  const notes = [decision.note, tableNote].filter((one) => one !== undefined).join('; ');
  const note = notes === '' ? {} : { note: notes };
  if (decision.kind === 'plain') {
    const id = landingId(decision.file, 'crc32' in report ? report.crc32 : 0);
    return { kind: 'plain', id, inode, mountPath, sizeBytes, mtimeMs, path: decision.path, ...note };
  }
  const {
    id = '',
    exactness = 'verbatim',
    reason,
  }: Partial<ImageReport> = 'exactness' in report ? report : {};
  return {
    kind: 'image',
    id,
    inode,
    mountPath,
    sizeBytes,
    mtimeMs,
    placement: decision.placement,
    path: groupPath(decision.image),
    sidecar: decision.sidecar,
    exactness,
    ...(exactness === 'verbatim' ? { verbatim: decision.verbatim } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...note,
  };
}
