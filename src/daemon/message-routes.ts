import { errnoOf } from '../core/errno.ts';
import { explain } from '../core/errors.ts';
import { invalidateNode } from '../fuse/notify.ts';
import type { FrontNotice } from '../vfs/jobs.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { FromFront } from './front-messages.ts';
import { logEvent } from './log.ts';
import type { ReadersParts } from './readers.ts';
import type { RuntimeWarnings } from './runtime-warnings.ts';
import type { DaemonVoice } from './supervisor-messages.ts';
import { invalidateNames } from './tree-invalidation.ts';
import { WritePace } from './write-pace.ts';

type FromReaders = Parameters<ReadersParts['onMessage']>[0];

interface RoutesParts {
  readonly fuseFd: number;
  /** Filled as the daemon starts. */
  readonly parts: DaemonParts;
  readonly warnings: RuntimeWarnings;
  readonly voice: DaemonVoice;
  /** Resolves when everything is started. */
  readonly running: Promise<void>;
}

/** Where what other threads tell the main thread goes: to the part that it concerns. */
export class MessageRoutes {
  readonly #given: RoutesParts;
  readonly #pace: WritePace;
  readonly #opened = Promise.withResolvers<void>();
  readonly #unmounted = Promise.withResolvers<void>();

  constructor(given: RoutesParts) {
    this.#given = given;
    this.#pace = new WritePace(given.fuseFd);
  }

  /** Resolves when the front has replayed what was written. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Resolves when the kernel has let go of the mount. */
  get unmounted(): Promise<void> {
    return this.#unmounted.promise;
  }

  hearReader(message: FromReaders): void {
    const { parts, warnings } = this.#given;
    switch (message.type) {
      case 'staged':
        parts.front?.tell({ type: 'staged', node: message.node, errno: message.errno });
        return;
      case 'render-found':
        parts.front?.nudge();
        parts.hot?.looked(message.found.node, message.found.path);
        return;
      case 'synced':
        parts.front?.tell(message);
        return;
      case 'failed-job':
        parts.front?.tell({ ...message, type: 'failed' });
        return;
      case 'source-changed':
        parts.plates?.sourceChanged(message.node);
        return;
      case 'files-read':
        parts.plates?.filesRead(message.files);
        return;
      case 'failed':
        warnings.fail(message.message);
    }
  }

  hearFront(message: FromFront): void {
    const { parts, warnings, voice, fuseFd } = this.#given;
    switch (message.type) {
      case 'open':
        if (message.tornBytes > 0)
          logEvent(`${message.tornBytes} bytes of an unfinished change were cut off the journal`);
        for (const path of message.lost)
          warnings.warn('lost', `${path} was in memory only when the machine went down, and is lost`);
        for (const what of message.damaged)
          warnings.fail(`${what} was damaged on disk and can't be read; restore the file from elsewhere`);
        invalidateNames(fuseFd, message.published);
        parts.landings?.know(message.files, message.nextInode);
        this.#opened.resolve();
        return;
      case 'negotiated':
        voice.tell({ type: 'negotiated', negotiated: message.negotiated });
        return;
      case 'readers-wanted':
        parts.readers?.start(message.count);
        return;
      case 'unmounted':
        this.#unmounted.resolve();
        return;
      case 'notice':
        this.#notice(message.notice);
    }
  }

  #notice(notice: FrontNotice): void {
    const { parts, warnings, fuseFd, running } = this.#given;
    switch (notice.kind) {
      case 'document':
        void parts.documents?.answer(notice);
        return;
      case 'stage-document':
        void this.#stageDocument(notice.node, notice.stagedPath);
        return;
      case 'sealed':
      case 'moved':
        parts.hooks?.onSealed(notice.inode).catch((error: unknown) => warnings.warn('hook', explain(error)));
        return;
      case 'unsealed':
        parts.hooks?.onUnsealed(notice.inode);
        return;
      case 'abandoned':
        parts.landings?.remove(notice.abandoned);
        return;
      case 'flush':
      case 'answer-write':
        this.#pace.hear(notice, parts.front);
        return;
      case 'growing':
        parts.landings?.ahead.grown(notice.inode);
        return;
      case 'growing-gone':
        parts.landings?.ahead.gone(notice.inode);
        return;
      case 'pressed':
        parts.memory?.pressed();
        return;
      case 'source-changed':
      case 'passed-through':
        invalidateNode(fuseFd, notice.node);
        return;
      case 'read-whole':
        parts.hot?.wanted(notice.node);
        return;
      case 'measure':
        void running.then(() => parts.plates?.measure(notice.node));
        return;
      case 'failed':
        warnings.fail(notice.path === '' ? notice.message : `${notice.path}: ${notice.message}`);
    }
  }

  async #stageDocument(node: number, stagedPath: string): Promise<void> {
    const { parts, warnings } = this.#given;
    const error = await parts.documents?.stage(node, stagedPath);
    if (error !== undefined) warnings.fail(explain(error));
    parts.front?.tell({ type: 'staged', node, errno: error === undefined ? 0 : errnoOf(error) });
  }
}
