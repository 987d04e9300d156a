import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../core/errno.ts';
import type { OverlayInode } from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import { ROOT_NODE, type Tree } from '../tree/tree.ts';
import type { Attributes } from './attributes.ts';
import type { DocumentRequests } from './document-requests.ts';
import { type AttributesReply, DEFERRED, type Deferred, type RequestContext } from './file-system.ts';
import type { FrontNotice, ReaderJob, StageJob, Ticket } from './jobs.ts';
import type { LateReply } from './measures.ts';
import { STALE } from './refusals.ts';

interface Waiting extends Ticket {
  /** Carries the request out once the copy is in place. */
  readonly goOn?: () => AttributesReply | Deferred;
}

interface Staging {
  readonly waiting: Waiting[];
  readonly job: StageJob;
}

export interface StagedCopyParts {
  readonly tree: Tree;
  readonly overlay: Overlay;
  /** For copies being made, on the memory folder's file system. */
  readonly stagingFolder: string;
  /** Hands a job to a reader thread. */
  readonly submit: (job: ReaderJob) => void;
  readonly notify: (notice: FrontNotice) => void;
  /** Answers a deferred request. */
  readonly answerLate: (ticket: Ticket, reply: LateReply) => void;
  /** Answers a deferred request with an errno. */
  readonly refuse: (ticket: Ticket, errno: number) => void;
}

/**
 * Copies of files that are about to be written, made by readers while requests for them wait.
 *
 * A tree file that is about to be written gets a new node: the request is answered ESTALE once the copy is in
 * place, which makes the kernel look the name up again and repeat the request on the new node. Programs never
 * see that, and whoever reads the old node keeps what it had open. A landed file's bytes come back into memory the
 * same way, and it keeps its node. The kernel repeats a request once only, and the file may have landed again by then:
 * what can be carried out at once when the bytes are there is, and gets its own answer.
 */
export class StagedCopies {
  readonly #parts: StagedCopyParts;
  readonly #tree: Tree;
  readonly #overlay: Overlay;
  readonly #attributes: Attributes;
  readonly #documents: DocumentRequests;
  readonly #report: (node: number, error: unknown) => void;
  /** Copies under way, by the node they are of. */
  readonly #staging = new Map<number, Staging>();

  /** @param report - Tells the user that something failed with a node. */
  constructor(
    parts: StagedCopyParts,
    attributes: Attributes,
    documents: DocumentRequests,
    report: (node: number, error: unknown) => void,
  ) {
    this.#parts = parts;
    this.#tree = parts.tree;
    this.#overlay = parts.overlay;
    this.#attributes = attributes;
    this.#documents = documents;
    this.#report = report;
  }

  /**
   * Begins to lay a copy of a tree file over it. The request is answered ESTALE when the copy is in place: at
   * once when it begins empty.
   */
  copyUp(context: RequestContext, node: number, empty: boolean): Deferred {
    this.#placeOf(node);
    if (empty) {
      this.#finishCopyUp(node, undefined);
      throw STALE;
    }
    const content = this.#tree.content(node);
    const attributes = this.#attributes.of(node);
    if (!attributes) throw STALE;
    const from = content.kind === 'verbatim' ? content : { kind: 'rendered' as const, node };
    return this.#stage(context, node, attributes.sizeBytes, from);
  }

  /**
   * Begins to take a landed file's bytes back into memory, to be written.
   * @param goOn - Carries the request out when they are there; without it, it is answered ESTALE then.
   */
  recall(context: RequestContext, inode: OverlayInode, goOn?: () => AttributesReply | Deferred): Deferred {
    const { landed, number, version } = inode;
    if (!landed) throw STALE;
    const from = { kind: 'landed' as const, inode: number, version, record: landed.record };
    return this.#stage(context, number, landed.sizeBytes, from, goOn);
  }

  #stage(
    context: RequestContext,
    node: number,
    sizeBytes: number,
    from: StageJob['from'],
    goOn?: () => AttributesReply | Deferred,
  ): Deferred {
    const { uniqueLow, uniqueHigh } = context;
    const ticket: Waiting = { uniqueLow, uniqueHigh, ...(goOn === undefined ? {} : { goOn }) };
    const running = this.#staging.get(node);
    if (running) {
      running.waiting.push(ticket);
      return DEFERRED;
    }
    const stagedPath = join(this.#parts.stagingFolder, `copy-${node.toString(16)}`);
    const job: StageJob = { kind: 'stage', node, stagedPath, sizeBytes, from };
    this.#staging.set(node, { waiting: [ticket], job });
    // A document's text is the main thread's.
    if (this.#documents.isDocument(node)) this.#parts.notify({ kind: 'stage-document', node, stagedPath });
    else this.#parts.submit(job);
    return DEFERRED;
  }

  /** A reader finished a copy, or failed with an errno. */
  staged(node: number, failedErrno: number): void {
    const staging = this.#staging.get(node);
    if (!staging) return;
    this.#staging.delete(node);
    const landed = this.#overlay.inode(node)?.landed?.record;
    const hasMoved = staging.job.from.kind === 'landed' && landed !== staging.job.from.record;
    let errno = failedErrno !== 0 && hasMoved ? errnoOf(STALE) : failedErrno;
    if (errno === 0) {
      const { from, stagedPath } = staging.job;
      try {
        const inode = this.#overlay.inode(node);
        if (!inode) this.#finishCopyUp(node, stagedPath);
        else if (from.kind === 'landed' && inode.landed?.record === from.record)
          this.#overlay.recall(inode, stagedPath);
        errno = errnoOf(STALE);
      } catch (error) {
        if (error !== STALE) this.#report(node, error);
        errno = errnoOf(error);
      }
      rmSync(stagedPath, { force: true });
    }
    const isThere = errno === errnoOf(STALE) && this.#overlay.inode(node) !== undefined;
    for (const ticket of staging.waiting) {
      if (ticket.goOn && isThere) this.#goOn(node, ticket, ticket.goOn);
      else this.#parts.refuse(ticket, errno);
    }
  }

  #goOn(node: number, ticket: Ticket, goOn: () => AttributesReply | Deferred): void {
    try {
      const reply = goOn();
      if (reply !== DEFERRED) this.#parts.answerLate(ticket, { kind: 'attributes', reply });
    } catch (error) {
      if (error !== STALE) this.#report(node, error);
      this.#parts.refuse(ticket, errnoOf(error));
    }
  }

  #finishCopyUp(node: number, stagedPath: string | undefined): void {
    const attributes = this.#attributes.of(node);
    if (!attributes) throw STALE;
    const place = this.#placeOf(node);
    const { mode, uid, gid } = attributes;
    const inode = this.#overlay.copyUp(
      { ...place, mode, uid, gid, origin: this.#tree.pathOf(node) },
      stagedPath,
    );
    if (stagedPath !== undefined) this.#overlay.store.setTimes(inode, attributes.atimeNs, attributes.mtimeNs);
  }

  /**
   * The directory and name a tree node hangs at. @throws STALE when it is gone, or something else lies there: a
   * copy that was made before, mostly, and may have been written since.
   */
  #placeOf(node: number): { parent: number; name: string } {
    const path = this.#overlay.names.pathOf(node);
    if (path === undefined) throw STALE;
    const names = path.split('/');
    const name = names.pop() ?? '';
    let parent = ROOT_NODE;
    for (const part of names) {
      const next = this.#overlay.names.lookup(parent, part);
      if (next === undefined) throw STALE;
      parent = next;
    }
    if (this.#overlay.names.lookup(parent, name) !== node) throw STALE;
    return { parent, name };
  }
}
