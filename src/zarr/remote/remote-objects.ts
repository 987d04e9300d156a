import { BlockingWorker } from '../../core/blocking-call.ts';
import { SourceChangedError, UnreadableSourceError } from '../../core/errors.ts';
import { MAX_DOCUMENT_BYTES } from '../json.ts';
import type { ChunkUse } from '../store.ts';
import { memoryBytes, type OpenBytes } from '../stored-bytes.ts';
import type { FoundObject, RemoteAnswer, RemoteRequest } from './request.ts';

/** An object whose version is known: reads go on being of this version, or fail. */
interface KnownObject {
  readonly sizeBytes: number;
  readonly tag: string | undefined;
}

/** Objects remembered. */
const MAX_KNOWN = 65_536;
/** Largest object that is fetched whole. */
const MAX_WHOLE_BYTES = 2 ** 30;
/** How long a server may take, with all attempts; milliseconds. */
const TIMEOUT_VARIABLE = 'PLATEFS_REMOTE_TIMEOUT_MS';
const DEFAULT_TIMEOUT_MS = 60_000;
/** The worker gives up first. */
const GRACE_MS = 5000;

/** Of this thread; shared by all its stores. */
const worker = new BlockingWorker<RemoteRequest, RemoteAnswer>(
  new URL('./remote-worker.ts', import.meta.url),
);

/** How requests for a store's objects are made. */
export interface RemoteAccess {
  /** The URL that is asked. */
  urlOf(key: string): string;
  /** What messages call an object: without what is secret in a URL. */
  pathOf(key: string): string;
  readonly s3?: RemoteRequest['s3'];
}

function timeoutMs(): number {
  const given = Number(process.env[TIMEOUT_VARIABLE] ?? Number.NaN);
  return given > 0 ? given : DEFAULT_TIMEOUT_MS;
}

/** Objects on a server, asked for one at a time while the thread waits. */
export class RemoteObjects {
  readonly #access: RemoteAccess;
  readonly #known = new Map<string, KnownObject>();
  #s3: RemoteRequest['s3'];

  constructor(access: RemoteAccess) {
    this.#access = access;
    this.#s3 = access.s3;
  }

  /** Asks for a URL; undefined when the server says that there is nothing. @throws UnreadableSourceError */
  ask(
    path: string,
    url: string,
    more: Pick<RemoteRequest, 'method' | 'maxBytes'> & Partial<Pick<RemoteRequest, 'range'>>,
  ): FoundObject | undefined {
    const limitMs = timeoutMs();
    const request = { ...more, url, timeoutMs: limitMs, ...(this.#s3 ? { s3: this.#s3 } : {}) };
    const answer = worker.call(request, limitMs + GRACE_MS);
    if (!answer)
      throw new UnreadableSourceError(path, `no answer within ${limitMs / 1000} s`, {
        advice: 'check the network and the server, then read it again',
      });
    if (answer.kind === 'failed')
      throw new UnreadableSourceError(path, answer.detail, { advice: answer.advice });
    if (answer.kind === 'absent') return undefined;
    if (answer.region !== undefined && this.#s3) this.#s3 = { ...this.#s3, region: answer.region };
    return answer;
  }

  /** Opens an object; undefined when there is none. @throws UnreadableSourceError, SourceChangedError */
  open(key: string, use: ChunkUse): OpenBytes | undefined {
    const known = this.#known.get(key);
    if (known) return this.#inParts(key, known);
    const path = this.#access.pathOf(key);
    const url = this.#access.urlOf(key);
    if (use === 'parts') {
      const head = this.ask(path, url, { method: 'HEAD', maxBytes: 0 });
      if (!head) return undefined;
      if (head.totalBytes !== undefined)
        return this.#inParts(key, this.#remember(key, head.totalBytes, head.tag));
    }
    const maxBytes = use === 'document' ? MAX_DOCUMENT_BYTES : MAX_WHOLE_BYTES;
    const found = this.ask(path, url, { method: 'GET', maxBytes });
    if (!found) return undefined;
    const { sizeBytes, tag } = this.#remember(key, found.bytes.length, found.tag);
    return memoryBytes(path, found.bytes, identityOf(path, sizeBytes, tag));
  }

  /**
   * Tells an object, or that there is none, from what stands there at other times: its size and what the server calls its
   * version (ETag, else Last-Modified). Asks each time. Undefined where the server doesn't tell versions apart.
   * @throws UnreadableSourceError
   */
  identityNow(key: string): string | undefined {
    const access = this.#access;
    const found = this.ask(access.pathOf(key), access.urlOf(key), { method: 'HEAD', maxBytes: 0 });
    if (!found) return 'absent';
    const { totalBytes, tag } = found;
    return totalBytes === undefined || tag === undefined ? undefined : `${totalBytes} ${tag}`;
  }

  /** The object is asked for anew when it is opened next. */
  forget(key: string): void {
    this.#known.delete(key);
  }

  #remember(key: string, sizeBytes: number, tag: string | undefined): KnownObject {
    const object = { sizeBytes, tag };
    // Without a tag there is no telling one version from the next.
    if (tag === undefined) return object;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, object);
    return object;
  }

  #inParts(key: string, { sizeBytes, tag }: KnownObject): OpenBytes {
    const path = this.#access.pathOf(key);
    const url = this.#access.urlOf(key);
    const changed = (): SourceChangedError =>
      new SourceChangedError(path, 'the server has another version of it', { advice: 'mount it again' });
    return {
      path,
      sizeBytes,
      identity: identityOf(path, sizeBytes, tag),
      file: undefined,
      readInto: (target, offset) => {
        if (target.length === 0) return;
        const found = this.ask(path, url, {
          method: 'GET',
          maxBytes: MAX_WHOLE_BYTES,
          range: { offset, sizeBytes: target.length },
        });
        if (!found || found.tag !== tag || (found.totalBytes ?? sizeBytes) !== sizeBytes) throw changed();
        target.set(found.bytes);
      },
      [Symbol.dispose]() {},
    };
  }
}

/** By the path that messages show: identities are kept in caches, where what is secret in a URL must not be. */
function identityOf(path: string, sizeBytes: number, tag: string | undefined): string | undefined {
  return tag === undefined ? undefined : `${path} ${sizeBytes} ${tag}`;
}
