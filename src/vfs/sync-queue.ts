import { errnoOf } from '../core/errno.ts';
import { explain } from '../core/errors.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { SyncItem } from '../overlay/sync-plans.ts';
import type { ReaderJob, SyncReport, SyncTicket, Ticket } from './jobs.ts';

/** A file that keeps moving between memory, disk and output folder is asked for again so often. */
const MAX_TRIES = 20;
const MAX_CHECKED_TRIES = 4;

interface Waiting extends SyncTicket {
  readonly tries: number;
}

interface Running {
  readonly waiting: readonly Waiting[];
  readonly items: readonly SyncItem[];
  readonly journalBytes: number;
  readonly unwanted: readonly string[];
}

export interface SyncQueueParts {
  readonly overlay: Overlay;
  readonly journalPath: string;
  /** Hands a job to a reader thread. */
  readonly submit: (job: ReaderJob) => void;
  /** Answers a deferred request with an errno. */
  readonly refuse: (ticket: Ticket, errno: number) => void;
  /** Tells the user why something failed. */
  readonly report: (node: number, message: string) => void;
}

/**
 * Group commit: while one sync is with the disk, whoever asks for another waits for the next, which then does it for
 * all of them at once. The front never waits; a reader answers when everything is safe.
 */
export class SyncQueue {
  readonly #parts: SyncQueueParts;
  #waiting: Waiting[] = [];
  #running: Running | undefined;

  constructor(parts: SyncQueueParts) {
    this.#parts = parts;
  }

  /** Has a request answered once the file, and every name so far, survives power loss. */
  add(ticket: SyncTicket): void {
    this.#waiting.push({ ...ticket, tries: 0 });
    this.#start();
  }

  /** Has the disk begin with a file that is still being written, where it has nothing better to do. */
  addAhead(inode: number): void {
    if (!this.#running) this.add({ uniqueLow: 0, uniqueHigh: 0, inode, isAhead: true });
  }

  #start(): void {
    if (this.#running || this.#waiting.length === 0) return;
    const { overlay, submit } = this.#parts;
    const waiting = this.#waiting;
    this.#waiting = [];
    const isAhead = waiting.every((ticket) => ticket.isAhead);
    const journalPath = isAhead ? '' : this.#parts.journalPath;
    const items: SyncItem[] = [];
    try {
      const names = isAhead ? { journalBytes: 0, unwanted: [] } : overlay.syncs.beginNames();
      for (const node of new Set(waiting.map(({ inode }) => inode))) {
        // A file that is written all the time is never what it was when the sync began.
        const isChecked = !waiting.some(({ inode, tries }) => inode === node && tries >= MAX_CHECKED_TRIES);
        const item = overlay.syncs.beginFile(node, isChecked, isAhead);
        if (item) items.push(item);
      }
      this.#running = { waiting, items, ...names };
    } catch (error) {
      for (const { inode } of items) overlay.store.synced.ended(inode, undefined);
      this.#parts.report(0, explain(error));
      for (const ticket of waiting) if (!ticket.isAhead) this.#parts.refuse(ticket, errnoOf(error));
      return;
    }
    const tickets = waiting.filter((ticket) => !ticket.isAhead);
    submit({ kind: 'sync', items, journalPath, tickets });
  }

  /** A reader has done the sync that was under way, and answered where all went well. */
  ended(report: SyncReport): void {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    const { overlay, refuse } = this.#parts;
    const { namesFailure } = report;
    const isAhead = running.waiting.every((ticket) => ticket.isAhead);
    if (!isAhead) overlay.syncs.endNames(running.journalBytes, running.unwanted, namesFailure === undefined);
    if (namesFailure) this.#parts.report(0, namesFailure.message);
    const failures = new Map<number, { errno: number; message: string }>();
    for (const { inode, logBytes, failure, isSpillRefused } of report.items) {
      const item = running.items.find((one) => one.inode === inode);
      const { synced } = overlay.store;
      synced.ended(inode, logBytes, isAhead);
      if (isSpillRefused) synced.doubtSpill(inode);
      // What failed ahead fails again when somebody waits for it.
      if (!failure || !item || isAhead) continue;
      if (overlay.syncs.hasMoved(item)) failures.set(inode, { errno: 0, message: '' });
      else {
        failures.set(inode, failure);
        this.#parts.report(inode, failure.message);
      }
    }
    for (const ticket of running.waiting) {
      if (ticket.isAhead) continue;
      const failure = failures.get(ticket.inode);
      if (failure?.errno === 0 && ticket.tries < MAX_TRIES)
        this.#waiting.push({ ...ticket, tries: ticket.tries + 1 });
      else if (failure) refuse(ticket, failure.errno === 0 ? errnoOf(undefined) : failure.errno);
      else if (namesFailure) refuse(ticket, namesFailure.errno);
    }
    this.#start();
  }
}
