import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errnoOf } from '../../../src/core/errno.ts';
import { FsRefusal } from '../../../src/core/errors.ts';
import { DirectoryBuffer } from '../../../src/fuse/directory-buffer.ts';
import {
  readCappedInteger,
  readSafeInteger,
  readTime,
  writeSafeInteger,
  writeTime,
  writeTimeout,
} from '../../../src/fuse/integers.ts';
import { decodeName, encodeName } from '../../../src/fuse/names.ts';
import { encodeAttributes, encodeEntry, encodeOpen, encodeStatFs } from '../../../src/fuse/reply.ts';
import { boundedErrno } from '../../../src/fuse/reply-writer.ts';
import { decodeAttributeChange, RequestBuffer } from '../../../src/fuse/request.ts';

const view = (sizeBytes: number): DataView => new DataView(new ArrayBuffer(sizeBytes));
const safe = fc.maxSafeNat();
const u32 = fc.nat(0xffff_ffff);

describe('64-bit integers of the wire', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(safe, (value) => {
        const bytes = view(8);
        writeSafeInteger(bytes, 0, value);
        expect(bytes.getBigUint64(0, true)).toBe(BigInt(value));
        expect(readSafeInteger(bytes, 0)).toBe(value);
      }),
    );
  });

  it('are refused with EINVAL from 2^53 on', () => {
    fc.assert(
      fc.property(fc.bigInt(1n << 53n, (1n << 64n) - 1n), (value) => {
        const bytes = view(8);
        bytes.setBigUint64(0, value, true);
        expect(() => readSafeInteger(bytes, 0)).toThrow(FsRefusal);
        expect(readCappedInteger(bytes, 0)).toBe(Number.MAX_SAFE_INTEGER);
      }),
    );
  });
});

describe('times', () => {
  it('come back to the nanosecond, before 1970 too', () => {
    fc.assert(
      fc.property(fc.bigInt(-(1n << 62n), (1n << 63n) - 1n), (timeNs) => {
        const bytes = view(12);
        writeTime(bytes, 0, 8, timeNs);
        expect(bytes.getUint32(8, true)).toBeLessThan(1_000_000_000);
        expect(readTime(bytes, 0, 8)).toBe(timeNs);
      }),
      { examples: [[0n], [-1n], [999_999_999n], [1_000_000_000n], [1_700_000_000_123_456_789n]] },
    );
  });

  it('split timeouts into seconds and nanoseconds', () => {
    const bytes = view(12);
    writeTimeout(bytes, 0, 8, 1_500.25);
    expect([readSafeInteger(bytes, 0), bytes.getUint32(8, true)]).toEqual([1, 500_250_000]);
    writeTimeout(bytes, 0, 8, -5);
    expect([readSafeInteger(bytes, 0), bytes.getUint32(8, true)]).toEqual([0, 0]);
    writeTimeout(bytes, 0, 8, Number.POSITIVE_INFINITY);
    expect(readSafeInteger(bytes, 0)).toBeGreaterThan(1e12);
  });
});

describe('names', () => {
  it('come back as they were, or do not fit', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), fc.nat(300), (name, room) => {
        const bytes = Buffer.alloc(400, 0xee);
        const sizeBytes = encodeName(name, bytes, 3, 3 + room);
        const expected = Buffer.byteLength(name);
        expect(sizeBytes).toBe(expected <= room ? expected : -1);
        if (sizeBytes < 0) return;
        expect(bytes[3 + sizeBytes]).toBe(0xee);
        expect(decodeName(bytes, 3, 3 + sizeBytes)).toBe(name);
      }),
    );
  });

  it('are refused with EILSEQ where they are no UTF-8', () => {
    for (const bytes of [[0xff], [0xc3], [0x61, 0x80], [0xed, 0xa0, 0x80]])
      try {
        decodeName(Buffer.from(bytes), 0, bytes.length);
        expect.unreachable();
      } catch (error) {
        expect(errnoOf(error)).toBe(84);
      }
  });
});

