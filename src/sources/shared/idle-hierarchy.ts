import { SourceChangedError } from '../../core/errors.ts';
import type { Region } from '../../core/region.ts';
import type { ArrayFacts, Attributes, ChildList, CompoundValue, Hierarchy, NodePath } from './hierarchy.ts';

/** How long a file stays open after it was read last. */
const IDLE_MS = 3000;

/** How a source's file is opened, and what tells its versions apart. */
export interface HierarchyOpener {
  readonly file: string;
  readonly format: Hierarchy['format'];
  open(): Hierarchy;
  /** @throws UnreadableSourceError when there is no such file. */
  version(): string;
}

/**
 * A tree of groups and arrays that is open only while it is read: nobody's file is held, nor what was read of it
 * kept in memory, when it rests. Read again, it is opened again if it is still the same.
 * @throws beside what `Hierarchy` says: SourceChangedError from its first use after the file changed.
 */
export class IdleHierarchy implements Hierarchy {
  readonly file: string;
  readonly format: Hierarchy['format'];
  readonly #opener: HierarchyOpener;
  readonly #version: string;
  readonly #whenIdle: () => void;
  readonly #idleMs: number;
  #tree: Hierarchy | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param whenIdle called when it was closed because nobody reads. */
  constructor(opener: HierarchyOpener, version: string, whenIdle: () => void, idleMs = IDLE_MS) {
    this.file = opener.file;
    this.format = opener.format;
    this.#opener = opener;
    this.#version = version;
    this.#whenIdle = whenIdle;
    this.#idleMs = idleMs;
  }

  get isOpen(): boolean {
    return this.#tree !== undefined;
  }

  #use(): Hierarchy {
    if (this.#opener.version() !== this.#version) {
      this.#close();
      throw new SourceChangedError(this.file, 'it is not the file any more that was looked at', {
        advice: 'mount it again',
      });
    }
    this.#tree ??= this.#opener.open();
    if (this.#timer) this.#timer.refresh();
    else
      this.#timer = setTimeout(() => {
        this.#close();
        this.#whenIdle();
      }, this.#idleMs).unref();
    return this.#tree;
  }

  /** Of the file as it was opened last. @throws as its other methods do. */
  filesInUse(): readonly string[] | undefined {
    return this.#use().openFiles;
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tree?.[Symbol.dispose]();
    this.#tree = undefined;
  }

  kindOf(path: NodePath): 'group' | 'array' | undefined {
    return this.#use().kindOf(path);
  }

  children(path: NodePath, limit: number): ChildList {
    return this.#use().children(path, limit);
  }

  attributes(path: NodePath): Attributes {
    return this.#use().attributes(path);
  }

  arrayFacts(path: NodePath): ArrayFacts {
    return this.#use().arrayFacts(path);
  }

  readRegion(path: NodePath, region: Region, target: Uint8Array): void {
    this.#use().readRegion(path, region, target);
  }

  readText(path: NodePath, region: Region): readonly string[] {
    return this.#use().readText(path, region);
  }

  readCompound(path: NodePath, first: number, count: number): readonly (readonly CompoundValue[])[] {
    return this.#use().readCompound(path, first, count);
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
