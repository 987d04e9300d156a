/**
 * A program that uses files and times itself, so that its own start does not count. Prints the seconds of each
 * pass as JSON.
 *
 *   file-client.ts read PASSES FILE …      each pass opens the files one after the other and reads them in 1 MiB steps
 *   file-client.ts random PASSES FILE      each pass makes the same READS reads of 4 KiB, anywhere in the open file
 *   file-client.ts write MEBIBYTES FILE STEP_BYTES
 *                                          one pass: creates the file, writes it in steps, closes it
 *   file-client.ts files COUNT FOLDER SIZE fsync|close
 *                                          one pass: creates files of SIZE bytes, writes each at once, syncs it or not, closes it
 *   file-client.ts first PASSES FILE …     each pass opens a file and reads its first page past the page cache, file by file
 *   file-client.ts ends PASSES FILE        each pass opens the file and reads its first and its last page past the page cache
 *   file-client.ts window PASSES FILE WIDTH HEIGHT PLANES
 *                                          each pass reads 256 × 256 pixels of 16 bits anywhere in a stack, row by row
 *   file-client.ts link LIST               one pass: makes the symlinks a JSON file lists as [path, target]
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { chanceNumbers, windowPlace } from './chance-numbers.ts';

const STEP_BYTES = 1 << 20;
const PAGE_BYTES = 4096;

function timed(work: () => void): number {
  const startMs = performance.now();
  work();
  return (performance.now() - startMs) / 1000;
}

function readAll(paths: readonly string[], buffer: Uint8Array): void {
  for (const path of paths) {
    const fd = openSync(path, 'r');
    while (readSync(fd, buffer, 0, STEP_BYTES, null) > 0);
    closeSync(fd);
  }
}

function random(path: string, passes: number): number[] {
  const fd = openSync(path, 'r');
  const buffer = Buffer.alloc(PAGE_BYTES);
  const numbers = chanceNumbers(Math.floor(fstatSync(fd).size / PAGE_BYTES));
  return Array.from({ length: passes }, () =>
    timed(() => {
      for (const number of numbers)
        if (readSync(fd, buffer, 0, PAGE_BYTES, number * PAGE_BYTES) !== PAGE_BYTES)
          throw new Error(`a short read of ${path}`);
    }),
  );
}

function first(paths: readonly string[], passes: number, buffer: Uint8Array): number[] {
  return Array.from({ length: passes }, (_, pass) =>
    timed(() => {
      const fd = openSync(paths[pass % paths.length] ?? '', constants.O_RDONLY | constants.O_DIRECT);
      if (readSync(fd, buffer, 0, PAGE_BYTES, 0) === 0) throw new Error('an empty file');
      closeSync(fd);
    }),
  );
}

function ends(path: string, passes: number, buffer: Uint8Array): number[] {
  return Array.from({ length: passes }, () =>
    timed(() => {
      const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
      const last = Math.floor((fstatSync(fd).size - 1) / PAGE_BYTES) * PAGE_BYTES;
      for (const at of [0, last])
        if (readSync(fd, buffer, 0, PAGE_BYTES, at) === 0) throw new Error(`${path} ends at ${at}`);
      closeSync(fd);
    }),
  );
}

const WINDOW = 256;

/** A stack ends with its last plane: everything before the pixels is its header. */
function windows(path: string, passes: number, width: number, height: number, planes: number): number[] {
  const fd = openSync(path, 'r');
  const row = Buffer.alloc(WINDOW * 2);
  const pixelsAt = fstatSync(fd).size - planes * width * height * 2;
  return Array.from({ length: passes }, (_, pass) => {
    const { plane, y, x } = windowPlace(pass);
    const top = (plane % planes) * height + (y % (height - WINDOW));
    return timed(() => {
      for (let line = 0; line < WINDOW; line++)
        readSync(fd, row, 0, row.length, pixelsAt + ((top + line) * width + (x % (width - WINDOW))) * 2);
    });
  });
}

function write(path: string, mebibytes: number, stepBytes: number): number {
  const data = Buffer.alloc(stepBytes, 0xa5);
  const steps = (mebibytes * 2 ** 20) / stepBytes;
  return timed(() => {
    const fd = openSync(path, 'wx');
    for (let step = 0; step < steps; step++)
      if (writeSync(fd, data, 0, stepBytes, null) !== stepBytes) throw new Error(`a short write of ${path}`);
    closeSync(fd);
  });
}

function files(folder: string, count: number, sizeBytes: number, syncs: boolean): number {
  const data = Buffer.alloc(sizeBytes, 0xa5);
  return timed(() => {
    for (let number = 0; number < count; number++) {
      const fd = openSync(join(folder, `${number}.bin`), 'wx');
      for (let at = 0; at < sizeBytes; at += STEP_BYTES)
        writeSync(fd, data, at, Math.min(STEP_BYTES, sizeBytes - at), null);
      if (syncs) fsyncSync(fd);
      closeSync(fd);
    }
  });
}

function link(list: string): number {
  const links = JSON.parse(readFileSync(list, 'utf8')) as [string, string][];
  return timed(() => {
    for (const [path, target] of links) symlinkSync(target, path);
  });
}

const [operation, second = '', ...paths] = process.argv.slice(2);
const [path = ''] = paths;
const buffer = Buffer.alloc(STEP_BYTES);
const seconds =
  operation === 'read'
    ? Array.from({ length: Number(second) }, () => timed(() => readAll(paths, buffer)))
    : operation === 'first'
      ? first(paths, Number(second), buffer)
      : operation === 'ends'
        ? ends(path, Number(second), buffer)
        : operation === 'window'
          ? windows(path, Number(second), Number(paths[1]), Number(paths[2]), Number(paths[3]))
          : operation === 'random'
            ? random(path, Number(second))
            : operation === 'files'
              ? [files(path, Number(second), Number(paths[1]), paths[2] === 'fsync')]
              : operation === 'write'
                ? [write(path, Number(second), Number(paths[1]))]
                : [link(second)];
console.log(JSON.stringify(seconds));