describe('replies', () => {
  it('put attributes where struct fuse_attr has them', () => {
    fc.assert(
      fc.property(safe, safe, safe, u32, u32, (ino, sizeBytes, blocks, mode, uid) => {
        const bytes = view(88);
        const attributes = {
          ino,
          sizeBytes,
          blocks,
          atimeNs: 1_000_000_001n,
          mtimeNs: 2_000_000_002n,
          ctimeNs: 3_000_000_003n,
          mode,
          nlink: 7,
          uid,
          gid: 9,
          rdev: 10,
          blockSizeBytes: 4096,
        };
        expect(encodeAttributes(bytes, 0, attributes)).toBe(88);
        expect([0, 8, 16, 24, 32, 40].map((at) => readSafeInteger(bytes, at))).toEqual([
          ino,
          sizeBytes,
          blocks,
          1,
          2,
          3,
        ]);
        expect([48, 52, 56, 60, 64, 68, 72, 76, 80, 84].map((at) => bytes.getUint32(at, true))).toEqual([
          1,
          2,
          3,
          mode,
          7,
          uid,
          9,
          10,
          4096,
          0,
        ]);
      }),
    );
  });

  it('say that a name does not exist, and for how long', () => {
    const bytes = view(128);
    for (let at = 0; at < 128; at++) bytes.setUint8(at, 0xee);
    expect(encodeEntry(bytes, 0, { node: 0, entryTimeoutMs: 60_000, attrTimeoutMs: 0 })).toBe(128);
    expect(readSafeInteger(bytes, 0)).toBe(0);
    expect(readSafeInteger(bytes, 16)).toBe(60);
    expect(new Uint8Array(bytes.buffer, 40).every((byte) => byte === 0)).toBe(true);
  });

  it('carry handles of 64 bits and backing numbers', () => {
    const bytes = view(16);
    encodeOpen(bytes, 0, { handle: (1n << 64n) - 1n, openFlags: 128, backingId: 3 });
    expect([bytes.getBigUint64(0, true), bytes.getUint32(8, true), bytes.getInt32(12, true)]).toEqual([
      (1n << 64n) - 1n,
      128,
      3,
    ]);
  });

  it('write every byte of statfs', () => {
    const bytes = view(80);
    for (let at = 0; at < 80; at++) bytes.setUint8(at, 0xee);
    encodeStatFs(bytes, 0, {
      blocks: 2 ** 50,
      freeBlocks: 1,
      availableBlocks: 2,
      files: 3,
      freeFiles: 4,
      blockSizeBytes: 512,
      maxNameBytes: 255,
    });
    expect(readSafeInteger(bytes, 0)).toBe(2 ** 50);
    expect(new Uint8Array(bytes.buffer).includes(0xee)).toBe(false);
  });

  it('never carry an error that the kernel refuses', () => {
    expect([0, -5, 1.5, 512, 4096, Number.NaN].map(boundedErrno)).toEqual([5, 5, 5, 5, 5, 5]);
    expect([1, 2, 116, 511].map(boundedErrno)).toEqual([1, 2, 116, 511]);
  });
});

describe('directory buffer', () => {
  const entries = fc.array(
    fc.record({ name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), node: safe, next: safe }),
    { maxLength: 30 },
  );

  /** What the kernel reads: struct fuse_dirent, with struct fuse_entry_out before it in a READDIRPLUS. */
  function parse(
    body: Uint8Array,
    plus: boolean,
  ): { name: string; node: number; next: number; type: number }[] {
    const bytes = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const found = [];
    for (let at = 0; at < body.byteLength; ) {
      const dirent = at + (plus ? 128 : 0);
      const nameBytes = bytes.getUint32(dirent + 16, true);
      found.push({
        node: readSafeInteger(bytes, dirent),
        next: readSafeInteger(bytes, dirent + 8),
        type: bytes.getUint32(dirent + 20, true),
        name: Buffer.from(body.subarray(dirent + 24, dirent + 24 + nameBytes)).toString('utf8'),
      });
      at = (dirent + 24 + nameBytes + 7) & ~7;
    }
    return found;
  }

  it('holds entries in order until the first that does not fit', () => {
    fc.assert(
      fc.property(entries, fc.boolean(), fc.integer({ min: 0, max: 3000 }), (list, plus, sizeBytes) => {
        const buffer = new DirectoryBuffer(4096);
        buffer.begin(plus, sizeBytes);
        let accepted = 0;
        for (const { name, node, next } of list) {
          if (!buffer.add(name, node, 0o100000, next)) break;
          accepted++;
        }
        const body = buffer.body();
        expect(body.byteLength).toBeLessThanOrEqual(sizeBytes);
        expect(parse(body, plus)).toEqual(list.slice(0, accepted).map((entry) => ({ ...entry, type: 8 })));
      }),
    );
  });
});

