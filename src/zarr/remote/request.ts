import { setTimeout as pause } from 'node:timers/promises';
import { type S3Credentials, signedHeaders } from './s3-signature.ts';

/** One object, or a part of it, that a server is asked for. */
export interface RemoteRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  readonly range?: { readonly offset: number; readonly sizeBytes: number };
  /** A longer answer is refused before it is in memory. */
  readonly maxBytes: number;
  /** For all attempts together. */
  readonly timeoutMs: number;
  readonly s3?: { readonly region: string; readonly credentials?: S3Credentials };
}

export interface FoundObject {
  readonly kind: 'found';
  /** Exactly what was asked for; empty for HEAD. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the whole object; undefined when the server doesn't say. */
  readonly totalBytes: number | undefined;
  /** The server's word for this version of the object. */
  readonly tag: string | undefined;
  /** The S3 region that answered, where it was another than was asked. */
  readonly region?: string;
}

export type RemoteAnswer =
  | FoundObject
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly detail: string; readonly advice: string };

/** A failure that may pass. */
class Transient extends Error {
  readonly waitMs: number | undefined;
  constructor(message: string, waitMs?: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

/** A failure that stays. */
class Refused extends Error {
  readonly advice: string;
  constructor(message: string, advice: string) {
    super(message);
    this.advice = advice;
  }
}

const MAX_ATTEMPTS = 6;
const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 5000;
/** RFC 9110: too early, too many requests, and the server's own trouble. */
const TRANSIENT_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Asks until there is an answer, the deadline is over, or asking again is of no use. Never rejects. */
export async function askServer(request: RemoteRequest): Promise<RemoteAnswer> {
  const deadline = AbortSignal.timeout(request.timeoutMs);
  let region = request.s3?.region;
  let last = 'there was no answer';
  for (let attempt = 1; attempt <= MAX_ATTEMPTS && !deadline.aborted; attempt++) {
    try {
      const answer = await attemptOnce(request, region, deadline);
      if ('region' in answer && answer.kind === 'elsewhere') {
        if (answer.region === region)
          return { kind: 'failed', detail: 'the bucket is in no region', advice: CHECK_URL };
        region = answer.region;
        continue;
      }
      return answer.kind === 'found' && region !== undefined && region !== request.s3?.region
        ? { ...answer, region }
        : answer;
    } catch (error) {
      if (error instanceof Refused) return { kind: 'failed', detail: error.message, advice: error.advice };
      last = reasonOf(error);
      const waitMs = error instanceof Transient ? error.waitMs : undefined;
      await wait(waitMs ?? FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random()), deadline);
    }
  }
  const detail = deadline.aborted ? `no answer within ${request.timeoutMs / 1000} s: ${last}` : last;
  return { kind: 'failed', detail, advice: 'check the network and the server, then read it again' };
}

const CHECK_URL = 'check the address';

async function wait(waitMs: number, deadline: AbortSignal): Promise<void> {
  try {
    await pause(Math.min(waitMs, MAX_WAIT_MS), undefined, { signal: deadline });
  } catch {
    // The deadline is over: the loop ends.
  }
}

/** The innermost reason, where the libraries between say only that something failed. */
function reasonOf(error: unknown): string {
  let reason = String(error);
  for (let inner = error; inner instanceof Error; inner = inner.cause) reason = inner.message || reason;
  return reason;
}

type Elsewhere = { readonly kind: 'elsewhere'; readonly region: string };

/** The URL of a bucket of Amazon's service in its region; other URLs as they are. */
export function inRegion(url: string, region: string): URL {
  const moved = new URL(url);
  moved.host = moved.host.replace(/(^|\.)s3\.[a-z\d-]+\.amazonaws\.com$/, `$1s3.${region}.amazonaws.com`);
  return moved;
}

async function attemptOnce(
  request: RemoteRequest,
  region: string | undefined,
  signal: AbortSignal,
): Promise<FoundObject | Elsewhere | { readonly kind: 'absent' }> {
  const { method, range, s3 } = request;
  const url = region === undefined ? new URL(request.url) : inRegion(request.url, region);
  const plain: Record<string, string> = {
    // Parts and sizes are of the bytes as they lie.
    'accept-encoding': 'identity',
    ...(range ? { range: `bytes=${range.offset}-${range.offset + range.sizeBytes - 1}` } : {}),
  };
  const headers =
    s3?.credentials && region !== undefined
      ? signedHeaders(method, url, plain, region, s3.credentials, new Date())
      : plain;
  const response = await fetch(url, { method, headers, signal, redirect: s3 ? 'manual' : 'follow' });
  try {
    const other = response.headers.get('x-amz-bucket-region');
    if (s3 && !response.ok && other !== null && other !== region) return { kind: 'elsewhere', region: other };
    if (response.status === 404) return { kind: 'absent' };
    checkStatus(response);
    return method === 'HEAD' ? headOf(response) : await bodyOf(response, request);
  } finally {
    // What is left of the answer isn't wanted; the connection is free again.
    await response.body?.cancel().catch(() => undefined);
  }
}

function checkStatus(response: Response): void {
  const { status } = response;
  const said = `the server says ${status}${response.statusText === '' ? '' : ` ${response.statusText}`}`;
  if (TRANSIENT_STATUS.has(status)) {
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    throw new Transient(said, Number.isFinite(seconds) ? seconds * 1000 : undefined);
  }
  if (status === 401 || status === 403)
    throw new Refused(
      said,
      'check the keys, and that they may list the bucket: without that S3 says so of what is not there',
    );
  if (status === 416) throw new Refused(`${said}: it is shorter than it was`, 'mount it again');
  if (status !== 200 && status !== 206) throw new Refused(said, CHECK_URL);
  const encoding = response.headers.get('content-encoding');
  if (encoding !== null && encoding !== 'identity')
    throw new Refused(`the server sends it packed (${encoding})`, 'have the server send it as it is');
}

const lengthOf = (response: Response): number | undefined => {
  const text = response.headers.get('content-length');
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
};

const tagOf = (response: Response): string | undefined =>
  response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;

function headOf(response: Response): FoundObject {
  return { kind: 'found', bytes: new Uint8Array(0), totalBytes: lengthOf(response), tag: tagOf(response) };
}

async function bodyOf(response: Response, { range, maxBytes }: RemoteRequest): Promise<FoundObject> {
  const part = response.status === 206 ? contentRange(response) : undefined;
  if (response.status === 206 && (!range || part?.offset !== range.offset))
    throw new Refused('the server sends another part than it was asked for', CHECK_URL);
  const bytes = await readBody(response, maxBytes);
  const tag = tagOf(response);
  if (!range) return { kind: 'found', bytes, totalBytes: bytes.length, tag };
  // A server that knows no parts sends the whole.
  const wanted = part ? bytes : bytes.slice(range.offset, range.offset + range.sizeBytes);
  if (wanted.length !== range.sizeBytes)
    throw new Transient(`${wanted.length} bytes came instead of ${range.sizeBytes}`);
  return { kind: 'found', bytes: wanted, totalBytes: part ? part.totalBytes : bytes.length, tag };
}

/** RFC 9110, 14.4. */
function contentRange(response: Response): { offset: number; totalBytes: number | undefined } | undefined {
  const match = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(
    response.headers.get('content-range') ?? '',
  );
  if (!match) return undefined;
  return { offset: Number(match[1]), totalBytes: match[2] === '*' ? undefined : Number(match[2]) };
}

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const promised = lengthOf(response);
  const tooMuch = (sizeBytes: number): Refused =>
    new Refused(
      `${sizeBytes} bytes, more than ${maxBytes}`,
      'the server may know no parts of objects: try another, or copy the store',
    );
  if (promised !== undefined && promised > maxBytes) throw tooMuch(promised);
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of response.body ?? []) {
    sizeBytes += piece.length;
    if (sizeBytes > maxBytes) throw tooMuch(sizeBytes);
    pieces.push(piece);
  }
  if (promised !== undefined && sizeBytes !== promised)
    throw new Transient(`the answer was cut off after ${sizeBytes} of ${promised} bytes`);
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
