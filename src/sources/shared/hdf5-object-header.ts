import { type Hdf5Bytes, Hdf5Cursor, NotUnderstood } from './hdf5-bytes.ts';

/** Types of messages that are looked at (HDF5 File Format Specification 3.0, IV.A.2). */
export const MESSAGE = {
  dataspace: 0x01,
  datatype: 0x03,
  fillValueOld: 0x04,
  fillValue: 0x05,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  shared: 0x0d,
  continuation: 0x10,
} as const;

const FLAG_SHARED = 0x02;
/** No real object has more; what a damaged header says is not followed for ever. */
const MAX_BLOCKS = 4096;

export interface HeaderMessage {
  readonly type: number;
  /** Its content is somewhere else: in another object's header, or in the file's heap of shared messages. */
  readonly isShared: boolean;
  readonly body: Buffer;
}

interface Block {
  readonly address: number;
  readonly sizeBytes: number;
}

/**
 * The messages of the object whose header lies at `address` (HDF5 File Format Specification 3.0, IV.A.1). Checksums
 * were verified by the HDF5 library when it looked at the same object.
 * @throws NotUnderstood, BadHdf5Error, UnreadableSourceError
 */
export function readObjectHeader(file: Hdf5Bytes, address: number): HeaderMessage[] {
  const available = file.sizeBytes - file.baseBytes - address;
  const head = file.block(address, Math.max(0, Math.min(64, available)));
  return head.bytes.toString('latin1', 0, 4) === 'OHDR'
    ? readVersion2(file, address, head)
    : readVersion1(file, address, head);
}

function readVersion1(file: Hdf5Bytes, address: number, head: Hdf5Cursor): HeaderMessage[] {
  if (head.u8() !== 1) throw new NotUnderstood('no object header');
  head.skip(7);
  const sizeBytes = head.u32();
  const messages: HeaderMessage[] = [];
  // The prefix of 12 bytes is padded to 16.
  const blocks: Block[] = [{ address: address + 16, sizeBytes }];
  for (let index = 0; index < blocks.length; index++) {
    const block = blocks[index];
    if (block === undefined || index >= MAX_BLOCKS) throw new NotUnderstood('too many header blocks');
    const cursor = file.block(block.address, block.sizeBytes);
    while (cursor.left >= 8) {
      const type = cursor.u16();
      const bodyBytes = cursor.u16();
      const flags = cursor.u8();
      cursor.skip(3);
      addMessage(file, type, flags, cursor.slice(bodyBytes), messages, blocks);
    }
  }
  return messages;
}

function readVersion2(file: Hdf5Bytes, address: number, head: Hdf5Cursor): HeaderMessage[] {
  head.expect('OHDR');
  if (head.u8() !== 2) throw new NotUnderstood('an object header of a later version');
  const headerFlags = head.u8();
  if (headerFlags & 0x20) head.skip(16);
  if (headerFlags & 0x10) head.skip(4);
  const sizeBytes = head.unsigned(1 << (headerFlags & 3));
  const hasOrder = (headerFlags & 0x04) !== 0;
  const messages: HeaderMessage[] = [];
  const blocks: Block[] = [{ address: address + head.at, sizeBytes }];
  for (let index = 0; index < blocks.length; index++) {
    const block = blocks[index];
    if (block === undefined || index >= MAX_BLOCKS) throw new NotUnderstood('too many header blocks');
    const cursor = file.block(block.address, block.sizeBytes);
    let end = block.sizeBytes;
    if (index > 0) {
      cursor.expect('OCHK');
      // The checksum that follows the messages.
      end -= 4;
    }
    const prefixBytes = hasOrder ? 6 : 4;
    while (end - cursor.at >= prefixBytes) {
      const type = cursor.u8();
      const bodyBytes = cursor.u16();
      const flags = cursor.u8();
      if (hasOrder) cursor.skip(2);
      addMessage(file, type, flags, cursor.slice(bodyBytes), messages, blocks);
    }
  }
  return messages;
}

function addMessage(
  file: Hdf5Bytes,
  type: number,
  flags: number,
  body: Buffer,
  messages: HeaderMessage[],
  blocks: Block[],
): void {
  if (type === MESSAGE.continuation) {
    const cursor = new Hdf5Cursor(body, file);
    blocks.push({ address: cursor.address(), sizeBytes: cursor.length() });
    return;
  }
  messages.push({ type, isShared: (flags & FLAG_SHARED) !== 0, body });
}

/**
 * The object that a shared message stands in (IV.A.2.n, versions 1 to 3).
 * @throws NotUnderstood when it stands in the heap of shared messages.
 */
export function sharedIn(file: Hdf5Bytes, body: Buffer): number {
  const cursor = new Hdf5Cursor(body, file);
  const version = cursor.u8();
  const type = cursor.u8();
  if (version === 1) cursor.skip(6);
  else if (version === 3 && type !== 2) throw new NotUnderstood('a message in the shared heap');
  else if (version !== 2 && version !== 3) throw new NotUnderstood('a shared message of a later version');
  return cursor.address();
}