describe('requests', () => {
  function request(opcode: number, body: number[], unique = 7n, node = 5n): RequestBuffer {
    const buffer = new RequestBuffer();
    const length = 40 + body.length;
    buffer.view.setUint32(0, length, true);
    buffer.view.setUint32(4, opcode, true);
    buffer.view.setBigUint64(8, unique, true);
    buffer.view.setBigUint64(16, node, true);
    buffer.view.setUint32(24, 1000, true);
    buffer.view.setUint32(28, 100, true);
    buffer.view.setUint32(32, 4711, true);
    buffer.bytes.set(body, 40);
    expect(buffer.accept(length)).toBe(true);
    return buffer;
  }

  it('say who asks, and whether they come again', () => {
    const fresh = request(1, [97, 0]);
    fresh.readNode();
    expect(fresh).toMatchObject({ opcode: 1, node: 5 });
    expect(fresh.context).toEqual({
      dropsSetId: false,
      uniqueLow: 7,
      uniqueHigh: 0,
      resent: false,
      uid: 1000,
      gid: 100,
      pid: 4711,
    });
    expect(request(1, [], (1n << 63n) | 7n).context).toMatchObject({
      uniqueLow: 7,
      uniqueHigh: 0x8000_0000,
      resent: true,
    });
    expect(() => request(1, [], 7n, 1n << 60n).readNode()).toThrow(FsRefusal);
  });

  it('are refused when they are cut', () => {
    const buffer = request(1, [97, 0]);
    expect(buffer.accept(41)).toBe(false);
    expect(buffer.accept(12)).toBe(false);
  });

  it('hold names one behind the other, ended or not', () => {
    const buffer = request(6, [...Buffer.from('näme\0target')]);
    expect([buffer.name(0), buffer.nameAfter(0)]).toEqual(['näme', 'target']);
    expect(request(6, [...Buffer.from('only')]).nameAfter(0)).toBe('');
  });

  it('hold a payload that is cut at their end, in place', () => {
    const buffer = request(16, [...Array(40).fill(0), 1, 2, 3]);
    const payload = buffer.payload(40, 1000);
    expect([...payload]).toEqual([1, 2, 3]);
    expect(payload.buffer).toBe(buffer.bytes.buffer);
    expect(payload.byteOffset % 4096).toBe(0);
  });

  it('name what a SETATTR changes, and nothing else', () => {
    const body = new DataView(new ArrayBuffer(88));
    body.setUint32(0, 1 | 8 | 64 | 128 | 32, true);
    writeSafeInteger(body, 16, 12_345);
    body.setBigInt64(40, 2n, true);
    body.setUint32(60, 3, true);
    body.setUint32(68, 0o644, true);
    expect(decodeAttributeChange(request(4, [...new Uint8Array(body.buffer)]))).toEqual({
      mode: 0o644,
      sizeBytes: 12_345,
      atimeNs: 'now',
      mtimeNs: 2_000_000_003n,
      throughHandle: true,
    });
    body.setUint32(0, 0, true);
    expect(decodeAttributeChange(request(4, [...new Uint8Array(body.buffer)]))).toEqual({
      throughHandle: false,
    });
  });
});
