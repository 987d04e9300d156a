import type { Region } from '../core/region.ts';
import type { FileLayout, ImageEncoder } from '../encoders.ts';
import { isUrl, lastName } from '../model/source-url.ts';
import type { Probe } from './field-images.ts';
import { PlateTree } from './plate-tree.ts';
import { PART_NODES, type SharedMount } from './shared-mount.ts';
import type { SharedTree } from './shared-tree.ts';
import type { CatalogEncoders } from './sources/catalog-encoders.ts';
import { decodedTogether } from './sources/decoded-together.ts';
import { itemLayout } from './sources/item-layout.ts';
import { isKeepable } from './sources/source-node.ts';
import type { SourceTree } from './sources/source-tree.ts';
import {
  ROOT_NODE,
  resolvePath,
  type Tree,
  type TreeAttributes,
  type TreeContent,
  type TreeEntry,
} from './tree.ts';

/** One part of a mount, and where its node numbers begin. */
export interface MountPart {
  readonly number: number;
  readonly name: string;
  readonly base: number;
  readonly tree: PlateTree | SourceTree;
}

/** Cookies of further parts in the root: behind all others. */
const PART_COOKIES = 2 ** 40 - 1024;

/** What plates need of the plugs to be shown, and what only mounts of something else need at all. */
export interface TreeTools {
  readonly encoders: readonly ImageEncoder[];
  readonly probe: Probe;
  /** Set where part of the mount is no plate. */
  readonly sourceTree?: (shared: SharedTree) => SourceTree;
}

/** The tree of one part: a plate's, or that of what is no plate. */
export function treeOf(
  shared: SharedTree,
  { encoders, probe, sourceTree }: TreeTools,
): PlateTree | SourceTree {
  if (!shared.index.scope) return new PlateTree(shared, encoders, probe);
  if (!sourceTree) throw new Error('what shows files that are no plates is not loaded');
  return sourceTree(shared);
}

const slash = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/**
 * Everything that is mounted: its first part at the root, further ones (plates in a folder of sources, and what a mount
 * definition names) in folders of it, or of one of these.
 */
export class MountTree implements Tree {
  readonly parts: readonly MountPart[];
  readonly #byNumber = new Map<number, MountPart>();
  readonly #byName = new Map<string, MountPart>();
  readonly #first: MountPart;

  constructor(mount: SharedMount, tools: TreeTools) {
    this.parts = mount.map(({ number, name, shared }) => ({
      number,
      name,
      base: number * PART_NODES,
      tree: treeOf(shared, tools),
    }));
    for (const part of this.parts) {
      this.#byNumber.set(part.number, part);
      if (part.number !== 0) this.#byName.set(part.name, part);
    }
    const first = this.#byNumber.get(0);
    if (!first) throw new Error('a mount has a first part');
    this.#first = first;
  }

  /** Shows a part as it was found now. */
  adopt(number: number, shared: SharedTree): void {
    this.#byNumber.get(number)?.tree.adopt(shared);
  }

  /** The part a node belongs to; the first for one that belongs to none. */
  partAt(node: number): MountPart {
    return node < PART_NODES
      ? this.#first
      : (this.#byNumber.get(Math.floor(node / PART_NODES)) ?? this.#first);
  }

  lookup(parent: number, name: string): number | undefined {
    const { base, name: folder, tree } = this.partAt(parent);
    if (parent - base === ROOT_NODE) {
      const part = this.#byName.get(slash(folder, name));
      if (part) return part.base + ROOT_NODE;
    }
    const node = tree.lookup(parent - base, name);
    return node === undefined ? undefined : base + node;
  }

  isDirectory(node: number): boolean {
    const { base, tree } = this.partAt(node);
    return tree.isDirectory(node - base);
  }

  isReadOnly(node: number): boolean {
    const { base, tree } = this.partAt(node);
    return tree.isReadOnly(node - base);
  }

  attributes(node: number): TreeAttributes | undefined {
    const { base, tree } = this.partAt(node);
    return tree.attributes(node - base);
  }

  refreshNode(node: number): void {
    const { base, tree } = this.partAt(node);
    tree.refreshNode(node - base);
  }

  pathOf(node: number): string {
    const { base, name, tree } = this.partAt(node);
    const path = tree.pathOf(node - base);
    return path === '' ? name : slash(name, path);
  }

  resolve(path: string): number | undefined {
    return resolvePath(this, path);
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    const { base, name: folder, tree } = this.partAt(directory);
    const entry = cookie < PART_COOKIES ? tree.entryAfter(directory - base, cookie) : undefined;
    if (entry) return { ...entry, node: base + entry.node };
    if (directory - base !== ROOT_NODE) return undefined;
    const next = this.parts.find(
      (part) =>
        part.number !== 0 &&
        PART_COOKIES + part.number > cookie &&
        slash(folder, lastName(part.name)) === part.name,
    );
    return (
      next && {
        name: lastName(next.name),
        node: next.base + ROOT_NODE,
        cookie: PART_COOKIES + next.number,
      }
    );
  }

  *names(directory: number): Generator<string> {
    for (let entry = this.entryAfter(directory, 0); entry; entry = this.entryAfter(directory, entry.cookie))
      yield entry.name;
  }

  /** How a rendered file of pixels, or a document, is laid out; undefined for every other. @throws when no plane can be read. */
  layoutOf(node: number, encoders: CatalogEncoders | undefined): FileLayout | undefined {
    const { base, tree } = this.partAt(node);
    if (tree instanceof PlateTree) return tree.layoutOf(node - base);
    const item = tree.itemAt(node - base);
    return item && encoders && itemLayout(item, encoders);
  }

  /** As {@link decodedTogether}, of any part. */
  decodedTogether(node: number, region: Region): string | undefined {
    const { number, base, tree } = this.partAt(node);
    if (tree instanceof PlateTree) {
      const group = tree.decodedTogether(node - base, region);
      return group && `${number}\0${group}`;
    }
    const item = tree.itemAt(node - base);
    return item && !item.inZarr ? decodedTogether(item, region) : undefined;
  }

  /** As {@link PlateTree.isRendered}; a file of a source is none that is decoded ahead. */
  isRendered(node: number): boolean {
    const { base, tree } = this.partAt(node);
    return tree instanceof PlateTree && tree.isRendered(node - base);
  }

  /** Whether a finished render of a file may be kept. */
  isKeepable(node: number): boolean {
    const { base, tree } = this.partAt(node);
    if (tree instanceof PlateTree)
      return tree.content(node - base).kind === 'rendered' && !tree.tables.owns(node - base);
    const item = tree.itemAt(node - base);
    return item !== undefined && isKeepable(item);
  }

  /** Whether a file's bytes have to be fetched from a server. */
  isFetched(node: number): boolean {
    const { base, tree } = this.partAt(node);
    if (tree instanceof PlateTree) return false;
    const item = tree.itemAt(node - base);
    return item !== undefined && isUrl(item.source.path);
  }

  content(node: number): TreeContent {
    const { base, tree } = this.partAt(node);
    return tree.content(node - base);
  }

  isDocument(node: number): boolean {
    return this.partAt(node).tree.isDocument(node - this.partAt(node).base);
  }

  isKnown(node: number): boolean {
    const { base, tree } = this.partAt(node);
    return tree.isKnown(node - base);
  }

  isMeasured(node: number): boolean {
    const { base, tree } = this.partAt(node);
    return tree.isMeasured(node - base);
  }

  facts(node: number): ReadonlyMap<string, string> {
    const { base, tree } = this.partAt(node);
    return tree.facts(node - base);
  }
}
