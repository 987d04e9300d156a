import { readSync } from 'node:fs';
import { constants } from 'node:os';
import { FuseUnavailableError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import type { FileSystem } from '../vfs/file-system.ts';
import { Dispatcher } from './dispatch.ts';
import type { FrontWake } from './front-wake.ts';
import { decodeInit, encodeInitReply, type Negotiated, negotiate } from './negotiation.ts';
import { FUSE_MAJOR, OLDEST_MINOR, OP, SIZE } from './protocol.ts';
import { ReplyWriter } from './reply-writer.ts';
import { RequestBuffer } from './request.ts';

export interface SessionOptions {
  /** The open and mounted /dev/fuse. */
  fd: number;
  handler: FileSystem;
  /** The positive errno for what a handler throws. */
  errnoOf: (error: unknown) => number;
  /** What an earlier daemon negotiated on this connection: INIT has been and will not come again. */
  negotiated?: Negotiated;
  /** Called once, after the kernel has taken our answer to INIT; not for a resumed session. */
  onInit?: (negotiated: Negotiated) => void;
  /** Lets other threads have `handler.idle()` called while the session waits. */
  wake?: FrontWake;
  /** Hears of errors that reach a client as EIO, and of those of requests without a reply. */
  report?: (error: unknown, opcode: number) => void;
}

const PAUSE_MS = 1;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * The next request's length, or 0 when there is none this time, or -1 when the mount is gone.
 *
 * fuse_dev_read(): EINTR a signal; EAGAIN a descriptor set to non-blocking; ENOENT the request was aborted
 * while it was being read; ENODEV unmounted or aborted.
 */
function readRequest(fd: number, request: RequestBuffer): number {
  try {
    return readSync(fd, request.bytes, 0, request.bytes.length, null);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENODEV' || code === 'ECONNABORTED') return -1;
    if (code === 'EINTR' || code === 'ENOENT') return 0;
    if (code === 'EAGAIN') {
      Atomics.wait(pause, 0, 0, PAUSE_MS);
      return 0;
    }
    throw error;
  }
}

/** Answers INIT. Returns undefined when the kernel has to say it again with our major version. */
function answerInit(request: RequestBuffer, reply: ReplyWriter): Negotiated | undefined {
  const { uniqueLow, uniqueHigh } = request.context;
  const offer = decodeInit(request.view, SIZE.IN_HEADER, request.end - SIZE.IN_HEADER);
  if (offer.major > FUSE_MAJOR) {
    reply.view.setUint32(reply.bodyAt, FUSE_MAJOR, true);
    reply.view.setUint32(reply.bodyAt + 4, OLDEST_MINOR, true);
    for (let at = 8; at < SIZE.INIT_OUT; at += 4) reply.view.setUint32(reply.bodyAt + at, 0, true);
    reply.body(uniqueLow, uniqueHigh, SIZE.INIT_OUT);
    return undefined;
  }
  const negotiated = negotiate(offer);
  if (negotiated === undefined) {
    reply.error(uniqueLow, uniqueHigh, constants.errno.EPROTO);
    throw new FuseUnavailableError(
      `the kernel speaks FUSE ${offer.major}.${offer.minor}, ${FUSE_MAJOR}.${OLDEST_MINOR} is needed`,
      { advice: 'use Linux 5.4 or later' },
    );
  }
  reply.body(uniqueLow, uniqueHigh, encodeInitReply(reply.view, reply.bodyAt, negotiated));
  return negotiated;
}

/**
 * Serves a mount until it is gone: blocks the calling thread, so it belongs into a worker. After every request
 * (and after a `FrontWake.kick`) it calls `handler.idle()`.
 *
 * Nothing in the process may touch a path of the mount while this runs, and kernel notifications are
 * for another thread: the kernel may hold a lock that waits for this one.
 *
 * @throws FuseUnavailableError when the kernel's protocol is older than 7.31; the system error when the
 *   device can't be read or written.
 */
export function runSession(options: SessionOptions): void {
  const { fd, handler } = options;
  const request = new RequestBuffer();
  const reply = new ReplyWriter(fd);
  const report = options.report ?? (() => undefined);
  const dispatcher = new Dispatcher(request, reply, handler, options.errnoOf, report);
  const { wake } = options;
  wake?.arm();
  for (;;) {
    const lengthBytes = wake === undefined || wake.mayBlock() ? readRequest(fd, request) : 0;
    wake?.awake();
    if (lengthBytes < 0) return;
    if (lengthBytes > 0) {
      if (!request.accept(lengthBytes)) throw new Error(`a FUSE request of ${lengthBytes} bytes is damaged`);
      if (request.opcode === OP.INIT) {
        const negotiated = answerInit(request, reply);
        if (negotiated !== undefined) options.onInit?.(negotiated);
      } else dispatcher.dispatch();
    }
    wake?.hear();
    handler.idle();
  }
}
