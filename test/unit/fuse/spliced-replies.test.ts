import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PourableBytes } from '../../../src/core/byte-pipe.ts';
import { MAX_READ_BYTES } from '../../../src/fuse/protocol.ts';
import { SplicedReplies } from '../../../src/fuse/spliced-replies.ts';
import { syscallsProblem } from '../../../src/fuse/syscalls.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-splice-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PIXELS = Buffer.from(Array.from({ length: 2 << 20 }, (_, i) => Math.imul(i, 40_503) >>> 11));
const source = join(folder, 'source');
writeFileSync(source, PIXELS);

/** `count` ranges of a file, each from an odd place, behind some bytes in memory. */
function body(fd: number, sizeBytes: number, count: number): { pourable: PourableBytes; bytes: Buffer } {
  const head = Buffer.from('in memory');
  const each = Math.floor((sizeBytes - head.length) / count);
  const pieces = Array.from({ length: count }, (_, i) => ({
    at: 77 + i * 5000,
    size: i === 0 ? sizeBytes - head.length - each * (count - 1) : each,
  }));
  const pourable: PourableBytes = {
    sizeBytes,
    pieces: 1 + count,
    pourInto: (pipe) =>
      pipe.bytes(head) &&
      pieces.every(({ at, size }) => {
        for (let done = 0; done < size; ) {
          const got = pipe.file(fd, at + done, size - done);
          if (got === undefined) return false;
          if (got === 0) throw new Error('the file is shorter');
          done += got;
        }
        return true;
      }),
  };
  return {
    pourable,
    bytes: Buffer.concat([head, ...pieces.map(({ at, size }) => PIXELS.subarray(at, at + size))]),
  };
}

describe.skipIf(process.platform !== 'linux' || syscallsProblem())('replies by way of a pipe', () => {
  // An ordinary file takes what the device would.
  const device = join(folder, 'device');
  let deviceFd = -1;
  let sourceFd = -1;
  let replies: SplicedReplies;
  beforeEach(() => {
    deviceFd = openSync(device, 'w');
    sourceFd = openSync(source, 'r');
    replies = new SplicedReplies(deviceFd);
  });
  afterEach(() => {
    replies.close();
    closeSync(deviceFd);
    closeSync(sourceFd);
  });

  /** Takes one reply off the front of what the device got. */
  function replyIn(written: Buffer): { unique: bigint; bytes: Buffer; rest: Buffer } {
    const lengthBytes = written.readUInt32LE(0);
    expect(written.readInt32LE(4)).toBe(0);
    return {
      unique: written.readBigUInt64LE(8),
      bytes: written.subarray(16, lengthBytes),
      rest: written.subarray(lengthBytes),
    };
  }

  it('carry the largest read, out of several files and memory', () => {
    expect(replies.carries(MAX_READ_BYTES)).toBe(true);
    const { pourable, bytes } = body(sourceFd, MAX_READ_BYTES, 6);
    expect(replies.send(7, 1, pourable)).toBe(true);
    expect(replies.send(8, 1, pourable)).toBe(true);
    const first = replyIn(readFileSync(device));
    expect(first.unique).toBe(0x1_0000_0007n);
    expect(first.bytes.equals(bytes)).toBe(true);
    const second = replyIn(first.rest);
    expect(second.unique).toBe(0x1_0000_0008n);
    expect(second.bytes.equals(bytes)).toBe(true);
    expect(second.rest.length).toBe(0);
  });

  it('leave nothing of a reply that failed or was refused in the way of the next one', () => {
    const { pourable, bytes } = body(sourceFd, 100_000, 2);
    const failing: PourableBytes = {
      ...pourable,
      pourInto: (pipe) => {
        pourable.pourInto(pipe);
        throw new Error('a plane is shorter than it was');
      },
    };
    expect(() => replies.send(1, 0, failing)).toThrow('a plane is shorter');
    // A folder can't be spliced from.
    const folderFd = openSync(folder, 'r');
    try {
      expect(replies.send(2, 0, body(folderFd, 100_000, 1).pourable)).toBe(false);
    } finally {
      closeSync(folderFd);
    }
    expect(replies.send(3, 0, pourable)).toBe(true);
    const { unique, bytes: got, rest } = replyIn(readFileSync(device));
    expect(unique).toBe(3n);
    expect(got.equals(bytes)).toBe(true);
    expect(rest.length).toBe(0);
  });

  it('say no to what the pipe can not hold, and never wait for room', () => {
    expect(replies.carries(1 << 30)).toBe(false);
    expect(replies.send(1, 0, body(sourceFd, 900_000, 100).pourable)).toBe(false);
    // More than was announced.
    const { pourable } = body(sourceFd, 1_500_000, 1);
    expect(replies.send(2, 0, { ...pourable, sizeBytes: 100_000 })).toBe(false);
    expect(readFileSync(device).length).toBe(0);
  });

  it('leave no descriptor open', () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let i = 0; i < 5; i++) {
      expect(replies.send(i, 0, body(sourceFd, 100_000, 1).pourable)).toBe(true);
      replies.close();
    }
    expect(open()).toBe(before);
  });
});
