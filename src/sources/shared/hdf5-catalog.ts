import { setImmediate } from 'node:timers/promises';
import { CancelledError } from '../../core/errors.ts';
import type { SourceCatalog, SourceItem } from '../../sources.ts';
import { bdvFamily } from './hdf5-bdv.ts';
import type { Hdf5Family } from './hdf5-family.ts';
import { identityNow } from './hdf5-file.ts';
import type { Hdf5Hierarchy } from './hdf5-hierarchy.ts';
import { imarisFamily } from './hdf5-imaris.ts';
import { datasetItems, familyItems } from './hdf5-items.ts';
import { walkTree } from './hdf5-tree.ts';

/** What kind of program's file it is, undefined for any other HDF5 file. */
export function familyOf(hierarchy: Hdf5Hierarchy): Hdf5Family | undefined {
  return bdvFamily(hierarchy) ?? imarisFamily(hierarchy);
}

/** A version of the file and of others that its catalog came from: JSON of each one's path and identity. */
function versionOf(files: readonly string[]): string {
  return JSON.stringify(files.map((path) => [path, identityNow(path)]));
}

/** The files that a version is of. */
export const filesOfVersion = (version: string): string[] =>
  (JSON.parse(version) as readonly (readonly [path: string, identity: string])[]).map(([path]) => path);

/** Whether all files still are what they were when a catalog was made. @throws UnreadableSourceError */
export function isVersion(version: string | undefined): boolean {
  if (version === undefined) return false;
  const files = JSON.parse(version) as readonly (readonly [path: string, identity: string])[];
  return files.every(([path, identity]) => identityNow(path) === identity);
}

/** @throws CancelledError, BadHdf5Error, SourceBusyError, SourceChangedError, SourceNotReadyError, UnreadableSourceError */
export async function catalogOf(hierarchy: Hdf5Hierarchy, signal: AbortSignal): Promise<SourceCatalog> {
  const family = familyOf(hierarchy);
  const items: SourceItem[] = [];
  const warnings = [...(family?.warnings ?? [])];
  if (family !== undefined) for (const image of family.images) items.push(...familyItems(family, image));
  const walk = walkTree(hierarchy);
  let step = walk.next();
  for (; !step.done; step = walk.next()) await breathe(hierarchy.file, signal);
  const tree = step.value;
  let looked = 0;
  for (const path of tree.datasets) {
    if (family?.isShown(path)) continue;
    if (++looked % 64 === 0) await breathe(hierarchy.file, signal);
    const found = datasetItems(hierarchy, path);
    if (typeof found === 'string') warnings.push({ path, message: found });
    else items.push(...found);
  }
  if (tree.attributesJson !== undefined)
    items.push({ kind: 'text', path: 'attributes.json', text: tree.attributesJson });
  const others = hierarchy.links.files.slice(1).map(({ path }) => path);
  return {
    title: family?.title ?? titleOf(hierarchy, items),
    items,
    warnings: [...warnings, ...tree.warnings],
    version: versionOf([hierarchy.file, ...others, ...(family?.files ?? [])]),
  };
}

async function breathe(path: string, signal: AbortSignal): Promise<void> {
  await setImmediate();
  if (signal.aborted)
    throw new CancelledError(`looking into ${path} was cancelled`, { cause: signal.reason });
}

function titleOf(hierarchy: Hdf5Hierarchy, items: readonly SourceItem[]): string {
  if (hierarchy.kindOf('sample/0/plate') === 'group') return 'CellH5';
  const images = items.filter(({ kind }) => kind === 'image');
  const isIlastik = images.length > 0 && images.every(({ path }) => 'axistags' in hierarchy.attributes(path));
  return isIlastik ? 'ilastik HDF5' : 'HDF5';
}
