import { CancelledError, PlateFsError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { nameAt } from '../../model/plate-lookup.ts';
import { openPlate } from '../open-plate.ts';
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

type Warning = PlateIndex['warnings'][number];

/** What was found of a folder. */
interface Seen {
  readonly atMs: number;
  readonly warning: Warning | undefined;
}

/**
 * Finds plates that come into a folder of sources while it is mounted. A plate is a part of the mount, whose parts are
 * those it began with: such a folder is shown as it is, and a warning says what to do. So it is of a plate that could not
 * be shown when the folder was mounted, and can be now.
 */
export class NewPlates {
  readonly #before: ReadonlyMap<string, number>;
  /** Names of the plates that could not be shown. */
  readonly #refused: ReadonlySet<string>;
  /** What was said of folders already, by when they had changed. */
  readonly #seen = new Map<string, Seen>();

  /** `first` is the folder as it is shown, with what was said of it. */
  constructor(first: PlateIndex) {
    const before = changedAt(first);
    for (const { kind, files } of first.warnings) if (kind === KIND) before.delete(files[0] ?? '');
    this.#before = before;
    const { scope } = first;
    const refused = scope?.kind === 'folder' ? scope.refused : undefined;
    this.#refused = new Set(refused?.map(({ name }) => name));
  }

  /** The index with a warning for every folder that is a plate, and not shown as one. @throws CancelledError */
  async tell(index: PlateIndex, signal: AbortSignal): Promise<PlateIndex> {
    const { rootPath, warnings, sources = [] } = index;
    const stores = new Set(sources.map(({ name }) => name));
    const found: Warning[] = [];
    for (const [name, atMs] of changedAt(index)) {
      if (name.startsWith('.') || this.#before.get(name) === atMs) continue;
      if (stores.has(name) && !this.#refused.has(name)) continue;
      const warning = await this.#warningOf(rootPath, name, atMs, signal);
      if (warning) found.push(warning);
    }
    if (found.length === 0) return index;
    const isOld = ({ kind, files }: Warning): boolean =>
      kind === 'unreadable-source' && found.some((one) => one.files[0] === files[0]);
    return { ...index, warnings: [...warnings.filter((one) => !isOld(one)), ...found] };
  }

  async #warningOf(
    rootPath: string,
    name: string,
    atMs: number,
    signal: AbortSignal,
  ): Promise<Warning | undefined> {
    const seen = this.#seen.get(name);
    if (seen?.atMs === atMs) return seen.warning;
    const path = `${rootPath}/${name}`;
    const format = await (this.#refused.has(name) ? formatShown(path, signal) : formatOf(path, signal));
    const warning = format === undefined ? undefined : ofNew(rootPath, name, format);
    this.#seen.set(name, { atMs, warning });
    return warning;
  }
}

function ofNew(rootPath: string, name: string, format: string): Warning {
  return {
    kind: KIND,
    message: `${name} has become a plate (${format}); it is shown as one after the folder is unmounted and mounted again`,
    files: [name],
    rule: `platefs umount, then platefs mount ${shellWord(rootPath)} with --as sources`,
  };
}

/** What a plate is that could not be shown; undefined where it still can't be. */
async function formatShown(path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { index } = await openPlate(path, { signal, cacheDir: null });
    return index.scope ? undefined : index.facts.formatDetail;
  } catch (error) {
    // That it can't be is told already.
    if (!(error instanceof PlateFsError) || error instanceof CancelledError) throw error;
    return undefined;
  }
}

async function formatOf(path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await recognisePlate(path, signal)).handler.title;
  } catch (error) {
    // No plate, or not yet, or one that nobody may read.
    if (!(error instanceof PlateFsError) || error instanceof CancelledError) throw error;
    return undefined;
  }
}
