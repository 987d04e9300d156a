import { join } from 'node:path';
import { CancelledError, UnreadableSourceError } from '../../core/errors.ts';
import type { Detection } from '../../formats.ts';
import { compareNatural } from '../../model/natural-order.ts';
import { HARMONY_ROOT, harmonyIndexRank, isHarmonyNamespace, parseHarmonyName } from './harmony-name.ts';
import { isJunkName } from './left-out.ts';
import { parseAxisFolder } from './metaxpress-name.ts';
import { listDirectory } from './plate-walk.ts';
import { readXmlRoot } from './xml-file.ts';

/** Levels below the folder asked about that are looked at for measurements. */
const LEVELS_BELOW = 2;
const MAX_FOLDERS = 200;
const ARCHIVE_ADVICE = 'export the measurement from Harmony, and mount the folder of that export';

type Listing = Awaited<ReturnType<typeof listDirectory>>;

async function list(path: string): Promise<Listing> {
  try {
    return await listDirectory(path);
  } catch (cause) {
    throw new UnreadableSourceError(path, "can't be listed", { cause, advice: 'check its permissions' });
  }
}

async function listBelow(path: string): Promise<Listing | undefined> {
  try {
    return await list(path);
  } catch (error) {
    // A folder below that can't be listed is no candidate; the folder asked about could be.
    if (error instanceof UnreadableSourceError) return undefined;
    throw error;
  }
}

/** The best Index of a folder that is one by its root element. */
async function harmonyIndexIn(folder: string, files: readonly string[]): Promise<string | undefined> {
  const named = files.filter((name) => harmonyIndexRank(name) !== undefined);
  named.sort((a, b) => (harmonyIndexRank(a) ?? 0) - (harmonyIndexRank(b) ?? 0));
  for (const name of named) {
    try {
      const root = await readXmlRoot(join(folder, name));
      if (root?.name === HARMONY_ROOT && isHarmonyNamespace(root.namespace)) return name;
    } catch (error) {
      // One that can't be read doesn't count; indexing warns of it.
      if (!(error instanceof UnreadableSourceError)) throw error;
    }
  }
  return undefined;
}

/**
 * Traces of an archive as Harmony 5.1 and later keep them: `hs/<id>/images/r01c01/…`, `*.kw.txt`, `*.hs`. Exports of
 * V7 have folders per well as well, but an Index with them.
 */
function archiveTrace({ files, directories }: Listing): string | undefined {
  const folder = directories.find((name) => /(?:^|\.)hs$|^r\d\dc\d\d$/i.test(name));
  return folder === undefined ? files.find((name) => /\.(?:hs|kw\.txt)$/i.test(name)) : `${folder}/`;
}

interface Verdict {
  readonly detection: Detection;
  /** It is an archive: what lies below it is not looked at. */
  readonly isArchive: boolean;
}

const verdict = (detection: Detection, isArchive = false): Verdict => ({ detection, isArchive });

async function judge(path: string, listing: Listing): Promise<Verdict> {
  const imageFolder = listing.directories.find((name) => name.toLowerCase() === 'images');
  const below = imageFolder === undefined ? undefined : await listBelow(join(path, imageFolder));
  const places = [
    { prefix: '', folder: path, files: listing.files },
    { prefix: `${imageFolder}/`, folder: join(path, imageFolder ?? ''), files: below?.files ?? [] },
  ];
  for (const { prefix, folder, files } of places) {
    const index = await harmonyIndexIn(folder, files);
    if (index !== undefined)
      return verdict({ confidence: 'certain', reason: `${prefix}${index} of Harmony`, root: path });
  }
  const archive = archiveTrace(listing) ?? (below && archiveTrace(below));
  if (archive !== undefined)
    return verdict(
      {
        confidence: 'no',
        reason: `it is a Harmony archive (${archive}), which can't be read: ${ARCHIVE_ADVICE}`,
      },
      true,
    );
  for (const { prefix, files } of places)
    for (const name of files) {
      if (isJunkName(name)) continue;
      const parsed = parseHarmonyName(name);
      if (!parsed) continue;
      const reason = `${prefix}${name}, but no Index of Harmony`;
      return verdict({ confidence: parsed.complete ? 'certain' : 'maybe', reason, root: path });
    }
  return verdict({
    confidence: 'no',
    reason: 'no Index.idx.xml and no image named r01c01f01p01-ch1sk1fk1fl1',
  });
}

/**
 * Finds the measurement in a folder or up to two levels below (`<plate>__<date>-Measurement 1/Images`). Several
 * below one folder are not guessed between: the reason lists them. An archive is recognised and refused.
 * @throws UnreadableSourceError, CancelledError
 */
export async function detectHarmony(folder: string, signal: AbortSignal): Promise<Detection> {
  const listing = await list(folder);
  const { detection: here, isArchive } = await judge(folder, listing);
  if (here.confidence !== 'no' || isArchive) return here;
  const found: Detection[] = [];
  let refused: Detection | undefined;
  let looked = 0;
  let level = [{ path: folder, listing }];
  for (let depth = 1; depth <= LEVELS_BELOW; depth += 1) {
    const next: typeof level = [];
    for (const parent of level)
      for (const name of [...parent.listing.directories].sort(compareNatural)) {
        if (signal.aborted) throw new CancelledError('detection was cancelled');
        // Folders of an ImageXpress plate hold tens of thousands of files at times, and no measurement.
        if (isJunkName(name) || parseAxisFolder(name)) continue;
        looked += 1;
        if (looked > MAX_FOLDERS) return choose(folder, found, false, refused ?? here);
        const path = join(parent.path, name);
        const below = await listBelow(path);
        if (!below) continue;
        const { detection, isArchive } = await judge(path, below);
        if (detection.confidence !== 'no') found.push(detection);
        else if (isArchive) refused ??= detection;
        else next.push({ path, listing: below });
      }
    level = next;
  }
  return choose(folder, found, true, refused ?? here);
}

function choose(folder: string, found: readonly Detection[], complete: boolean, none: Detection): Detection {
  const sure = found.filter(({ confidence }) => confidence === 'certain');
  const candidates = sure.length > 0 ? sure : found;
  const [only] = candidates;
  if (!only) return none;
  if (complete && candidates.length === 1) return only;
  const names = candidates.map(({ root }) => root?.slice(folder.length + 1) ?? '').sort(compareNatural);
  const shown = names.slice(0, 8).join(', ') + (names.length > 8 || !complete ? ', …' : '');
  return { confidence: 'no', reason: `it holds several measurements, name one of them: ${shown}` };
}
