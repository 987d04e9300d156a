import { CancelledError, PlateFsError } from '../../core/errors.ts';
import type { Detection } from '../../formats.ts';
import { compareNatural } from '../../model/natural-order.ts';
import { parseMetaXpressName, tiffExtension } from './metaxpress-name.ts';
import { looksLikeOme } from './ome-read.ts';
import { type FolderSight, searchPlate } from './plate-search.ts';
import { TiffLook } from './tiff-look.ts';
import { readXmlRoot } from './xml-file.ts';

/** Bytes of a description that are looked at. */
const HEAD_BYTES = 16 << 10;
/** Files named as OME's that are looked at in one folder: the first may be a stray or damaged one. */
const MAX_LOOKS = 3;

/** OME-TIFF specification, "Companion": `.companion.ome`; other writers leave out the word. */
export const isCompanionName = (name: string): boolean => /\.ome$/i.test(name);

/** `.tf2`, `.tf8` and `.btf` are BigTIFF's by the specification's section on file extensions. */
export const isOmeTiffCandidate = (name: string): boolean =>
  tiffExtension(name) !== '' || /\.(?:tf[28]|btf)$/i.test(name);

/** Micro-Manager's stacks are OME-TIFFs with another idea of positions. */
const MICRO_MANAGER = /_MMStack(?:_|\.)|_NDTiffStack(?:_\d+)?\.tif$|^NDTiff\.index$/i;
/** Leica's Matrix Screener: `image--L0000--S00--U00--V00--J08--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif`. */
const MATRIX_SCREENER = /^image--L\d+--S\d+--U\d+--V\d+--/i;
/** What other instruments put beside images that may be OME-TIFFs. */
const OTHER_PLATE =
  /\.(?:htd|mlf|xdce|jdce)$|^index(?:\.idx|\.ref)?\.xml$|^metadata\.txt$|^experiment_descriptor\.xml$/i;

async function isOmeXmlFile(path: string): Promise<boolean> {
  try {
    return (await readXmlRoot(path))?.name === 'OME';
  } catch (error) {
    // A file that can't be read only doesn't count; indexing warns of it.
    if (error instanceof PlateFsError) return false;
    throw error;
  }
}

/** The beginning of a TIFF's first description where that is OME-XML, else ''; undefined for one that can't be read. */
async function omeHead(path: string): Promise<string | undefined> {
  try {
    await using look = await TiffLook.open(path);
    const { description } = await look.directory(look.firstDirectory);
    if (!description) return '';
    const bytes = await look.bytes(description.offset, Math.min(description.length, HEAD_BYTES));
    const head = bytes.toString('utf8');
    return looksLikeOme(head) ? head : '';
  } catch (error) {
    // A TIFF that can't be read only doesn't count; indexing warns of it.
    if (error instanceof PlateFsError) return undefined;
    throw error;
  }
}

/** Names with field and channel say more than OME-XML in which no plate stands; it would stand before the images. */
function isNamedBetter(name: string, head: string): boolean {
  const parsed = parseMetaXpressName(name);
  if (!parsed || !(parsed.hasSite || parsed.hasWave)) return false;
  return !/<(?:\w+:)?(?:Plate|BinaryOnly)[\s>]/.test(head);
}

/** The TIFFs to look at: a few that are named `.ome.tif`, else the first of all. */
function candidates(files: readonly string[]): string[] {
  const named: string[] = [];
  const others: string[] = [];
  for (const name of files)
    if (isOmeTiffCandidate(name)) (/\.ome\.[^.]+$/i.test(name) ? named : others).push(name);
  if (named.length > 0) return named.sort(compareNatural).slice(0, MAX_LOOKS);
  return others.sort(compareNatural).slice(0, 1);
}

async function judge({ path, files }: FolderSight, signal: AbortSignal): Promise<Omit<Detection, 'root'>> {
  const theirs = files.find((name) => MICRO_MANAGER.test(name) || MATRIX_SCREENER.test(name));
  if (theirs !== undefined) return { confidence: 'no', reason: `${theirs} is of another format's set` };
  const other = files.find((name) => OTHER_PLATE.test(name));
  let unreadable: string | undefined;
  const seen = async (): Promise<string | undefined> => {
    for (const name of files.filter(isCompanionName).sort(compareNatural).slice(0, MAX_LOOKS))
      if (await isOmeXmlFile(`${path}/${name}`)) return name;
    for (const name of candidates(files)) {
      if (signal.aborted) throw new CancelledError('detection was cancelled');
      const head = await omeHead(`${path}/${name}`);
      if (head === undefined && /\.ome\.[^.]+$/i.test(name)) unreadable ??= name;
      else if (head && !isNamedBetter(name, head)) return name;
    }
    return undefined;
  };
  const found = await seen();
  if (found === undefined && unreadable !== undefined)
    return { confidence: 'maybe', reason: `${unreadable}, which can't be read` };
  if (found === undefined) return { confidence: 'no', reason: 'no TIFF or companion file with OME-XML' };
  if (other !== undefined)
    return { confidence: 'maybe', reason: `OME-XML in ${found}, but ${other} lies beside it` };
  return { confidence: 'certain', reason: `OME-XML in ${found}` };
}

/**
 * Finds OME-TIFFs in a folder or up to two levels below, by the head of a TIFF or a companion file.
 * @throws UnreadableSourceError, CancelledError
 */
export function detectOmeTiff(folder: string, signal: AbortSignal): Promise<Detection> {
  return searchPlate(folder, (sight) => judge(sight, signal), signal);
}
