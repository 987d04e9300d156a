import { UnreadableSourceError } from '../../core/errors.ts';
import { MAX_LISTED, type StoreListing } from '../store.ts';
import type { RemoteObjects } from './remote-objects.ts';
import { strictEncode } from './s3-signature.ts';

/** A thousand names of 1024 bytes, and what stands around them. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w{1,8}));/gi,
    (whole, hex, decimal, name: string) => {
      const code = hex ? Number.parseInt(String(hex), 16) : decimal ? Number(decimal) : undefined;
      if (code === undefined) return ENTITIES[name] ?? whole;
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

/** Texts of the elements of a name, in a document that machines write: no comments, sections or namespaces' prefixes. */
function elements(document: string, name: string): string[] {
  return [...document.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((match) =>
    unescapeXml(match[1] ?? ''),
  );
}

/**
 * The folders below a prefix that ends with a slash, or is empty (S3 API Reference, ListObjectsV2); undefined when
 * there is nothing.
 * @throws UnreadableSourceError naming `path`.
 */
export function listFolders(
  objects: RemoteObjects,
  path: string,
  bucketUrl: string,
  prefix: string,
): StoreListing | undefined {
  const folders: string[] = [];
  let token: string | undefined;
  let keys = 0;
  do {
    const query = [
      ...(token === undefined ? [] : [`continuation-token=${strictEncode(token)}`]),
      'delimiter=%2F',
      'list-type=2',
      `prefix=${strictEncode(prefix)}`,
    ].join('&');
    const answer = objects.ask(path, `${bucketUrl}/?${query}`, { method: 'GET', maxBytes: MAX_PAGE_BYTES });
    if (!answer)
      throw new UnreadableSourceError(path, 'there is no such bucket', { advice: 'check the address' });
    const page = Buffer.from(answer.bytes.buffer).toString('utf8');
    if (!page.includes('<ListBucketResult'))
      throw new UnreadableSourceError(path, 'the server can’t list', {
        advice: 'check that it speaks S3’s protocol',
      });
    for (const common of page.matchAll(/<CommonPrefixes>(.*?)<\/CommonPrefixes>/gs))
      for (const folder of elements(common[1] ?? '', 'Prefix'))
        if (folder.startsWith(prefix)) folders.push(folder.slice(prefix.length).replace(/\/$/, ''));
    keys += elements(page, 'Key').length;
    const next = elements(page, 'NextContinuationToken')[0];
    token = next !== token && elements(page, 'IsTruncated')[0] === 'true' ? next : undefined;
  } while (token !== undefined && folders.length < MAX_LISTED && keys < MAX_LISTED);
  if (folders.length === 0 && keys === 0) return undefined;
  return { folders: folders.sort(), refused: [], isCut: token !== undefined };
}
