import { existsSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { CancelledError, explain } from '../core/errors.ts';
import type { Landing } from '../materializer/landing.ts';
import { ByteCache } from '../memory/byte-cache.ts';
import type { Namespace } from '../overlay/namespace.ts';
import type { BranchPlace } from './branch-store.ts';
import { rangesText } from './check-bytes.ts';
import { type CheckProgress, readBack } from './check-output.ts';
import type { Finding } from './findings.ts';
import { KeptLandings } from './kept-landings.ts';
import { damagedKept } from './kept-sums.ts';
import { RevisionStore } from './revision-store.ts';

const DECODED_BYTES = 64 << 20;

/** A file of revisions that is not what it was. */
export interface DamagedLanding {
  readonly landing: Landing;
  readonly finding: Finding;
  /** Where its bytes are kept; absent where they lie in the output folder alone. */
  readonly keptPath?: string;
}

/** What a landing is of all there are: those of other branches have their own numbers. */
const keyOf = ({ id, owner }: Landing): string => `${owner ?? ''}/${id}`;

const presentLandings = (names: Namespace): Landing[] =>
  [...names.inodes.values()].flatMap(({ landed, previous }) => {
    const record = (landed ?? previous)?.record;
    return record ? [record as unknown as Landing] : [];
  });

/** Files of revisions, each with the revisions that have it. */
function landingsOf(store: RevisionStore): Map<string, { landing: Landing; revisions: number[] }> {
  const found = new Map<string, { landing: Landing; revisions: number[] }>();
  for (const { number } of store.list())
    for (const record of store.records(number)) {
      if (record.op !== 'landed') continue;
      const landing = record.record as unknown as Landing;
      const known = found.get(keyOf(landing));
      if (known) known.revisions.push(number);
      else found.set(keyOf(landing), { landing, revisions: [number] });
    }
  return found;
}

/**
 * Reads back every file that revisions have, but for those that the present has too and that are not kept apart.
 * Changes nothing.
 * @param names the present, whose files are read back otherwise.
 * @throws CancelledError
 */
export async function checkRevisions(
  place: BranchPlace,
  names: Namespace,
  {
    signal,
    onProgress,
  }: { readonly signal: AbortSignal; readonly onProgress: (progress: CheckProgress) => void },
): Promise<DamagedLanding[]> {
  const store = new RevisionStore(place.state);
  const present = new Set(presentLandings(names).map(keyOf));
  const kept = new KeptLandings(place, new ByteCache(DECODED_BYTES));
  const files = [...landingsOf(store).values()];
  const found: DamagedLanding[] = [];
  for (const [filesDone, { landing, revisions }] of files.entries()) {
    onProgress({ filesDone, filesTotal: files.length });
    await turn();
    if (signal.aborted) throw new CancelledError('stopped before everything was checked');
    const keptPath = landing.owner === undefined ? store.keptPath(landing.id) : undefined;
    const isKept = keptPath !== undefined && existsSync(keptPath);
    if (!isKept && present.has(keyOf(landing))) continue;
    const fault = isKept ? keptFault(keptPath, landing) : landedFault(kept, landing);
    if (fault === undefined) continue;
    const detail = `${fault}; in revision ${revisions.join(', ')}`;
    const finding: Finding = { kind: 'revision-damaged', path: landing.mountPath, detail };
    found.push({ landing, finding, ...(isKept ? { keptPath } : {}) });
  }
  return found;
}

function keptFault(path: string, landing: Landing): string | undefined {
  try {
    const ranges = damagedKept(path, landing);
    if (ranges.length === 0) return undefined;
    return `${rangesText(ranges, landing.sizeBytes)} kept in ${path} are not what was written`;
  } catch (error) {
    return explain(error);
  }
}

function landedFault(kept: KeptLandings, landing: Landing): string | undefined {
  const readSync = (one: Landing, offsetBytes: number, sizeBytes: number, target: Uint8Array): number =>
    kept.read(one, offsetBytes, target.subarray(0, sizeBytes));
  return readBack({ readSync }, { record: { ...landing }, sizeBytes: landing.sizeBytes });
}

/**
 * Keeps damaged bytes of revisions anew, where the output folder still has the file as it landed; what was damaged is put
 * aside. The state must be locked.
 * @param putAside gives a file a second name, under which it stays.
 * @returns what was found, each with what was done.
 */
export async function repairRevisions(
  place: BranchPlace,
  names: Namespace,
  damaged: readonly DamagedLanding[],
  putAside: (path: string) => string,
): Promise<Finding[]> {
  const kept = new KeptLandings(place, new ByteCache(DECODED_BYTES));
  const present = presentLandings(names);
  const done: Finding[] = [];
  for (const { landing, finding, keptPath } of damaged) {
    const others = present.filter((other) => keyOf(other) === keyOf(landing));
    const aside = keptPath === undefined ? undefined : await keptAnew(kept, [landing, ...others], putAside);
    done.push(
      aside === undefined ? finding : { ...finding, done: `kept anew; what was damaged is ${aside}` },
    );
  }
  return done;
}

/** @returns where the damaged file is now; undefined where there is nothing better, and all is as before. */
async function keptAnew(
  kept: KeptLandings,
  landings: readonly Landing[],
  putAside: (path: string) => string,
): Promise<string | undefined> {
  for (const landing of landings) {
    try {
      const aside = await kept.keepAnew(landing, putAside);
      if (aside !== undefined) return aside;
    } catch {
      // It does not lie there as it landed either: the finding stays as it is.
    }
  }
  return undefined;
}
