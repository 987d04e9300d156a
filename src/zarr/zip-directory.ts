import { BadZarrError, UnsupportedZarrError } from '../core/errors.ts';
import type { StoredBytes } from './stored-bytes.ts';

/*
 * Zip files: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to 4.3.16
 * (its end, with 64 bits and without), 4.5.3 (extra field of 64 bits).
 */

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const LOCATOR64_SIGNATURE = 0x07064b50;
const LOCATOR64_BYTES = 20;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const EXTRA64 = 0x0001;
const MAX_COMMENT_BYTES = 0xffff;

/** It is in memory whole: of four million members at some 100 bytes. */
const MAX_DIRECTORY_BYTES = 512 * 1024 * 1024;
const MAX_MEMBERS = 2 ** 22;

/** One file in a zip file. */
export interface ZipMember {
  readonly name: string;
  /** 0 for bytes as they are, 8 for deflate, 93 for zstd. */
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly crc32: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  /** Of its local header. */
  readonly offset: number;
}

/** Members by name; of two of one name, as zarr-python leaves them, the last counts. Memory: the directory as it lies. */
export class ZipDirectory {
  readonly #path: string;
  readonly #entries: Buffer;
  /** Added to every offset: what stands before the zip file in the file. */
  readonly #shift: number;
  /** Open addressing by the hash of the name: 1 + where the entry begins, 0 for none. */
  readonly #slots: Uint32Array;

  /** @throws BadZarrError, UnsupportedZarrError naming the file. */
  constructor(file: StoredBytes) {
    const { entries, count, shift } = readEntries(file);
    this.#path = file.path;
    this.#entries = entries;
    this.#shift = shift;
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(2 * count + 2)));
    let at = 0;
    for (let number = 0; number < count; number++) {
      const end = at + this.#entryBytes(at);
      const slot = this.#slotOf(this.#nameBytes(at));
      this.#slots[slot] = at + 1;
      at = end;
    }
    if (at !== entries.length)
      throw new BadZarrError(
        this.#path,
        `the zip file counts ${count} members, but its directory has more bytes`,
      );
  }

  /** Size of the entry at a place in the directory. @throws BadZarrError when it isn't whole. */
  #entryBytes(at: number): number {
    const entries = this.#entries;
    if (at + ENTRY_BYTES > entries.length || entries.readUInt32LE(at) !== ENTRY_SIGNATURE)
      throw new BadZarrError(this.#path, 'the zip file has a damaged directory');
    const sizeBytes =
      ENTRY_BYTES +
      entries.readUInt16LE(at + 28) +
      entries.readUInt16LE(at + 30) +
      entries.readUInt16LE(at + 32);
    if (at + sizeBytes > entries.length)
      throw new BadZarrError(this.#path, 'the zip file has a directory that is cut off');
    return sizeBytes;
  }

  #nameBytes(at: number): Buffer {
    return this.#entries.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + this.#entries.readUInt16LE(at + 28));
  }

  /** Where in the table a name is, or would be. */
  #slotOf(name: Buffer): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(name) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] ?? 0;
      if (entry === 0 || this.#nameBytes(entry - 1).equals(name)) return slot;
    }
  }

  /** The member of a name; undefined when there is none. @throws BadZarrError when its entry is damaged. */
  member(name: string): ZipMember | undefined {
    const entry = this.#slots[this.#slotOf(Buffer.from(name))] ?? 0;
    return entry === 0 ? undefined : this.#memberAt(entry - 1, name);
  }

  /** The names of all members, some of them twice. */
  *names(): Generator<string> {
    for (let at = 0; at < this.#entries.length; ) {
      yield this.#nameBytes(at).toString('utf8');
      at += this.#entryBytes(at);
    }
  }

  #memberAt(at: number, name: string): ZipMember {
    const entries = this.#entries;
    const nameBytes = entries.readUInt16LE(at + 28);
    const extraAt = at + ENTRY_BYTES + nameBytes;
    const wide = wideNumbers(entries.subarray(extraAt, extraAt + entries.readUInt16LE(at + 30)));
    // Each number that doesn't fit stands in the extra field, in this order.
    const number = (value: number): number => {
      if (value !== 0xffffffff) return value;
      const wideValue = wide.next().value;
      if (wideValue === undefined) throw new BadZarrError(this.#path, `${name} lacks a size of 64 bits`);
      return wideValue;
    };
    const sizeBytes = number(entries.readUInt32LE(at + 24));
    const packedBytes = number(entries.readUInt32LE(at + 20));
    const offset = number(entries.readUInt32LE(at + 42));
    return {
      name,
      method: entries.readUInt16LE(at + 10),
      isEncrypted: (entries.readUInt16LE(at + 8) & 1) !== 0,
      crc32: entries.readUInt32LE(at + 16),
      packedBytes,
      sizeBytes,
      offset: offset + this.#shift,
    };
  }
}

