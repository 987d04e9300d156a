import { crc32 } from 'node:zlib';

/** Most bytes of a stored deflate block (RFC 1951, 3.2.4). */
const STORED_BLOCK_BYTES = 0xffff;
const STORED_HEAD_BYTES = 5;
/** A zlib stream's head and its Adler-32 (RFC 1950). */
const ZLIB_BYTES = 6;
/** Length, type and CRC of a chunk (PNG specification, 5.3). */
export const CHUNK_BYTES = 12;

export const PNG_SIGNATURE: Uint8Array = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** A chunk of a PNG: its type is four Latin letters. */
export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const chunk = Buffer.alloc(CHUNK_BYTES + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
}

/** Header of a grey image of 8 bits. */
export function pngHeader(width: number, height: number): Uint8Array {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data[8] = 8;
  return pngChunk('IHDR', data);
}

/** Pixels per metre, in x and y (pHYs); undefined when a size is beyond what the chunk can say. */
export function pngPixelSize(xUm: number, yUm: number): Uint8Array | undefined {
  const perMetre = [xUm, yUm].map((sizeUm) => Math.round(1e6 / sizeUm));
  if (perMetre.some((count) => !(count >= 1 && count < 2 ** 31))) return undefined;
  const data = Buffer.alloc(9);
  perMetre.forEach((count, axis) => {
    data.writeUInt32BE(count, 4 * axis);
  });
  data[8] = 1;
  return pngChunk('pHYs', data);
}

/** A text in UTF-8, uncompressed (iTXt). */
export function pngText(keyword: string, text: string): Uint8Array {
  return pngChunk('iTXt', Buffer.from(`${keyword}\0\0\0\0\0${text}`, 'utf8'));
}

/** Adler-32 (RFC 1950, 8.2). */
function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; ) {
    // So many sums stay below 2^32.
    const end = Math.min(bytes.length, at + 5552);
    for (; at < end; at += 1) {
      a += bytes[at] ?? 0;
      b += a;
    }
    a %= 65_521;
    b %= 65_521;
  }
  return b * 65_536 + a;
}

/** Bytes of the IDAT chunk of so many bytes of scanlines. */
export function storedImageBytes(rawBytes: number): number {
  return CHUNK_BYTES + ZLIB_BYTES + rawBytes + STORED_HEAD_BYTES * Math.ceil(rawBytes / STORED_BLOCK_BYTES);
}

/** Scanlines (each behind its filter byte) as one IDAT chunk that is not compressed, so that its size is known. */
export function storedImage(raw: Uint8Array): Uint8Array {
  const data = Buffer.alloc(storedImageBytes(raw.length) - CHUNK_BYTES);
  data[0] = 0x78;
  data[1] = 0x01;
  let to = 2;
  for (let at = 0; at < raw.length; at += STORED_BLOCK_BYTES) {
    const block = raw.subarray(at, at + STORED_BLOCK_BYTES);
    data[to] = at + block.length === raw.length ? 1 : 0;
    data.writeUInt16LE(block.length, to + 1);
    data.writeUInt16LE(0xffff - block.length, to + 3);
    data.set(block, to + STORED_HEAD_BYTES);
    to += STORED_HEAD_BYTES + block.length;
  }
  data.writeUInt32BE(adler32(raw), to);
  return pngChunk('IDAT', data);
}
