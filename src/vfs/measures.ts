import { errnoOf } from '../core/errno.ts';
import { isOverlayNode } from '../overlay/inode.ts';
import type { Tree } from '../tree/tree.ts';
import {
  type AttributesReply,
  DEFERRED,
  type Deferred,
  type Entry,
  type RequestContext,
} from './file-system.ts';
import type { FrontNotice, Ticket } from './jobs.ts';

/** What a request that had to wait is answered with. */
export type LateReply =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'attributes'; readonly reply: AttributesReply };

export interface MeasureParts {
  readonly tree: Tree;
  readonly notify: (notice: FrontNotice) => void;
  /** Answers a deferred request. */
  readonly answerLate: (ticket: Ticket, reply: LateReply) => void;
  /** Answers a deferred request with an errno. */
  readonly refuse: (ticket: Ticket, errno: number) => void;
}

interface Waiting {
  readonly ticket: Ticket;
  readonly reply: () => LateReply;
}

/** Requests that wait for the size of a file, or the names in a folder, which only reading tells. */
export class Measures {
  readonly #parts: MeasureParts;
  readonly #waiting = new Map<number, Waiting[]>();

  constructor(parts: MeasureParts) {
    this.#parts = parts;
  }

  /** Whether what is asked of a node can be answered at once. */
  isMeasured(node: number): boolean {
    return isOverlayNode(node) || this.#parts.tree.isMeasured(node);
  }

  /** Has a node measured; `reply` then answers the request. */
  wait({ uniqueLow, uniqueHigh }: RequestContext, node: number, reply: () => LateReply): Deferred {
    const one: Waiting = { ticket: { uniqueLow, uniqueHigh }, reply };
    const others = this.#waiting.get(node);
    if (others) others.push(one);
    else {
      this.#waiting.set(node, [one]);
      this.#parts.notify({ kind: 'measure', node });
    }
    return DEFERRED;
  }

  /** A node is measured, or could not be: then `errno` is not 0. */
  measured(node: number, errno: number): void {
    const waiting = this.#waiting.get(node) ?? [];
    this.#waiting.delete(node);
    for (const { ticket, reply } of waiting) {
      if (errno !== 0) this.#parts.refuse(ticket, errno);
      else {
        try {
          this.#parts.answerLate(ticket, reply());
        } catch (error) {
          this.#parts.refuse(ticket, errnoOf(error));
        }
      }
    }
  }
}