/** Where a member's bytes begin in the file. @throws BadZarrError when its local header isn't where it must be. */
export function memberOffset(file: StoredBytes, { name, offset, packedBytes }: ZipMember): number {
  const expected = Buffer.from(name);
  const headerBytes = LOCAL_BYTES + expected.length;
  const bad = (): BadZarrError =>
    new BadZarrError(`${file.path}/${name}`, 'does not lie where the zip file’s directory says');
  if (!(offset + headerBytes + packedBytes <= file.sizeBytes)) throw bad();
  const header = Buffer.alloc(headerBytes);
  file.readInto(header, offset);
  const isThere =
    header.readUInt32LE(0) === LOCAL_SIGNATURE &&
    header.readUInt16LE(26) === expected.length &&
    header.subarray(LOCAL_BYTES).equals(expected);
  const start = offset + headerBytes + header.readUInt16LE(28);
  if (!isThere || start + packedBytes > file.sizeBytes) throw bad();
  return start;
}

/** The 64-bit numbers of an entry's extra fields. */
function* wideNumbers(extra: Buffer): Generator<number, undefined> {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === EXTRA64)
      for (let number = at + 4; number + 8 <= Math.min(end, extra.length); number += 8)
        yield Number(extra.readBigUInt64LE(number));
    at = end;
  }
}

/** FNV-1a, 32 bits. */
function hashOf(bytes: Buffer): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

interface Entries {
  readonly entries: Buffer;
  readonly count: number;
  readonly shift: number;
}

function readEntries(file: StoredBytes): Entries {
  const { path, sizeBytes: fileBytes } = file;
  const tailBytes = Math.min(fileBytes, END_BYTES + MAX_COMMENT_BYTES + LOCATOR64_BYTES);
  const tail = Buffer.allocUnsafeSlow(tailBytes);
  file.readInto(tail, fileBytes - tailBytes);
  const at = endOffset(tail);
  if (at === undefined)
    throw new BadZarrError(path, 'is no zip file, or not a whole one', {
      advice: 'where it is still being written, mount it when that is done',
    });
  if (tail.readUInt16LE(at + 4) !== tail.readUInt16LE(at + 6))
    throw new UnsupportedZarrError(path, 'a zip file in several parts');
  let count = tail.readUInt16LE(at + 10);
  let sizeBytes = tail.readUInt32LE(at + 12);
  let offset = tail.readUInt32LE(at + 16);
  let end = fileBytes - tailBytes + at;
  if (at >= LOCATOR64_BYTES && tail.readUInt32LE(at - LOCATOR64_BYTES) === LOCATOR64_SIGNATURE) {
    const wide = Buffer.alloc(END64_BYTES);
    // It lies right before its locator, whatever stands in front of the zip file.
    end -= LOCATOR64_BYTES + END64_BYTES;
    if (end < 0) throw new BadZarrError(path, 'the zip file has a damaged end');
    file.readInto(wide, end);
    if (wide.readUInt32LE(0) !== END64_SIGNATURE)
      throw new BadZarrError(path, 'the zip file has a damaged end');
    count = Number(wide.readBigUInt64LE(32));
    sizeBytes = Number(wide.readBigUInt64LE(40));
    offset = Number(wide.readBigUInt64LE(48));
  }
  const shift = end - sizeBytes - offset;
  if (shift < 0 || count * ENTRY_BYTES > sizeBytes)
    throw new BadZarrError(path, 'the zip file has a directory that lies outside it');
  if (sizeBytes > MAX_DIRECTORY_BYTES || count > MAX_MEMBERS)
    throw new UnsupportedZarrError(path, `a zip file of ${count} members`);
  const entries = Buffer.allocUnsafeSlow(sizeBytes);
  file.readInto(entries, end - sizeBytes);
  return { entries, count, shift };
}

/** Where the end of the central directory stands in a file's last bytes: its comment reaches to the end of the file. */
function endOffset(tail: Buffer): number | undefined {
  for (let at = tail.length - END_BYTES; at >= 0; at--)
    if (
      tail.readUInt32LE(at) === END_SIGNATURE &&
      at + END_BYTES + tail.readUInt16LE(at + 20) === tail.length
    )
      return at;
  return undefined;
}
