import { UnreadableSourceError } from '../../core/errors.ts';
import { type ChunkUse, isPlainKey, type StoreListing, type ZarrStore } from '../store.ts';
import type { OpenBytes } from '../stored-bytes.ts';
import { RemoteObjects } from './remote-objects.ts';
import { listFolders } from './s3-listing.ts';
import { type S3Settings, s3Settings } from './s3-settings.ts';
import { strictEncode } from './s3-signature.ts';

const encodeKey = (key: string): string => key.split('/').map(strictEncode).join('/');

/** Opens what stands at an address. @throws UnreadableSourceError when it is none, or keys for it can't be had. */
export function remoteStore(address: string): RemoteStore {
  return /^s3:/i.test(address) ? new S3Store(address) : new HttpStore(address);
}

/** A store on a server, every object asked for when it is read. Nothing outlives the store but the connection. */
export abstract class RemoteStore implements ZarrStore {
  readonly isRemote = true;
  abstract readonly location: string;
  protected abstract readonly objects: RemoteObjects;

  pathOf(key: string): string {
    return key === '' ? this.location : `${this.location}/${key}`;
  }

  open(keys: readonly string[], use: ChunkUse): OpenBytes | undefined {
    for (const key of keys) {
      const found = isPlainKey(key) ? this.objects.open(key, use) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  forget(key: string): void {
    this.objects.forget(key);
  }

  /**
   * As {@link RemoteObjects.identityNow}, of what {@link pathOf} gave a path for.
   * @throws RangeError for a path that is not in the store; UnreadableSourceError
   */
  identityNow(path: string): string | undefined {
    if (path !== this.location && !path.startsWith(`${this.location}/`))
      throw new RangeError(`${path} is not in ${this.location}`);
    return this.objects.identityNow(path.slice(this.location.length + 1));
  }

  /** The object that the address itself names: a zip file. @throws UnreadableSourceError when there is none. */
  openItself(): OpenBytes {
    const found = this.objects.open('', 'parts');
    if (!found)
      throw new UnreadableSourceError(this.location, 'is not there', { advice: 'check the address' });
    return found;
  }

  abstract list(folder: string): StoreListing | undefined;

  [Symbol.dispose](): void {
    // Connections are the worker's.
  }
}

/** Objects below an `http://` or `https://` URL. A query is sent with every request; servers of this kind can't list. */
class HttpStore extends RemoteStore {
  readonly location: string;
  protected readonly objects: RemoteObjects;

  constructor(address: string) {
    super();
    const url = parsed(address);
    const base = url.pathname.replace(/\/+$/, '');
    // A user's name and password, and what a query holds, are for the server alone.
    this.location = `${url.protocol}//${url.host}${base}`;
    if (url.username !== '' || url.password !== '')
      throw new UnreadableSourceError(this.location, 'has a user name in its address', {
        advice: 'use an address that is signed, or a server that asks for none',
      });
    this.objects = new RemoteObjects({
      urlOf: (key) => `${this.location}${key === '' ? '' : '/'}${encodeKey(key)}${url.search}`,
      pathOf: (key) => this.pathOf(key),
    });
  }

  list(): undefined {
    return undefined;
  }
}

/** Objects below `s3://bucket/prefix` of Amazon's or another service. */
class S3Store extends RemoteStore {
  readonly location: string;
  protected readonly objects: RemoteObjects;
  readonly #bucketUrl: string;
  readonly #prefix: string;

  constructor(address: string) {
    super();
    const match = /^s3:\/\/([^/?#]+)\/?([^?#]*)$/i.exec(address);
    const [, bucket = '', prefix = ''] = match ?? [];
    this.#prefix = prefix.replace(/\/+$/, '');
    this.location = `s3://${bucket}${this.#prefix === '' ? '' : '/'}${this.#prefix}`;
    if (!match || !/^[a-z\d][a-z\d._-]{1,254}$/i.test(bucket))
      throw new UnreadableSourceError(address, 'names no bucket', { advice: 'write s3://bucket/path' });
    const settings = s3Settings(this.location);
    this.#bucketUrl = bucketUrl(bucket, settings, this.location);
    const { region, credentials } = settings;
    this.objects = new RemoteObjects({
      urlOf: (key) => `${this.#bucketUrl}/${encodeKey(this.#keyOf(key))}`,
      pathOf: (key) => this.pathOf(key),
      s3: { region, ...(credentials ? { credentials } : {}) },
    });
  }

  #keyOf(key: string): string {
    return [this.#prefix, key].filter((part) => part !== '').join('/');
  }

  list(folder: string): StoreListing | undefined {
    if (folder !== '' && !isPlainKey(folder)) return undefined;
    const key = this.#keyOf(folder);
    return listFolders(this.objects, this.pathOf(folder), this.#bucketUrl, key === '' ? '' : `${key}/`);
  }
}

function parsed(address: string): URL {
  try {
    return new URL(address);
  } catch (cause) {
    throw new UnreadableSourceError(address, 'is no address', { cause });
  }
}

/**
 * Where a bucket is: of Amazon's service in the host's name, unless a dot in it would break its certificate; of
 * another service in the path, which all of them know.
 */
function bucketUrl(bucket: string, { endpoint, region }: S3Settings, location: string): string {
  if (endpoint !== undefined) {
    if (!/^https?:\/\//i.test(endpoint))
      throw new UnreadableSourceError(location, `the endpoint ${JSON.stringify(endpoint)} is no address`, {
        advice: 'set AWS_ENDPOINT_URL to one that begins with https://',
      });
    return `${endpoint.replace(/\/+$/, '')}/${strictEncode(bucket)}`;
  }
  const host = `s3.${region}.amazonaws.com`;
  return bucket.includes('.') ? `https://${host}/${bucket}` : `https://${bucket}.${host}`;
}
