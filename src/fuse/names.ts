import { Buffer, isUtf8 } from 'node:buffer';
import { constants } from 'node:os';

/** A name of the wire that is not valid UTF-8. The session answers EILSEQ. */
export class NameEncodingError extends Error {
  readonly errno = constants.errno.EILSEQ;
  override readonly name = 'NameEncodingError';
}

/** Where the NUL that ends the string starting at `start` lies; `limit` when there is none. */
export function endOfName(bytes: Buffer, start: number, limit: number): number {
  let at = start;
  while (at < limit && bytes[at] !== 0) at++;
  return at;
}

/**
 * The string in `bytes[start..end)`.
 *
 * @throws NameEncodingError when the bytes are not valid UTF-8.
 */
export function decodeName(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at++)
    if ((bytes[at] ?? 0) >= 0x80) {
      if (!isUtf8(bytes.subarray(start, end))) throw new NameEncodingError('a name is not valid UTF-8');
      return bytes.toString('utf8', start, end);
    }
  return bytes.toString('latin1', start, end);
}

/**
 * Writes `name` as UTF-8 at `at` when it ends at or before `limit`.
 *
 * @returns The number of bytes written, or -1 when it does not fit (then bytes past `at` are undefined).
 */
export function encodeName(name: string, bytes: Buffer, at: number, limit: number): number {
  const length = name.length;
  if (at + length > limit) return -1;
  for (let index = 0; index < length; index++) {
    const code = name.charCodeAt(index);
    if (code >= 0x80) {
      const sizeBytes = Buffer.byteLength(name);
      if (at + sizeBytes > limit) return -1;
      return bytes.write(name, at, sizeBytes, 'utf8');
    }
    bytes[at + index] = code;
  }
  return length;
}
