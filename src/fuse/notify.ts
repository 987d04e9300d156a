import { Buffer } from 'node:buffer';
import { writevSync } from 'node:fs';
import { writeSafeInteger } from './integers.ts';
import { NOTIFY, SIZE } from './protocol.ts';

/**
 * Messages to the kernel that answer nothing. All but {@link resend} take locks that a
 * request in flight may hold, so they must come from a thread that serves no requests.
 *
 * Each returns false when the kernel holds nothing the message is about (ENOENT) or the mount is gone
 * (ENODEV), and throws the system error otherwise.
 */
function notify(fd: number, code: number, pieces: readonly Uint8Array[]): boolean {
  const header = Buffer.alloc(SIZE.OUT_HEADER);
  let length = SIZE.OUT_HEADER;
  for (const piece of pieces) length += piece.byteLength;
  header.writeUInt32LE(length, 0);
  header.writeInt32LE(code, 4);
  try {
    writevSync(fd, [header, ...pieces]);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENODEV'))
      return false;
    throw error;
  }
}

function body(sizeBytes: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(sizeBytes);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** A name with the NUL that ends it. */
const terminated = (name: string): Buffer => Buffer.from(`${name}\0`, 'utf8');

/**
 * Drops a node's cached attributes and, with `offsetBytes` >= 0, its cached pages from there on
 * (`lengthBytes` 0: to the end). struct fuse_notify_inval_inode_out.
 */
export function invalidateNode(fd: number, node: number, offsetBytes = 0, lengthBytes = 0): boolean {
  const { bytes, view } = body(24);
  writeSafeInteger(view, 0, node);
  view.setBigInt64(8, BigInt(offsetBytes), true);
  view.setBigInt64(16, BigInt(lengthBytes), true);
  return notify(fd, NOTIFY.INVAL_INODE, [bytes]);
}

/**
 * Drops the cached name, a negative one too. A node that is not open leaves the cache with its name, and its
 * pages with it. struct fuse_notify_inval_entry_out.
 */
export function invalidateEntry(fd: number, parent: number, name: string): boolean {
  const nameBytes = terminated(name);
  const { bytes, view } = body(16);
  writeSafeInteger(view, 0, parent);
  view.setUint32(8, nameBytes.length - 1, true);
  return notify(fd, NOTIFY.INVAL_ENTRY, [bytes, nameBytes]);
}

/**
 * Like {@link invalidateEntry} when the child is gone for good: watchers (inotify) hear of it. Falls back to
 * an invalidation inside the kernel when `child` is not what it has under that name.
 * struct fuse_notify_delete_out.
 */
export function deleteEntry(fd: number, parent: number, child: number, name: string): boolean {
  const nameBytes = terminated(name);
  const { bytes, view } = body(24);
  writeSafeInteger(view, 0, parent);
  writeSafeInteger(view, 8, child);
  view.setUint32(16, nameBytes.length - 1, true);
  return notify(fd, NOTIFY.DELETE, [bytes, nameBytes]);
}

/** Puts bytes into a node's page cache before anybody asks. struct fuse_notify_store_out. */
export function store(fd: number, node: number, offsetBytes: number, data: Uint8Array): boolean {
  const { bytes, view } = body(24);
  writeSafeInteger(view, 0, node);
  writeSafeInteger(view, 8, offsetBytes);
  view.setUint32(16, data.byteLength, true);
  return notify(fd, NOTIFY.STORE, [bytes, data]);
}

/**
 * Asks for every request that was read but not answered; each comes again with bit 63 of its unique set.
 * A daemon that takes a connection over calls it once, before or after its first read. Needs
 * `Negotiated.resend`; a kernel without it (before 6.9) gives EINVAL.
 */
export function resend(fd: number): boolean {
  return notify(fd, NOTIFY.RESEND, []);
}
