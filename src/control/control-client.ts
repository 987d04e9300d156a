import { connect } from 'node:net';
import { CancelledError, NotRunningError, UnreadableSourceError } from '../core/errors.ts';
import { LineSplitter } from './line-splitter.ts';
import { type ErrorDocument, RemoteError } from './protocol.ts';

export interface CallOptions {
  readonly onProgress?: (value: unknown) => void;
  /** Longest silence before the call gives up; progress starts it anew. 10 s unless set. */
  readonly silenceMs?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_SILENCE_MS = 10_000;
/** A reply may list every file of a plate; more than this is no reply of ours. */
const MAX_REPLY_BYTES = 256 * 1024 * 1024;

/**
 * Asks a running mount. Hanging up tells the other side to stop.
 * @throws NotRunningError when nobody listens or it goes away; RemoteError with what the method threw;
 *   CancelledError; UnreadableSourceError when it keeps silent or talks nonsense.
 */
export function callControl(
  socketPath: string,
  method: string,
  params: unknown = {},
  { onProgress, silenceMs = DEFAULT_SILENCE_MS, signal }: CallOptions = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const splitter = new LineSplitter(MAX_REPLY_BYTES);
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      settle();
    };
    const fail = (error: Error): void => finish(() => reject(error));
    const timer = setTimeout(
      () =>
        fail(
          new UnreadableSourceError(socketPath, `no answer to '${method}' for ${silenceMs / 1000} s`, {
            advice: 'the mount may be very busy; try again, or see its log in the state folder',
          }),
        ),
      silenceMs,
    );
    const onAbort = (): void => fail(new CancelledError(`'${method}' was cancelled`));
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });

    const handle = (line: string): void => {
      const reply = parseReply(line);
      timer.refresh();
      if (!reply) fail(new UnreadableSourceError(socketPath, 'answers in no known form'));
      else if ('error' in reply) fail(new RemoteError(reply.error));
      else if ('result' in reply) finish(() => resolve(reply.result));
      else onProgress?.(reply.progress);
    };
    socket.on('connect', () => socket.write(`${JSON.stringify({ id: 1, method, params })}\n`));
    socket.on('data', (chunk) => {
      const lines = splitter.push(chunk);
      if (!lines) return fail(new UnreadableSourceError(socketPath, 'its answer is too long'));
      for (const line of lines) if (!socket.destroyed) handle(line);
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      const isAbsent =
        cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED' || cause.code === 'ECONNRESET';
      fail(
        isAbsent
          ? new NotRunningError(`no PlateFS answers at ${socketPath}`, { advice: "see 'platefs status'" })
          : new UnreadableSourceError(socketPath, 'cannot be asked', { cause }),
      );
    });
    socket.on('close', () =>
      fail(new NotRunningError(`PlateFS at ${socketPath} went away during '${method}'`)),
    );
  });
}

type Reply =
  | { readonly progress: unknown }
  | { readonly result: unknown }
  | { readonly error: ErrorDocument };

function parseReply(line: string): Reply | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    if ('error' in value) {
      const { error } = value;
      const isDocument =
        typeof error === 'object' &&
        error !== null &&
        'message' in error &&
        typeof error.message === 'string';
      return isDocument ? (value as Reply) : undefined;
    }
    return 'result' in value || 'progress' in value ? (value as Reply) : undefined;
  } catch {
    return undefined;
  }
}
