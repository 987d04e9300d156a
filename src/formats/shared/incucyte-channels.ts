import { compareNatural } from '../../model/natural-order.ts';
import type { IncucyteImage } from './incucyte-name.ts';
import { baseName, folderOf } from './named-planes.ts';

/** Parts by which the images of one channel are told from those of another. */
interface ChannelParts {
  readonly folder: string;
  readonly prefix: string;
  readonly code: string;
}

/**
 * Says what channel an image is of: raw files have a code, exports the text before the well, and the folder where
 * each channel was exported into one.
 */
export function channelKey(path: string, { code, prefix }: IncucyteImage): string {
  return code === '' ? `${folderOf(path)}\0${prefix}` : `\0\0${code}`;
}

function partsOf(key: string): ChannelParts {
  const [folder = '', prefix = '', code = ''] = key.split('\0');
  return { folder, prefix, code };
}

/** What is left of texts without the `_`-separated words that all begin with. */
function distinctEnds(texts: readonly string[]): string[] {
  const words = texts.map((text) => text.split('_'));
  const [first = []] = words;
  let shared = 0;
  while (
    shared < first.length - 1 &&
    words.every((one) => one.length > shared + 1 && one[shared] === first[shared])
  )
    shared += 1;
  return words.map((one) => one.slice(shared).join('_'));
}

/** The channels' keys in the order of their numbers, each with the name that tells it from the others, or ''. */
export function nameChannels(keys: Iterable<string>): { readonly key: string; readonly name: string }[] {
  const sorted = [...keys].sort(compareNatural);
  const parts = sorted.map(partsOf);
  const foldersDiffer = new Set(parts.map(({ folder }) => folder)).size > 1;
  const prefixesDiffer = new Set(parts.map(({ prefix }) => prefix)).size > 1;
  const ends = distinctEnds(parts.map(({ prefix }) => prefix));
  return sorted.map((key, i) => {
    const { folder = '', code = '' } = parts[i] ?? {};
    const told = [foldersDiffer ? baseName(folder) : '', prefixesDiffer ? (ends[i] ?? '') : '', code];
    return { key, name: told.filter((text) => text !== '').join(' ') };
  });
}
