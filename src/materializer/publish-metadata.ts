import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonBytes, place } from './atomic-json.ts';
import { landingError } from './landing-pool.ts';
import type { ResultStore } from './result-store.ts';
import { writeStaged } from './staged-file.ts';
import { METADATA_LEVELS, type MetadataFile } from './store-documents.ts';

/** What writing metadata needs. */
export interface PublishContext {
  readonly stagingDir: string;
  readonly store: ResultStore;
  /** Makes all that was written so far durable; the codes of staged files that failed, by path. */
  readonly sync: (files: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** A document of the store that is written and waits for its place. */
export interface StagedDocument {
  readonly stagedPath: string;
  readonly path: string;
  readonly level: MetadataFile['level'];
}

let lastDocument = 0;

/** Writes documents beside the store, but for those that are there already as they should be. */
export function stageDocuments(context: PublishContext, files: readonly MetadataFile[]): StagedDocument[] {
  const unique = [...new Map(files.map((file) => [`${file.path} ${file.level}`, file])).values()];
  return unique.flatMap(({ path, level, content }): StagedDocument[] => {
    const bytes = jsonBytes(content);
    if (isThere(join(context.store.path, path), bytes)) return [];
    const stagedPath = join(context.stagingDir, `document${lastDocument++}`);
    writeStaged(stagedPath, bytes);
    return [{ stagedPath, path, level }];
  });
}

function isThere(path: string, bytes: Buffer): boolean {
  try {
    return readFileSync(path).equals(bytes);
  } catch {
    // Whatever stands in the way: it is written again, and that fails if it must.
    return false;
  }
}

/** Lets durable documents appear level by level, each durable before the next; so is all that was placed before. */
export async function placeDocuments(
  context: PublishContext,
  documents: readonly StagedDocument[],
): Promise<void> {
  if (documents.length === 0) await demandSync(context, []);
  for (const level of METADATA_LEVELS) {
    const ofLevel = documents.filter((document) => document.level === level);
    for (const { stagedPath, path } of ofLevel) place(stagedPath, join(context.store.path, path));
    if (ofLevel.length > 0) await demandSync(context, []);
  }
}

/** Writes documents and lets them appear. @throws NoSpaceError, FsRefusal */
export async function publishMetadata(
  context: PublishContext,
  files: readonly MetadataFile[],
): Promise<void> {
  const documents = stageDocuments(context, files);
  if (documents.length > 0)
    await demandSync(
      context,
      documents.map(({ stagedPath }) => stagedPath),
    );
  await placeDocuments(context, documents);
}

/** @throws NoSpaceError, FsRefusal when what was written so far can't be made durable. */
export async function demandSync(context: PublishContext, files: readonly string[]): Promise<void> {
  for (const [path, code] of await context.sync(files)) throw landingError(code, `${path} was not written`);
}
