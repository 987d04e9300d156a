import { join } from 'node:path';
import type { SealedReader } from './sealed-file.ts';
import { removeStaged, writeStaged } from './staged-file.ts';
import { typedColumns } from './table-columns.ts';
import { type TableFormat, tableFiles } from './table-files.ts';
import { readTextTable } from './table-text.ts';

/** A table that a plain file is written as besides. */
export interface TableJob {
  readonly stagedFolder: string;
  readonly format: TableFormat;
  /** What is said of it in the `platefs` attribute of its group. */
  readonly own: object;
}

/** The files of a staged table, or why there is none. */
export type TableReport = { readonly files: readonly string[] } | { readonly note: string };

/** Cells of larger ones would take too much of a worker's memory. */
const MAX_TABLE_BYTES = 32 << 20;

/** Stages a file's table. What was staged is removed when it fails. */
export function stageTable(reader: SealedReader, job: TableJob): TableReport {
  const { mountPath, sizeBytes } = reader.file;
  const none = (why: string): TableReport => ({ note: `it is no table in the store: ${why}` });
  if (sizeBytes > MAX_TABLE_BYTES) return none(`it is larger than ${MAX_TABLE_BYTES / 2 ** 20} MiB`);
  const bytes = Buffer.allocUnsafe(sizeBytes);
  reader.read(0, bytes);
  const text = decoded(bytes);
  if (text === undefined) return none('it is no UTF-8 text');
  const table = readTextTable(text, mountPath);
  if (typeof table === 'string') return none(table);
  const files: string[] = [];
  try {
    for (const file of tableFiles(typedColumns(table), job.format, job.own)) {
      const path = join(job.stagedFolder, file.path);
      files.push(path);
      writeStaged(path, file.bytes);
    }
  } catch (error) {
    removeStaged(files);
    throw error;
  }
  return { files };
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Latin-1, UTF-16 or no text at all: no telling which letters they are.
    return undefined;
  }
}
