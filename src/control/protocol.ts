import { isErrorTag } from '../core/errno.ts';
import { type ErrorTag, explain, PlateFsError } from '../core/errors.ts';

/**
 * The control protocol: JSON documents, one per line, over a unix socket. Requests are
 * `{id, method, params}`; each gets any number of `{id, progress}` and then one `{id, result}` or `{id, error}`.
 */
export interface ControlRequest {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

export type ControlReply =
  | { readonly id: number; readonly progress: unknown }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: ErrorDocument };

/** An error as it crosses the socket and as `--json` prints it. */
export interface ErrorDocument {
  readonly tag: ErrorTag | 'internal';
  readonly message: string;
  readonly advice?: string;
}

/** Longest request a server accepts; replies may be as long as they need to be. */
export const MAX_REQUEST_BYTES = 1024 * 1024;
/** Requests one connection may have open at once. */
export const MAX_OPEN_REQUESTS = 16;
/** Connections a server holds at once; a client uses one for a moment. */
export const MAX_CONNECTIONS = 64;

export function errorDocument(error: unknown): ErrorDocument {
  if (!(error instanceof PlateFsError)) return { tag: 'internal', message: explain(error) };
  const { advice } = error;
  const message = explain(error);
  const suffix = ` (${advice})`;
  const plain = advice !== undefined && message.endsWith(suffix) ? message.slice(0, -suffix.length) : message;
  return { tag: error.tag, message: plain, ...(advice === undefined ? {} : { advice }) };
}

/** What another process reported; tag, message and advice are its own. */
export class RemoteError extends PlateFsError {
  readonly tag: ErrorTag;
  constructor({ tag, message, advice }: { tag: string; message: string; advice?: string | undefined }) {
    super(message, advice === undefined ? {} : { advice });
    this.tag = isErrorTag(tag) ? tag : 'io';
  }
}

/** Reads one line as a request, or says what is wrong with it. */
export function parseRequest(line: string): ControlRequest | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { fault: 'not JSON' };
  }
  if (typeof value !== 'object' || value === null) return { fault: 'not an object' };
  const { id, method, params } = value as Record<string, unknown>;
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) return { fault: "no whole-number 'id'" };
  if (typeof method !== 'string') return { fault: "no 'method'" };
  return { id, method, params };
}
