import { readFile, stat } from 'node:fs/promises';
import { BadMetadataError } from '../../core/errors.ts';
import { compareNatural } from '../../model/natural-order.ts';
import type { PlateWarning } from '../../model/plate.ts';
import { type HtdFacts, htdDisagreements, parseHtd } from './htd.ts';

/** HTDs read; exports copy theirs into every folder. */
const MAX_HTDS = 32;
const MAX_HTD_BYTES = 4 << 20;

/** An HTD in the tree: its path below the root and the plate's name as its own file name says. */
export interface HtdFile {
  readonly path: string;
  readonly file: number;
}

export interface HtdReading {
  readonly facts?: HtdFacts;
  /** Path of the HTD that was used. */
  readonly path?: string;
  readonly warnings: readonly PlateWarning[];
  readonly evidence: readonly {
    readonly file: number;
    readonly sizeBytes: number;
    readonly mtimeMs: number;
  }[];
}

const depth = (path: string): number => path.split('/').length;

/**
 * Reads a plate's HTDs. The one nearest to the root, first in natural order, is used; one that can't be
 * understood is told and passed over; those that contradict the one used are told.
 */
export async function readHtds(root: string, htds: readonly HtdFile[]): Promise<HtdReading> {
  const ordered = [...htds].sort((a, b) => depth(a.path) - depth(b.path) || compareNatural(a.path, b.path));
  const warnings: PlateWarning[] = [];
  const evidence: { file: number; sizeBytes: number; mtimeMs: number }[] = [];
  let used: { path: string; facts: HtdFacts } | undefined;
  for (const { path, file } of ordered.slice(0, MAX_HTDS)) {
    try {
      const { size, mtimeNs } = await stat(`${root}/${path}`, { bigint: true });
      evidence.push({ file, sizeBytes: Number(size), mtimeMs: Number(mtimeNs) / 1e6 });
      if (size > BigInt(MAX_HTD_BYTES))
        throw new BadMetadataError(path, `${size} bytes are too many for an HTD`);
      const facts = parseHtd(path, await readFile(`${root}/${path}`));
      if (!used) {
        used = { path, facts };
        continue;
      }
      const differences = htdDisagreements(used.facts, facts);
      if (differences.length > 0)
        warnings.push({
          kind: 'contradiction',
          message: `${path} contradicts ${used.path}: ${differences.slice(0, 4).join('; ')}`,
          files: [used.path, path],
          rule: 'the HTD nearest to the plate folder is used',
        });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      warnings.push({
        kind: 'bad-metadata',
        message: `${path} was passed over: ${error.message}`,
        files: [path],
        rule: 'names of files and folders decide; what only the HTD knows is absent',
      });
    }
  }
  return { ...(used ?? {}), warnings, evidence };
}
