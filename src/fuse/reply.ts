import { Buffer } from 'node:buffer';
import type { AttributesReply, Entry, NodeAttributes, OpenReply, StatFs } from '../vfs/file-system.ts';
import { writeSafeInteger, writeTime, writeTimeout } from './integers.ts';
import { SIZE } from './protocol.ts';

/**
 * Encoders of reply bodies. Each writes its structure at `at` of `view` and returns the structure's size in
 * bytes; all bytes of the structure are written, so a buffer can be used again. They know no device and run
 * on any thread.
 */

/** struct fuse_attr, 88 bytes. */
export function encodeAttributes(view: DataView, at: number, attributes: NodeAttributes): number {
  writeSafeInteger(view, at, attributes.ino);
  writeSafeInteger(view, at + 8, attributes.sizeBytes);
  writeSafeInteger(view, at + 16, attributes.blocks);
  writeTime(view, at + 24, at + 48, attributes.atimeNs);
  writeTime(view, at + 32, at + 52, attributes.mtimeNs);
  writeTime(view, at + 40, at + 56, attributes.ctimeNs);
  view.setUint32(at + 60, attributes.mode, true);
  view.setUint32(at + 64, attributes.nlink, true);
  view.setUint32(at + 68, attributes.uid, true);
  view.setUint32(at + 72, attributes.gid, true);
  view.setUint32(at + 76, attributes.rdev, true);
  view.setUint32(at + 80, attributes.blockSizeBytes, true);
  view.setUint32(at + 84, 0, true);
  return SIZE.ATTR;
}

/** Zeros from `at` to `end`. */
function clear(view: DataView, at: number, end: number): void {
  for (let offset = at; offset < end; offset += 4) view.setUint32(offset, 0, true);
}

/**
 * struct fuse_entry_out, 128 bytes. Without an entry, all zeros: in a READDIRPLUS the kernel then looks the
 * name up when it needs it. The generation is always 0 because a node id is never given to another file.
 */
export function encodeEntry(view: DataView, at: number, entry: Entry | undefined): number {
  if (entry === undefined) {
    clear(view, at, at + SIZE.ENTRY_OUT);
    return SIZE.ENTRY_OUT;
  }
  writeSafeInteger(view, at, entry.node);
  clear(view, at + 8, at + 16);
  writeTimeout(view, at + 16, at + 32, entry.entryTimeoutMs);
  writeTimeout(view, at + 24, at + 36, entry.attrTimeoutMs);
  if (entry.attributes === undefined) clear(view, at + 40, at + SIZE.ENTRY_OUT);
  else encodeAttributes(view, at + 40, entry.attributes);
  return SIZE.ENTRY_OUT;
}

/** struct fuse_attr_out, 104 bytes. */
export function encodeAttributesReply(view: DataView, at: number, reply: AttributesReply): number {
  writeTimeout(view, at, at + 8, reply.attrTimeoutMs);
  view.setUint32(at + 12, 0, true);
  encodeAttributes(view, at + 16, reply.attributes);
  return SIZE.ATTR_OUT;
}

/** struct fuse_open_out, 16 bytes. */
export function encodeOpen(view: DataView, at: number, open: OpenReply): number {
  view.setBigUint64(at, open.handle, true);
  view.setUint32(at + 8, open.openFlags, true);
  view.setInt32(at + 12, open.backingId ?? 0, true);
  return SIZE.OPEN_OUT;
}

/** struct fuse_write_out, 8 bytes; COPY_FILE_RANGE answers with it too. */
export function encodeWritten(view: DataView, at: number, writtenBytes: number): number {
  view.setUint32(at, writtenBytes, true);
  view.setUint32(at + 4, 0, true);
  return SIZE.WRITE_OUT;
}

/** struct fuse_lseek_out and fuse_copy_file_range_out (7.45): one 64-bit number, 8 bytes. */
export function encodeInteger(view: DataView, at: number, value: number): number {
  writeSafeInteger(view, at, value);
  return SIZE.LSEEK_OUT;
}

/** struct fuse_statfs_out, 80 bytes. */
export function encodeStatFs(view: DataView, at: number, statFs: StatFs): number {
  writeSafeInteger(view, at, statFs.blocks);
  writeSafeInteger(view, at + 8, statFs.freeBlocks);
  writeSafeInteger(view, at + 16, statFs.availableBlocks);
  writeSafeInteger(view, at + 24, statFs.files);
  writeSafeInteger(view, at + 32, statFs.freeFiles);
  view.setUint32(at + 40, statFs.blockSizeBytes, true);
  view.setUint32(at + 44, statFs.maxNameBytes, true);
  view.setUint32(at + 48, statFs.blockSizeBytes, true);
  clear(view, at + 52, at + SIZE.STATFS_OUT);
  return SIZE.STATFS_OUT;
}

function encoded(sizeBytes: number, encode: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  encode(new DataView(bytes.buffer));
  return bytes;
}

/** The body of a deferred LOOKUP's reply. */
export const entryBody = (entry: Entry): Uint8Array =>
  encoded(SIZE.ENTRY_OUT, (view) => encodeEntry(view, 0, entry));
/** The body of a deferred GETATTR's or SETATTR's reply. */
export const attributesBody = (reply: AttributesReply): Uint8Array =>
  encoded(SIZE.ATTR_OUT, (view) => encodeAttributesReply(view, 0, reply));
/** The body of a deferred OPEN's reply. */
export const openBody = (open: OpenReply): Uint8Array =>
  encoded(SIZE.OPEN_OUT, (view) => encodeOpen(view, 0, open));
/** The body of a deferred WRITE's reply. */
export const writtenBody = (writtenBytes: number): Uint8Array =>
  encoded(SIZE.WRITE_OUT, (view) => encodeWritten(view, 0, writtenBytes));
/** XATTR names as the wire wants them: each followed by NUL. */
export function attributeNamesBody(names: readonly string[]): Uint8Array {
  return names.length === 0 ? new Uint8Array(0) : Buffer.from(`${names.join('\0')}\0`, 'utf8');
}
