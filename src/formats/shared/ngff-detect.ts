import { PlateFsError, UnreadableSourceError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json-text.ts';
import type { Detection } from '../../formats.ts';
import { readGroup } from '../../zarr/group.ts';
import {
  isBioformats2raw,
  ngffOf,
  ngffVersion,
  parseImage,
  parsePlate,
  parseWell,
} from '../../zarr/ngff-metadata.ts';
import { listDirectory } from './plate-walk.ts';

/** Folders looked into for a store. */
const MAX_FOLDERS = 64;

/** What kind of OME-Zarr a group is. */
export type NgffKind = 'plate' | 'series' | 'image';

/** The kind of the attributes; undefined when they are no OME-Zarr that holds images of its own. */
export function ngffKind(ngff: JsonObject): NgffKind | undefined {
  if (parsePlate(ngff)) return 'plate';
  if (isBioformats2raw(ngff)) return 'series';
  return parseImage(ngff) ? 'image' : undefined;
}

const TITLES: Readonly<Record<NgffKind, string>> = {
  plate: 'plate',
  series: 'images as bioformats2raw lays them out',
  image: 'image',
};

/** For people: `OME-Zarr 0.4 plate (zarr v2)`. */
export function describeStore(kind: NgffKind, ngff: JsonObject, zarrFormat: 2 | 3): string {
  const version = ngffVersion(ngff);
  return `OME-Zarr ${version === undefined ? '' : `${version} `}${TITLES[kind]} (zarr v${zarrFormat})`;
}

/** What a folder is, as far as its own metadata tells. */
function look(folder: string): { readonly seen?: string; readonly missed: string } {
  try {
    const group = readGroup(folder);
    if (!group) return { missed: 'no .zgroup, .zattrs or zarr.json of a group' };
    const ngff = ngffOf(group.attributes);
    const kind = ngffKind(ngff);
    if (kind) return { seen: describeStore(kind, ngff, group.zarrFormat), missed: '' };
    return {
      missed: parseWell(ngff)
        ? 'a single well of an OME-Zarr plate: name the plate, or one of the well’s images'
        : 'a Zarr group without plate or multiscales',
    };
  } catch (error) {
    if (error instanceof PlateFsError) return { missed: error.message };
    throw error;
  }
}

/** Names beside a store that say nothing about what a folder is. */
const isSilent = (name: string): boolean =>
  name.startsWith('.') || /\.(?:txt|md|json|ya?ml|xml|csv|tsv|log|pdf)$/i.test(name);

/** Recognises an OME-Zarr store, and a folder that holds nothing but one. @throws UnreadableSourceError */
export async function detectOmeZarr(folder: string): Promise<Detection> {
  let listing: Awaited<ReturnType<typeof listDirectory>>;
  try {
    listing = await listDirectory(folder);
  } catch (cause) {
    throw new UnreadableSourceError(folder, "can't be listed", { cause, advice: 'check its permissions' });
  }
  const own = look(folder);
  if (own.seen !== undefined) return { confidence: 'certain', reason: own.seen, root: folder };
  // A group that is no image must not be taken for what lies in it.
  if (['.zgroup', '.zarray', 'zarr.json'].some((name) => listing.files.includes(name)))
    return { confidence: 'no', reason: own.missed };
  const stores: { readonly name: string; readonly seen: string }[] = [];
  for (const name of listing.directories.slice(0, MAX_FOLDERS)) {
    const { seen } = look(`${folder}/${name}`);
    if (seen !== undefined) stores.push({ name, seen });
  }
  const [store, other] = stores;
  if (!store) return { confidence: 'no', reason: own.missed };
  if (other)
    return { confidence: 'no', reason: `several OME-Zarr stores (${store.name}, ${other.name} …): name one` };
  const others = [...listing.directories, ...listing.files].filter(
    (name) => name !== store.name && !isSilent(name),
  );
  return {
    // OpenHCS keeps a store among other folders, with a file that tells more than the store does.
    confidence: others.length > 0 || listing.files.includes('openhcs_metadata.json') ? 'maybe' : 'certain',
    reason: `${store.seen} in ${store.name}`,
    root: folder,
  };
}

/** Path below `root` of the store that {@link detectOmeZarr} saw: '' for the root itself; undefined when it is gone. */
export async function storeBelow(root: string): Promise<string | undefined> {
  if (look(root).seen !== undefined) return '';
  const { directories } = await listDirectory(root);
  return directories.slice(0, MAX_FOLDERS).find((name) => look(`${root}/${name}`).seen !== undefined);
}
