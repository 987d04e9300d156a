import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';

/** Every kind of thing has 2^32 node numbers of its own; the mount's fixed folders and documents have those below. */
export const KIND = 2 ** 32;

/**
 * A folder of the mount and everything below it: one way to look at the plate, with node numbers of its own.
 * Paths are relative to the view's folder. Calls that take a node are only made with nodes it {@link owns}.
 */
export interface View {
  /** Its folder's name in the mount. */
  readonly name: string;
  /** Its folder's node. */
  readonly root: number;
  owns(node: number): boolean;
  isDirectory(node: number): boolean;
  /** Nothing in it may change. */
  readonly readOnly: boolean;
  lookup(parent: number, name: string): number | undefined;
  /** As {@link Tree.entryAfter}. */
  entryAfter(directory: number, cookie: number): TreeEntry | undefined;
  /** @throws the system's error when the source can't be asked. Undefined when the node does not exist. */
  attributes(node: number): TreeAttributes | undefined;
  /** Whether `attributes` answers from memory. */
  isKnown(node: number): boolean;
  content(node: number): TreeContent;
  pathOf(node: number): string;
  /** Looks at the source file behind a node again. */
  refresh(node: number): void;
  /** Adds what is known of a node as `user.platefs.*` attributes, without the prefix. */
  addFacts(node: number, facts: Map<string, string>): void;
}
