import { readdirSync } from 'node:fs';
import { CancelledError, PlateFsError } from '../../core/errors.ts';
import type { LayoutProposal } from '../../formats.ts';
import { compareNatural } from '../../model/natural-order.ts';
import type { SourceCatalog } from '../../model/source-catalog.ts';
import { driversOf } from './describe-source.ts';

/** Files looked into, of all those that lie in a folder. */
const MAX_LOOKED_INTO = 8;
/** A template that reads less of the names says little of the folder. */
const MIN_SHARE_READ = 0.5;

/** A plate's names say at least where in the plate an image was taken. */
const isOfPlate = ({ template }: LayoutProposal): boolean =>
  /\{(?:well|row|column|site|field)\b/.test(template);

/** Whether an image of a file has several planes. The samples of a colour are one: they are decoded together. */
const hasPlanes = ({ items }: SourceCatalog): boolean =>
  items.filter(({ kind }) => kind === 'image').length > 1 ||
  items.some((item) => {
    if (item.kind !== 'image') return false;
    const [t = 1, c = 1, z = 1] = item.image.shape;
    return t * z > 1 || (c > 1 && item.chunkShape[1] === 1);
  });

/** Names of the TIFFs in a folder. */
async function tiffsIn(folder: string): Promise<string[]> {
  const tiffs: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() || entry.name.startsWith('.')) continue;
    const [driver] = await driversOf(`${folder}/${entry.name}`, false);
    if (driver?.id === 'tiff') tiffs.push(entry.name);
  }
  return tiffs.sort(compareNatural);
}

/** Whether most of some TIFFs, evenly taken of all, are stacks. */
async function areStacks(folder: string, names: readonly string[], signal: AbortSignal): Promise<boolean> {
  const count = Math.min(MAX_LOOKED_INTO, names.length);
  let stacks = 0;
  for (let i = 0; i < count; i += 1) {
    const path = `${folder}/${names[Math.floor((i * names.length) / count)]}`;
    const [driver] = await driversOf(path, false);
    try {
      const catalog = await driver?.catalog?.(path, { root: folder }, signal);
      if (catalog && hasPlanes(catalog)) stacks += 1;
    } catch (error) {
      // One that can't be read is no stack; where the folder is shown, a warning says what is wrong with it.
      if (!(error instanceof PlateFsError) || error instanceof CancelledError) throw error;
    }
  }
  return stacks * 2 > count;
}

/** Whether most of the TIFFs that lie in a folder itself are stacks. */
export async function holdsStacks(folder: string, signal: AbortSignal): Promise<boolean> {
  const names = await tiffsIn(folder);
  return names.length > 0 && (await areStacks(folder, names, signal));
}

/**
 * Whether a folder that no format recognises is rather a heap of images than a plate: its names say too little to be
 * read as a plate's, or most of its TIFFs are stacks, while a plate's images are planes.
 */
export async function isHeapOfImages(
  folder: string,
  proposal: LayoutProposal | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const names = await tiffsIn(folder);
  if (names.length === 0) return false;
  if (!proposal || !isOfPlate(proposal)) return true;
  if (proposal.matched - proposal.collisions < proposal.images * MIN_SHARE_READ) return true;
  return await areStacks(folder, names, signal);
}
