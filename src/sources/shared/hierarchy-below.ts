import type { Region } from '../../core/region.ts';
import type { ArrayFacts, Attributes, ChildList, CompoundValue, Hierarchy, NodePath } from './hierarchy.ts';

/** A group of a tree as a tree of its own. It is the whole tree's owner who closes that. */
export class HierarchyBelow implements Hierarchy {
  readonly file: string;
  readonly format: Hierarchy['format'];
  readonly #whole: Hierarchy;
  readonly #group: NodePath;

  constructor(whole: Hierarchy, group: NodePath) {
    this.file = `${whole.file}/${group}`;
    this.format = whole.format;
    this.#whole = whole;
    this.#group = group;
  }

  #at(path: NodePath): NodePath {
    return path === '' ? this.#group : `${this.#group}/${path}`;
  }

  kindOf(path: NodePath): 'group' | 'array' | undefined {
    return this.#whole.kindOf(this.#at(path));
  }

  children(path: NodePath, limit: number): ChildList {
    return this.#whole.children(this.#at(path), limit);
  }

  attributes(path: NodePath): Attributes {
    return this.#whole.attributes(this.#at(path));
  }

  arrayFacts(path: NodePath): ArrayFacts {
    return this.#whole.arrayFacts(this.#at(path));
  }

  readRegion(path: NodePath, region: Region, target: Uint8Array): void {
    this.#whole.readRegion(this.#at(path), region, target);
  }

  readText(path: NodePath, region: Region): readonly string[] {
    return this.#whole.readText(this.#at(path), region);
  }

  readCompound(path: NodePath, first: number, count: number): readonly (readonly CompoundValue[])[] {
    return this.#whole.readCompound(this.#at(path), first, count);
  }

  [Symbol.dispose](): void {
    // Nothing of it is its own.
  }
}
