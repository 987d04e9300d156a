import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { UnreadableSourceError } from '../core/errors.ts';
import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { PlateIndexBuilder } from '../model/plate-index-builder.ts';
import { StoreFiles } from './shared/store-files.ts';

/** Files of the root that are looked at, so that a change of their content is seen as one. */
const MAX_EVIDENCE = 4096;

const facts = (name: string) => ({
  name,
  format: 'plain-files',
  formatDetail: 'files and stores',
  channels: [],
});

function indexFile(path: string): PlateIndex {
  const folder = dirname(path);
  try {
    const { mtimeNs, ino } = statSync(folder, { bigint: true });
    const file = statSync(path, { bigint: true });
    const builder = new PlateIndexBuilder(folder, { mtimeMs: Number(mtimeNs) / 1e6, inode: ino });
    const number = builder.addFile(0, basename(path));
    builder.addEvidence(number, Number(file.size), Number(file.mtimeNs) / 1e6);
    return builder.finish(facts(basename(path)));
  } catch (cause) {
    throw new UnreadableSourceError(path, 'cannot be read', {
      cause,
      advice: 'check that it is still there',
    });
  }
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  if (statSync(root, { throwIfNoEntry: false })?.isFile()) return indexFile(root);
  const files = await StoreFiles.walk(root, options, signal);
  files.addOwnEvidence(root, MAX_EVIDENCE);
  for (const warning of files.warnings) files.builder.addWarning(warning);
  return files.builder.finish(facts(basename(root)));
}

/** Any file or folder, as it is: for stores and folders that hold no plane. Chunks of Zarr arrays are left out of the index. */
const plainFiles: FormatHandler = {
  id: 'plain-files',
  title: 'Files and stores',
  indexesAnything: true,
  detect: () => Promise.resolve({ confidence: 'no', reason: 'it is no plate' }),
  index,
};

export default plainFiles;
