import { isAscii, isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import { XmlFault } from './xml-fault.ts';

type XmlEncoding = 'utf-8' | 'latin1' | 'windows-1252' | 'utf-16le' | 'utf-16be';

/** Bytes looked at for the declaration `<?xml version="1.0" encoding="…"?>`; fewer only in shorter documents. */
const DECLARATION_BYTES = 256;

const NAMED: ReadonlyMap<string, XmlEncoding> = new Map([
  ['utf-8', 'utf-8'],
  ['utf8', 'utf-8'],
  ['us-ascii', 'utf-8'],
  ['ascii', 'utf-8'],
  // A declaration that could be read byte by byte isn't UTF-16, whatever it says: programs that save a string
  // declared as UTF-16 write such files.
  ['utf-16', 'utf-8'],
  ['iso-8859-1', 'latin1'],
  ['latin1', 'latin1'],
  ['windows-1252', 'windows-1252'],
  ['cp1252', 'windows-1252'],
]);

/**
 * Encoding of an XML document by byte-order mark, else by the bytes of its first `<`, else by its declaration,
 * else UTF-8 (XML 1.0, appendix F), and the length of the mark.
 * @throws XmlFault when it declares an encoding that is none of these.
 */
function encodingOf(head: Buffer): { encoding: XmlEncoding; markBytes: number } {
  const [a, b, c, d] = head;
  if (a === 0xef && b === 0xbb && c === 0xbf) return { encoding: 'utf-8', markBytes: 3 };
  if (a === 0xff && b === 0xfe) return { encoding: 'utf-16le', markBytes: 2 };
  if (a === 0xfe && b === 0xff) return { encoding: 'utf-16be', markBytes: 2 };
  if (a === 0x3c && b === 0 && c !== 0 && d === 0) return { encoding: 'utf-16le', markBytes: 0 };
  if (a === 0 && b === 0x3c && c === 0 && d !== 0) return { encoding: 'utf-16be', markBytes: 0 };
  const text = head.toString('latin1', 0, DECLARATION_BYTES);
  const declared = /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]*)["']/.exec(text)?.[1] ?? 'utf-8';
  const encoding = NAMED.get(declared.trim().toLowerCase());
  if (encoding === undefined) throw new XmlFault(0, `is written in ${declared}, which is not read here`);
  return { encoding, markBytes: 0 };
}

/** Last index at which UTF-8 can be cut without splitting a character. */
function utf8Cut(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return bytes.length;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function codesOf(text: string): Buffer {
  const codes = Buffer.allocUnsafe(text.length);
  for (let i = 0; i < text.length; i += 1) codes[i] = Math.min(text.charCodeAt(i), 255);
  return codes;
}

/** Turns the chunks of one XML document into text, keeping count of the bytes. Reads no further than it is given. */
export class XmlDecoder {
  /** Bytes turned into text so far, byte-order mark included. */
  decodedBytes = 0;
  /**
   * The last text's characters as numbers, 255 for all from 255 on: what XML's marks are looked for in, since
   * bytes are looked at several times faster than the characters of a string. Gone with the chunk.
   */
  codes: Buffer = Buffer.alloc(0);
  #encoding: XmlEncoding | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #chunk: Buffer = Buffer.alloc(0);
  #windows1252: TextDecoder | undefined;

  /**
   * Text of the next chunk; a character cut at its end comes with the next one. `last` says that none follows.
   * @throws XmlFault on bytes that are no text in the document's encoding, and on NUL.
   */
  decode(chunk: Buffer, last: boolean): string {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (this.#encoding === undefined) {
      if (bytes.length < DECLARATION_BYTES && !last) {
        this.#rest = Buffer.from(bytes);
        return '';
      }
      const { encoding, markBytes } = encodingOf(bytes);
      this.#encoding = encoding;
      this.decodedBytes += markBytes;
      bytes = bytes.subarray(markBytes);
    }
    const cut = last ? bytes.length : this.#cut(bytes, this.#encoding);
    // The chunk's memory is used again by its reader.
    this.#rest = Buffer.from(bytes.subarray(cut));
    this.#chunk = bytes.subarray(0, cut);
    const text = this.#text(this.#chunk, this.#encoding);
    const nul = text.indexOf('\0');
    if (nul >= 0)
      throw new XmlFault(this.decodedBytes + this.bytesOf(text.slice(0, nul)), 'holds a NUL character');
    this.decodedBytes += cut;
    this.codes = text.length === cut ? this.#chunk : codesOf(text);
    return text;
  }

  /** Takes back the end of what `decode` gave: the next text begins with it. Call before the chunk changes. */
  putBack(tail: string): void {
    if (tail === '') return;
    const bytes = this.bytesOf(tail);
    this.#rest = Buffer.concat([this.#chunk.subarray(this.#chunk.length - bytes), this.#rest]);
    this.decodedBytes -= bytes;
  }

  /** Bytes that `text` of this document takes in it. */
  bytesOf(text: string): number {
    if (this.#encoding === 'utf-8') return Buffer.byteLength(text);
    return this.#encoding === 'utf-16le' || this.#encoding === 'utf-16be' ? text.length * 2 : text.length;
  }

  #cut(bytes: Buffer, encoding: XmlEncoding): number {
    if (encoding === 'utf-8') return utf8Cut(bytes);
    return encoding === 'utf-16le' || encoding === 'utf-16be' ? bytes.length & ~1 : bytes.length;
  }

  #text(bytes: Buffer, encoding: XmlEncoding): string {
    if (encoding === 'latin1') return bytes.toString('latin1');
    if (encoding === 'windows-1252') {
      this.#windows1252 ??= new TextDecoder('windows-1252');
      return this.#windows1252.decode(bytes);
    }
    if (encoding === 'utf-8') {
      if (isAscii(bytes)) return bytes.toString('latin1');
      if (isUtf8(bytes)) return bytes.toString('utf8');
      throw new XmlFault(this.decodedBytes, 'holds bytes that are not UTF-8');
    }
    if (bytes.length % 2 === 1) throw new XmlFault(this.decodedBytes, 'ends inside a character');
    return (encoding === 'utf-16be' ? Buffer.from(bytes).swap16() : bytes).toString('utf16le');
  }
}
