import { describe, expect, it } from 'vitest';
import { decodeInit, encodeInitReply, negotiate } from '../../../src/fuse/negotiation.ts';
import { INIT, INIT2 } from '../../../src/fuse/protocol.ts';

const ALL = 0xffff_ffff;

describe('INIT', () => {
  it('takes no more than the kernel offers', () => {
    const old = negotiate({
      major: 7,
      minor: 31,
      maxReadAheadBytes: 131_072,
      flags: INIT.BIG_WRITES,
      flags2: 0,
    });
    expect(old).toMatchObject({
      minor: 31,
      flags: INIT.BIG_WRITES,
      flags2: 0,
      resend: false,
      passthrough: false,
    });
  });

  it('takes what it wants of everything: no write-back, no locks, no byte more than it knows', () => {
    const agreed = negotiate({ major: 7, minor: 99, maxReadAheadBytes: 1, flags: ALL, flags2: ALL })!;
    expect(agreed).toMatchObject({ minor: 45, maxWriteBytes: 1 << 20, resend: true, passthrough: true });
    const POSIX_LOCKS = 1 << 1;
    const FLOCK_LOCKS = 1 << 10;
    const AUTO_INVAL_DATA = 1 << 12;
    const WRITEBACK_CACHE = 1 << 16;
    expect(agreed.flags & (POSIX_LOCKS | FLOCK_LOCKS | AUTO_INVAL_DATA | WRITEBACK_CACHE)).toBe(0);
    expect(agreed.flags & INIT.EXPLICIT_INVAL_DATA).not.toBe(0);
    expect(agreed.flags2).toBe(INIT2.PASSTHROUGH | INIT2.HAS_RESEND);
    expect(JSON.parse(JSON.stringify(agreed))).toEqual(agreed);
  });

  it('refuses a protocol that is too old or another', () => {
    const offer = { major: 7, minor: 30, maxReadAheadBytes: 0, flags: ALL, flags2: ALL };
    expect(negotiate(offer)).toBeUndefined();
    expect(negotiate({ ...offer, major: 6, minor: 45 })).toBeUndefined();
  });

  it('reads the second half of the flags only where they are announced', () => {
    const view = new DataView(new ArrayBuffer(64));
    view.setUint32(0, 7, true);
    view.setUint32(4, 45, true);
    view.setUint32(16, INIT2.PASSTHROUGH, true);
    expect(decodeInit(view, 0, 64)).toMatchObject({ minor: 45, flags2: 0 });
    view.setUint32(12, INIT.INIT_EXT, true);
    expect(decodeInit(view, 0, 64)).toMatchObject({ flags2: INIT2.PASSTHROUGH });
    expect(decodeInit(view, 0, 16)).toMatchObject({ flags2: 0 });
  });

  it('answers with page and write limits, and a stack depth only with passthrough', () => {
    const view = new DataView(new ArrayBuffer(64));
    const offer = { major: 7, minor: 45, maxReadAheadBytes: 131_072, flags: ALL, flags2: ALL };
    expect(encodeInitReply(view, 0, negotiate(offer)!)).toBe(64);
    expect([0, 4, 8, 20, 24, 36].map((at) => view.getUint32(at, true))).toEqual([
      7,
      45,
      131_072,
      1 << 20,
      1,
      1,
    ]);
    expect([16, 18, 28].map((at) => view.getUint16(at, true))).toEqual([64, 48, 256]);
    encodeInitReply(view, 0, negotiate({ ...offer, flags2: 0 })!);
    expect(view.getUint32(36, true)).toBe(0);
  });
});
