import { CancelledError, PlateFsError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { nameAt } from '../../model/plate-lookup.ts';
import { recognisePlate } from '../recognise-plate.ts';

const KIND = 'new-plate';

/** When something below each folder of the root came or went last, by the folder's name. Folders come before what is in them. */
function changedAt({ directories }: PlateIndex): Map<string, number> {
  const top = new Uint32Array(directories.count);
  const latest = new Map<string, number>();
  for (let i = 1; i < directories.count; i += 1) {
    const parent = directories.parents[i] ?? 0;
    top[i] = parent === 0 ? i : (top[parent] ?? 0);
    const name = nameAt(directories.names, top[i] ?? 0);
    latest.set(name, Math.max(latest.get(name) ?? 0, directories.mtimeMs[i] ?? 0));
  }
  return latest;
}

/**
 * Finds plates that come into a folder of sources while it is mounted. A plate is a part of the mount, whose parts are
 * those it began with: such a folder is shown as it is, and a warning says what to do.
 */
export class NewPlates {
  readonly #before: ReadonlyMap<string, number>;
  /** What was said of folders already, by when they had changed. */
  readonly #seen = new Map<string, { readonly atMs: number; readonly format: string | undefined }>();

  /** `first` is the folder as it is shown, with what was said of it. */
  constructor(first: PlateIndex) {
    const before = changedAt(first);
    for (const { kind, files } of first.warnings) if (kind === KIND) before.delete(files[0] ?? '');
    this.#before = before;
  }

  /** The index with a warning for every folder that has become a plate. @throws CancelledError */
  async tell(index: PlateIndex, signal: AbortSignal): Promise<PlateIndex> {
    const { rootPath, warnings, sources = [] } = index;
    const stores = new Set(sources.map(({ name }) => name));
    const found: PlateIndex['warnings'][number][] = [];
    for (const [name, atMs] of changedAt(index)) {
      if (name.startsWith('.') || stores.has(name) || this.#before.get(name) === atMs) continue;
      const format = await this.#formatOf(`${rootPath}/${name}`, atMs, signal);
      if (format === undefined) continue;
      found.push({
        kind: KIND,
        message: `${name} has become a plate (${format}); it is shown as one after the folder is unmounted and mounted again`,
        files: [name],
        rule: `platefs umount, then platefs mount ${shellWord(rootPath)} with --as sources`,
      });
    }
    return found.length === 0 ? index : { ...index, warnings: [...warnings, ...found] };
  }

  async #formatOf(path: string, atMs: number, signal: AbortSignal): Promise<string | undefined> {
    const seen = this.#seen.get(path);
    if (seen?.atMs === atMs) return seen.format;
    let format: string | undefined;
    try {
      format = (await recognisePlate(path, signal)).handler.title;
    } catch (error) {
      // No plate, or not yet, or one that nobody may read.
      if (!(error instanceof PlateFsError) || error instanceof CancelledError) throw error;
    }
    this.#seen.set(path, { atMs, format });
    return format;
  }
}
