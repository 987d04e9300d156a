import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SealedFile } from '../../../src/materializer/sealed-file.ts';

/** A grey 16-bit TIFF of one strip with a text, whose pixels depend on `seed`. */
export function smallTiff(width: number, height: number, seed: number, littleEndian = true): Buffer {
  const text = Buffer.from(`plane ${seed}\0`);
  const tags: [tag: number, type: number, count: number, value: number][] = [
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, 1, 16],
    [259, 3, 1, 1],
    [262, 3, 1, 1],
    [270, 2, text.length, 0],
    [273, 4, 1, 0],
    [277, 3, 1, 1],
    [278, 4, 1, height],
    [279, 4, 1, width * height * 2],
  ];
  const textAt = 8 + 2 + tags.length * 12 + 4;
  const pixelsAt = textAt + text.length + (text.length % 2);
  const file = Buffer.alloc(pixelsAt + width * height * 2);
  const u16 = (value: number, at: number): unknown =>
    littleEndian ? file.writeUInt16LE(value, at) : file.writeUInt16BE(value, at);
  const u32 = (value: number, at: number): unknown =>
    littleEndian ? file.writeUInt32LE(value, at) : file.writeUInt32BE(value, at);
  file.write(littleEndian ? 'II' : 'MM', 0, 'latin1');
  u16(42, 2);
  u32(8, 4);
  u16(tags.length, 8);
  tags.forEach(([tag, type, count, value], index) => {
    const at = 10 + index * 12;
    u16(tag, at);
    u16(type, at + 2);
    u32(count, at + 4);
    const actual = tag === 270 ? textAt : tag === 273 ? pixelsAt : value;
    if (type === 3) u16(actual, at + 8);
    else u32(actual, at + 8);
  });
  text.copy(file, textAt);
  for (let pixel = 0; pixel < width * height; pixel++)
    u16((pixel * 7 + seed * 131 + ((pixel * seed) >> 3)) & 0xfff, pixelsAt + 2 * pixel);
  return file;
}

/** A TIFF of grey 16-bit pages, each of one strip behind its directory, whose pixels depend on their page. */
export function tiffStack(width: number, height: number, pages: number): Buffer {
  const pageBytes = 2 + 9 * 12 + 4 + width * height * 2;
  const file = Buffer.alloc(8 + pages * pageBytes);
  file.write('II*\0', 0, 'latin1');
  file.writeUInt32LE(8, 4);
  for (let page = 0; page < pages; page++) {
    const at = 8 + page * pageBytes;
    const pixelsAt = at + 2 + 9 * 12 + 4;
    const tags: [tag: number, type: number, value: number][] = [
      [256, 4, width],
      [257, 4, height],
      [258, 3, 16],
      [259, 3, 1],
      [262, 3, 1],
      [273, 4, pixelsAt],
      [277, 3, 1],
      [278, 4, height],
      [279, 4, width * height * 2],
    ];
    file.writeUInt16LE(tags.length, at);
    tags.forEach(([tag, type, value], index) => {
      file.writeUInt16LE(tag, at + 2 + 12 * index);
      file.writeUInt16LE(type, at + 4 + 12 * index);
      file.writeUInt32LE(1, at + 6 + 12 * index);
      file.writeUInt32LE(value, at + 10 + 12 * index);
    });
    file.writeUInt32LE(page + 1 < pages ? at + pageBytes : 0, pixelsAt - 4);
    const pixels = new Uint16Array(width * height);
    for (let pixel = 0; pixel < pixels.length; pixel++) pixels[pixel] = ((pixel >> 3) * (page + 3)) & 0xfff;
    file.set(new Uint8Array(pixels.buffer), pixelsAt);
  }
  return file;
}

/** A file on disk as the overlay would hand it over. */
export function sealed(path: string, mountPath: string, inode: number): SealedFile {
  const { size, mtimeMs } = statSync(path);
  return {
    inode,
    mountPath,
    sizeBytes: size,
    mtimeMs,
    pieces: [{ path, offsetBytes: 0, sizeBytes: size }],
  };
}

/** Writes bytes to disk and hands them over. */
export function sealedBytes(path: string, bytes: Uint8Array, mountPath: string, inode: number): SealedFile {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return sealed(path, mountPath, inode);
}
