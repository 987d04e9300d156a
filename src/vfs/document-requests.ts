import { isOverlayNode } from '../overlay/inode.ts';
import type { Tree } from '../tree/tree.ts';
import { DEFERRED, type Deferred, type RequestContext } from './file-system.ts';
import type { DocumentJob, FrontNotice } from './jobs.ts';

/** Requests on documents: their text is the main thread's, which answers on the device itself. */
export class DocumentRequests {
  readonly #tree: Tree;
  readonly #notify: (notice: FrontNotice) => void;

  constructor(tree: Tree, notify: (notice: FrontNotice) => void) {
    this.#tree = tree;
    this.#notify = notify;
  }

  /** Whether the node is a document that nobody has written over. */
  isDocument(node: number): boolean {
    return !isOverlayNode(node) && this.#tree.isDocument(node);
  }

  /** Hands a request on a document to the main thread. */
  ask(context: RequestContext, node: number, request: DocumentJob['request']): Deferred {
    const { uniqueLow, uniqueHigh } = context;
    this.#notify({ kind: 'document', uniqueLow, uniqueHigh, node, request });
    return DEFERRED;
  }
}
