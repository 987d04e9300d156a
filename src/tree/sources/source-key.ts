import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, statSync } from 'node:fs';
import type { Region } from '../../core/region.ts';
import type { IndexedSource } from '../../model/indexed-source.ts';
import { isUrl } from '../../model/source-url.ts';
import type { OpenSource } from '../../sources.ts';
import { identityOf } from '../render-key.ts';
import type { CatalogEncoders } from './catalog-encoders.ts';
import { inWhole, itemOfShown } from './image-part.ts';
import { itemLayout } from './item-layout.ts';
import { itemVersion } from './item-versions.ts';
import { remoteEpoch } from './remote-identities.ts';
import type { ItemNode } from './source-node.ts';

/** Counts up when the same sources would be rendered to other bytes. */
const RENDER_VERSION = 2;

/** Looking at more files at every open would take longer than rendering does. */
const MAX_FILES = 16_384;
/** Each costs a journey to the server. */
const MAX_REMOTE_FILES = 1024;

type Use = <T>(work: (open: OpenSource) => T) => T;

/** A region of what a source holds. */
interface Part {
  readonly path: string;
  readonly region: Region;
}

/**
 * A name for all the bytes of a file that is made of a source: another one when a file behind it, what the source was
 * found to hold, the layout or our rendering changes. Device, inode, size and time of change of every file behind it,
 * for pixels in a folder of the chunks it is made of.
 * @param identify tells a file as it is now: {@link identityOf}.
 * @returns undefined where nobody can tell whether the source changes: in more files than can be asked, and of what is no
 *   pixels on a server.
 * @throws what opening the source throws; the system's error when a file can't be asked.
 */
export function sourceRenderKey(
  node: ItemNode,
  encoders: CatalogEncoders,
  use: Use,
  identify: (path: string) => string,
): string | undefined {
  const { source, file, member, inZarr } = node;
  const files = filesBehind(node, encoders, use);
  if (!files) return undefined;
  const hash = createHash('sha256').update(`platefs render source ${RENDER_VERSION}\0`);
  const item = source.catalog.items[file.item];
  const made = [
    itemVersion(source, file.item),
    source.path,
    item?.path,
    file.encoder,
    file.sizeBytes,
    file.part?.suffix,
    file.level,
    item?.kind === 'image' ? item.image.float64As : undefined,
    member,
  ];
  hash.update(`${JSON.stringify(made)}\0`);
  if (inZarr) hash.update(`${inZarr.zarr.pathOf(inZarr.ordinal)} ${inZarr.zarr.plan.downsampling ?? ''}\0`);
  const layout = itemLayout(node, encoders);
  for (const segment of layout?.segments(0, layout.sizeBytes) ?? []) {
    hash.update(`${segment.kind} ${segment.offsetBytes}\0`);
    if (segment.kind === 'bytes') hash.update(segment.bytes);
    else if (segment.kind === 'pixels') hash.update(`${segment.region.start} ${segment.region.shape}\0`);
  }
  for (const path of files) hash.update(`${path} ${identify(path)}\0`);
  return hash.digest('hex').slice(0, 40);
}

/**
 * Tells a region's pixels from those that stood there before: chunks may be written anew while nothing that describes
 * a store changes. Of what lies on a server nothing is asked: what was fetched is taken to hold for a while.
 * @throws the system's error when a file can't be asked.
 */
export function regionVersion(source: IndexedSource, path: string, region: Region, use: Use): string {
  if (isUrl(source.path)) return remoteEpoch();
  if (!source.isFolder) return identityOf(source.path);
  const files = use((open) => open.filesOf?.(path, region)) ?? [];
  return files.map(identityOf).join();
}

/** The files that a file's bytes depend on; undefined when they are too many. */
function filesBehind(node: ItemNode, encoders: CatalogEncoders, use: Use): Iterable<string> | undefined {
  const { source, file } = node;
  const item = source.catalog.items[file.item]?.path ?? '';
  if (!source.isFolder) return use((open) => open.filesOf?.(item)) ?? [source.path];
  const isRemote = isUrl(source.path);
  const parts = partsOf(node, encoders);
  const files = parts && use((open) => filesOfParts(open, parts));
  if (isRemote) return files && files.size <= MAX_REMOTE_FILES ? files : undefined;
  return files ?? filesInFolder(source.path);
}

/** The pixels that a file is made of; undefined for text, and where that isn't known. */
function* regionsOf(node: ItemNode, encoders: CatalogEncoders): Generator<Part | undefined> {
  const { source, file, inZarr } = node;
  if (inZarr) {
    yield inZarr.zarr.chunkSource(inZarr.ordinal);
    return;
  }
  const item = source.catalog.items[file.item];
  const path = (item?.kind === 'image' ? itemOfShown(item, file) : item)?.path ?? '';
  const layout = itemLayout(node, encoders);
  if (!layout) yield undefined;
  for (const segment of layout?.segments(0, layout.sizeBytes) ?? []) {
    if (segment.kind === 'derived') yield undefined;
    else if (segment.kind === 'pixels') yield { path, region: inWhole(segment.region, file) };
  }
}

function partsOf(node: ItemNode, encoders: CatalogEncoders): Part[] | undefined {
  const parts: Part[] = [];
  for (const part of regionsOf(node, encoders)) {
    if (!part || parts.length >= MAX_FILES) return undefined;
    parts.push(part);
  }
  return parts;
}

function filesOfParts(open: OpenSource, parts: readonly Part[]): Set<string> | undefined {
  const files = new Set<string>();
  for (const { path, region } of parts) {
    const found = open.filesOf?.(path, region);
    if (!found) return undefined;
    for (const one of found) files.add(one);
    if (files.size > MAX_FILES) return undefined;
  }
  return files;
}

/** Everything in a folder, itself and the folders below it among it; undefined when it is too much. */
function filesInFolder(path: string): string[] | undefined {
  const found = [path];
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const below = `${folder}/${entry.name}`;
      found.push(below);
      // Links that lead in a circle end here, too.
      if (found.length > MAX_FILES) return undefined;
      if (isFolder(entry, below)) folders.push(below);
    }
  return found.sort();
}

const isFolder = (entry: Dirent, path: string): boolean =>
  entry.isSymbolicLink()
    ? statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
    : entry.isDirectory();
