import { type BigIntStats, statSync } from 'node:fs';
import { explain } from '../core/errors.ts';
import { loadAll } from '../core/plugin.ts';
import { holdPlanes } from '../model/held-planes.ts';
import type { PlateWarning } from '../model/plate.ts';
import { type PlateIndex, WHOLE_FILE } from '../model/plate-index.ts';
import { filePath } from '../model/plate-lookup.ts';
import { SOURCES } from '../registry.generated.ts';

/** A file must stay as it is for this long before it counts as written. */
const QUIET_MS = 500;
/** A local file with an older mtime was not just written: it was moved here, or is old. */
const OLD_MS = 2000;
/** A file that stays incomplete for this long was cut short, not slow. */
const ABANDONED_MS = 30_000;
const MAX_FILES_TOLD = 20;

interface Observation {
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly sinceMs: number;
}

export interface CompletenessParts {
  /** Whether a file holds all that it promises; true where it can't tell. */
  readonly isWhole: (path: string) => boolean;
  /** The disk's clock is ours: mtimes can be compared with it. */
  readonly isLocalDisk: boolean;
  readonly nowMs: () => number;
}

/** What a look at new planes came to. */
export interface Completeness {
  /** The plate without planes that are still being written. */
  readonly index: PlateIndex;
  /** Files that another look must be taken at. */
  readonly waiting: number;
}

/** What a look at a plate that is shown came to. */
export interface RepeatedLook extends Completeness {
  /** Whether facts were drawn from an image that was not whole, or is another by now: the plate is to be indexed again. */
  readonly isOutdated: boolean;
}

/**
 * Keeps planes out of the plate until their files are whole: a microscope's half-written image must not be taken
 * for a finished one. A file counts as written when it holds all that its directory promises and has stayed as it
 * is for a moment; one that stays incomplete for half a minute is shown, with a warning.
 */
export class PlaneCompleteness {
  readonly #parts: CompletenessParts;
  readonly #observed = new Map<string, Observation>();
  /** Images that facts were drawn from when they were whole, as they were. */
  readonly #trusted = new Map<string, string>();

  /** @param shown the plate as it is shown at the beginning. */
  constructor(parts: CompletenessParts, shown?: PlateIndex) {
    this.#parts = parts;
    for (const file of shown?.evidenceFiles ?? [])
      if (shown) this.#trusted.set(filePath(shown, file), recorded(shown, file));
  }

