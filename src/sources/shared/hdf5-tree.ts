import { BadHdf5Error } from '../../core/errors.ts';
import type { SourceCatalog } from '../../sources.ts';
import { readAttributes } from './hdf5-attributes.ts';
import { attributesJson } from './hdf5-attributes-json.ts';
import type { Hdf5Hierarchy } from './hdf5-hierarchy.ts';
import type { Attributes, NodePath } from './hierarchy.ts';

/** Groups in groups. */
const MAX_DEPTH = 64;
/** Nodes of one file that are shown. */
const MAX_NODES = 100_000;
/** Attributes of all nodes together, in characters of JSON. */
const MAX_ATTRIBUTES_LENGTH = 16 * 1024 * 1024;

type Warning = SourceCatalog['warnings'][number];

/** What a walk over a file found. */
export interface Hdf5Tree {
  readonly datasets: readonly NodePath[];
  readonly warnings: readonly Warning[];
  /** Attributes of every node that has some, by its path from `/`. */
  readonly attributesJson: string | undefined;
}

/**
 * Walks all groups, links followed, a group inside itself left out. Yields now and then, so that whoever drives it can
 * do something else. @throws BadHdf5Error, SourceBusyError … of the file itself; what is wrong in it is a warning.
 */
export function* walkTree(hierarchy: Hdf5Hierarchy): Generator<void, Hdf5Tree> {
  const walk = new TreeWalk(hierarchy);
  yield* walk.group('', []);
  return walk.result;
}

class TreeWalk {
  readonly #hierarchy: Hdf5Hierarchy;
  readonly #datasets: NodePath[] = [];
  readonly #warnings: Warning[] = [];
  readonly #attributes = new Map<string, Attributes>();
  #attributesLength = 0;
  #nodes = 0;

  constructor(hierarchy: Hdf5Hierarchy) {
    this.#hierarchy = hierarchy;
  }

  get result(): Hdf5Tree {
    if (this.#nodes > MAX_NODES)
      this.#warn('', `has more than ${MAX_NODES} groups and datasets; those behind are not shown`);
    const attributes = this.#attributes.size === 0 ? undefined : attributesJson(this.#attributes);
    return { datasets: this.#datasets, warnings: this.#warnings, attributesJson: attributes };
  }

  #warn(path: NodePath, message: string): void {
    this.#warnings.push({ path, message });
  }

  /** What is damaged hides nothing else. */
  #attempt<T>(path: NodePath, look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (!(error instanceof BadHdf5Error) || path === '') throw error;
      this.#warn(path, error.message);
      return undefined;
    }
  }

  *group(path: NodePath, above: readonly string[]): Generator<void, void> {
    const { links } = this.#hierarchy;
    const found = links.find(path);
    if (found.kind !== 'group') return;
    this.#keepAttributes(path);
    const place = links.placeOf(found);
    if (above.includes(place)) {
      this.#warn(path, 'is a group that it lies in');
      return;
    }
    if (above.length >= MAX_DEPTH) {
      this.#warn(path, `lies more than ${MAX_DEPTH} groups deep`);
      return;
    }
    for (const name of this.#attempt(path, () => links.names(found)) ?? []) {
      if (++this.#nodes > MAX_NODES) return;
      if (this.#nodes % 64 === 0) yield;
      const child = path === '' ? name : `${path}/${name}`;
      yield* this.#node(child, [...above, place]);
    }
  }

  *#node(path: NodePath, above: readonly string[]): Generator<void, void> {
    const found = this.#hierarchy.links.tryFind(path);
    if (found.kind === 'dead') this.#warn(path, found.reason);
    else if (found.kind === 'group') yield* this.group(path, above);
    else if (found.kind === 'array') {
      this.#keepAttributes(path);
      this.#datasets.push(path);
    }
  }

  #keepAttributes(path: NodePath): void {
    if (this.#attributesLength > MAX_ATTRIBUTES_LENGTH) return;
    const found = this.#hierarchy.links.find(path);
    if (found.kind !== 'group' && found.kind !== 'array') return;
    const read = this.#attempt(path, () => readAttributes(found.file, found.at));
    if (read === undefined) return;
    const { attributes, left } = read;
    for (const { name, reason } of left) this.#warn(path, `attribute ${name} can't be shown: ${reason}`);
    if (Object.keys(attributes).length === 0) return;
    this.#attributes.set(`/${path}`, attributes);
    this.#attributesLength += attributesJson(new Map([[path, attributes]])).length;
    if (this.#attributesLength > MAX_ATTRIBUTES_LENGTH)
      this.#warn(path, 'attributes of nodes behind it are not shown');
  }
}
