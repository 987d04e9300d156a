/** What the overlay must know of the tree it lies over. Synchronous, from memory. */
export interface LowerTree {
  /** The node of a name in a tree directory, or undefined. */
  lookup(parent: number, name: string): number | undefined;
  /** Path below the mount's root, without a leading slash; '' for the root. */
  pathOf(node: number): string;
  /** The node at such a path, or undefined. */
  resolve(path: string): number | undefined;
  isDirectory(node: number): boolean;
  /** Nothing at or below this node may change. */
  isReadOnly(node: number): boolean;
  /** Names in a tree directory. */
  names(parent: number): Iterable<string>;
}
