import type { SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import type { View } from './view.ts';

/** Documents that the daemon writes anew whenever they are opened. */
export const OPENHCS_NODE = 16;
export const STATUS_NODE = 17;
export const WARNINGS_NODE = 18;
export const METRICS_NODE = 19;

const DOCUMENTS: readonly { readonly name: string; readonly node: number }[] = [
  { name: 'status.json', node: STATUS_NODE },
  { name: 'warnings.json', node: WARNINGS_NODE },
  { name: 'metrics', node: METRICS_NODE },
];

export const OPENHCS_DOCUMENT = { name: 'openhcs_metadata.json', node: OPENHCS_NODE } as const;

export const isDocument = (node: number): boolean => node >= OPENHCS_NODE && node <= METRICS_NODE;

export const documentAttributes = (mountedAtMs: number): TreeAttributes => ({
  directory: false,
  sizeBytes: 0,
  mtimeMs: mountedAtMs,
  live: true,
});

/** .platefs/: what PlateFS says of itself and of the plate. */
export class DocumentsView implements View {
  readonly name = '.platefs';
  readonly root = 5;
  readonly readOnly = true;
  readonly #shared: SharedTree;

  constructor(shared: SharedTree) {
    this.#shared = shared;
  }

  owns(node: number): boolean {
    return node === this.root || (isDocument(node) && node !== OPENHCS_NODE);
  }

  isDirectory(node: number): boolean {
    return node === this.root;
  }

  lookup(_parent: number, name: string): number | undefined {
    return DOCUMENTS.find((document) => document.name === name)?.node;
  }

  entryAfter(_directory: number, cookie: number): TreeEntry | undefined {
    const document = DOCUMENTS[cookie];
    return document && { ...document, cookie: cookie + 1 };
  }

  attributes(node: number): TreeAttributes {
    const { mountedAtMs } = this.#shared;
    return node === this.root
      ? { directory: true, sizeBytes: 0, mtimeMs: mountedAtMs, live: false }
      : documentAttributes(mountedAtMs);
  }

  isKnown(): boolean {
    return true;
  }

  content(): TreeContent {
    return { kind: 'document' };
  }

  pathOf(node: number): string {
    return DOCUMENTS.find((document) => document.node === node)?.name ?? '';
  }

  refresh(): void {}

  addFacts(): void {}
}