  /**
   * What is to be shown in place of `shown`. `isNew` says of a plane whether it has not been shown yet. While an image
   * that facts are drawn from is being rewritten, nothing else is shown: the facts would come and go with it.
   */
  look(index: PlateIndex, isNew: (plane: number) => boolean, shown: PlateIndex = index): RepeatedLook {
    const held = new Set<number>();
    const rewritten = new Set<string>();
    const truncated: string[] = [];
    const seen = new Set<string>();
    let isOutdated = false;
    const evidence = new Set(index.evidenceFiles);
    for (let plane = 0; plane < index.planes.count; plane += 1) {
      if ((index.planes.pages[plane] ?? WHOLE_FILE) !== WHOLE_FILE) continue;
      const file = index.planes.files[plane] ?? 0;
      const isEvidence = evidence.has(file);
      const isHere = !isNew(plane);
      if (isHere && !isEvidence) continue;
      const path = filePath(index, file);
      const state = recorded(index, file);
      if (isHere && this.#trusted.get(path) === state) continue;
      seen.add(path);
      const verdict = this.#judge(path, `${index.rootPath}/${path}`);
      if (verdict === 'waiting') {
        if (isHere) rewritten.add(path);
        else held.add(file);
        continue;
      }
      if (verdict === 'truncated') truncated.push(path);
      if (!isEvidence) continue;
      if (stateOf(this.#observed.get(path)) === state) this.#trusted.set(path, state);
      else isOutdated = true;
    }
    for (const path of this.#observed.keys()) if (!seen.has(path)) this.#observed.delete(path);
    if (rewritten.size > 0 || isOutdated) {
      const others = shown.warnings.filter(({ kind }) => kind !== UNFINISHED);
      const warnings = rewritten.size === 0 ? shown.warnings : [...others, unfinished([...rewritten])];
      return { index: { ...shown, warnings }, waiting: rewritten.size + held.size + 1, isOutdated };
    }
    const whole = withoutUnfinished(index, held);
    const warning = {
      kind: 'truncated-image',
      message: `${truncated.length} files are shorter than their headers say and no longer grow`,
      files: truncated.slice(0, MAX_FILES_TOLD),
    };
    return {
      index: truncated.length === 0 ? whole : { ...whole, warnings: [...whole.warnings, warning] },
      waiting: held.size,
      isOutdated: false,
    };
  }

  #judge(path: string, absolute: string): 'whole' | 'waiting' | 'truncated' {
    const stat = statOf(absolute);
    if (!stat) return 'waiting';
    const nowMs = this.#parts.nowMs();
    const sizeBytes = Number(stat.size);
    const mtimeMs = mtimeOf(stat);
    const before = this.#observed.get(path);
    const isSame = before?.sizeBytes === sizeBytes && before.mtimeMs === mtimeMs;
    const sinceMs = isSame ? before.sinceMs : nowMs;
    const isOld = this.#parts.isLocalDisk && Date.now() - mtimeMs > OLD_MS;
    this.#observed.set(path, { sizeBytes, mtimeMs, sinceMs });
    const isQuiet = isOld || nowMs - sinceMs >= QUIET_MS;
    if (isQuiet && this.#isWhole(absolute)) return 'whole';
    return nowMs - sinceMs >= ABANDONED_MS ? 'truncated' : 'waiting';
  }

  #isWhole(path: string): boolean {
    try {
      return this.#parts.isWhole(path);
    } catch (error) {
      // Gone or locked at this moment: the next look tells.
      if (error instanceof Error && 'tag' in error && error.tag === 'unreadable-source') return false;
      throw new Error(`whether ${path} is complete can't be told: ${explain(error)}`, { cause: error });
    }
  }
}

const stateOf = (file: { readonly sizeBytes: number; readonly mtimeMs: number } | undefined): string =>
  `${file?.sizeBytes} ${file?.mtimeMs}`;

/** How a file was when facts were drawn from it. */
const recorded = ({ files }: PlateIndex, file: number): string =>
  stateOf({ sizeBytes: files.sizeBytes[file] ?? -1, mtimeMs: files.mtimeMs[file] ?? 0 });

/** As indexes keep it. */
const mtimeOf = ({ mtimeNs }: BigIntStats): number => Number(mtimeNs) / 1e6;

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    // A directory that can't be searched at this moment: the file is looked at again.
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

function withoutUnfinished(index: PlateIndex, held: ReadonlySet<number>): PlateIndex {
  if (held.size === 0) return index;
  const shown = holdPlanes(index, held);
  const warning = unfinished([...held].map((file) => filePath(index, file)));
  return { ...shown, warnings: [...shown.warnings, warning] };
}

const UNFINISHED = 'unfinished-image';

const unfinished = (paths: readonly string[]): PlateWarning => ({
  kind: UNFINISHED,
  message: `${paths.length} images are still being written, and are shown when they are whole`,
  files: paths.slice(0, MAX_FILES_TOLD),
});

/** A plane whose folder changed longer ago was not being written when the plate was mounted. */
const RECENT_MS = 10_000;

/** Whether a file holds all that it promises, as the driver of its kind says. */
export async function wholenessTest(): Promise<(path: string) => boolean> {
  const drivers = await loadAll(SOURCES);
  return (path) => drivers.find((driver) => driver.canOpen(path))?.isWholeSync?.(path) ?? true;
}

/** Keeps planes out of a plate that is mounted while they are being written. Costs nothing for one that rests. */
export async function holdUnfinished(index: PlateIndex): Promise<Completeness> {
  const { directories, files, planes, rootPath } = index;
  const recent = new Set<number>();
  for (let directory = 0; directory < directories.count; directory += 1)
    if (Date.now() - (directories.mtimeMs[directory] ?? 0) < RECENT_MS) recent.add(directory);
  if (recent.size === 0) return { index, waiting: 0 };
  const isWhole = await wholenessTest();
  const held = new Set<number>();
  for (let plane = 0; plane < planes.count; plane += 1) {
    const file = planes.files[plane] ?? 0;
    if (!recent.has(files.directories[file] ?? 0)) continue;
    if ((planes.pages[plane] ?? WHOLE_FILE) !== WHOLE_FILE) continue;
    const path = `${rootPath}/${filePath(index, file)}`;
    const stat = statOf(path);
    if (stat && Date.now() - mtimeOf(stat) < RECENT_MS && !isWhole(path)) held.add(file);
  }
  return { index: withoutUnfinished(index, held), waiting: held.size };
}
