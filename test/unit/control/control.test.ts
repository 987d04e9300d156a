import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callControl } from '../../../src/control/control-client.ts';
import { type ControlMethod, ControlServer } from '../../../src/control/control-server.ts';
import { LineSplitter } from '../../../src/control/line-splitter.ts';
import { MAX_REQUEST_BYTES } from '../../../src/control/protocol.ts';
import {
  AlreadyRunningError,
  CancelledError,
  NotAPlateError,
  NotRunningError,
  UnreadableSourceError,
} from '../../../src/core/errors.ts';
import { peerUserId } from '../../../src/fuse/syscalls.ts';

let folder = '';
let socketPath = '';
let server: ControlServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-control-'));
  socketPath = join(folder, 's.sock');
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function listen(
  methods: Record<string, ControlMethod>,
  peer: (fd: number) => number = peerUserId,
): Promise<void> {
  server = await ControlServer.listen({ socketPath, methods, peerUserId: peer });
}

/** Sends bytes as they are and collects what comes back until the other side hangs up or `lines` came. */
function raw(bytes: string | Buffer, lines = Number.POSITIVE_INFINITY): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(socketPath, () => socket.write(bytes));
    const finish = (): void => resolve(text.split('\n').filter(Boolean));
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.split('\n').length > lines) socket.end();
    });
    socket.on('close', finish);
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' || error.code === 'ECONNRESET' ? finish() : reject(error),
    );
  });
}

describe('control socket', () => {
  it('answers, with progress on the way', async () => {
    await listen({
      flush: async (params, { progress }) => {
        progress({ filesDone: 1 });
        progress({ filesDone: 2 });
        return { params };
      },
    });
    const seen: unknown[] = [];
    const result = await callControl(
      socketPath,
      'flush',
      { now: true },
      { onProgress: (value) => seen.push(value) },
    );
    expect(result).toEqual({ params: { now: true } });
    expect(seen).toEqual([{ filesDone: 1 }, { filesDone: 2 }]);
  });

  it('lets only its owner connect', async () => {
    await listen({});
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['another user', () => 12_345],
    ['somebody the kernel does not name', () => expect.unreachable()],
  ])('says nothing to %s, who got past its mode', async (_who, peer) => {
    await listen({ status: async () => 'secret' }, peer);
    expect(await raw('{"id":1,"method":"status"}\n')).toEqual([]);
  });

  it('carries large results', async () => {
    const files = Array.from({ length: 200_000 }, (_, index) => `inbox/${index}.tif`);
    await listen({ status: async () => files });
    expect(await callControl(socketPath, 'status')).toEqual(files);
  });

  it('carries errors with tag and advice', async () => {
    await listen({
      status: async () => {
        throw new NotAPlateError('/p', 'no images', { advice: 'look elsewhere' });
      },
      broken: async () => {
        throw new TypeError('oops');
      },
      circular: async () => {
        const loop: Record<string, unknown> = {};
        loop['self'] = loop;
        return loop;
      },
    });
    await expect(callControl(socketPath, 'status')).rejects.toMatchObject({
      tag: 'not-a-plate',
      message: '/p is not a plate: no images',
      advice: 'look elsewhere',
    });
    await expect(callControl(socketPath, 'broken')).rejects.toMatchObject({ tag: 'io', message: 'oops' });
    await expect(callControl(socketPath, 'circular')).rejects.toThrow('circular');
    await expect(callControl(socketPath, 'toString')).rejects.toMatchObject({ tag: 'not-supported' });
  });

  it('says so when nobody listens, also behind a socket left behind', async () => {
    await expect(callControl(socketPath, 'status')).rejects.toThrow(NotRunningError);
    await listen({});
    const path = socketPath;
    await server?.close();
    await expect(callControl(path, 'status')).rejects.toThrow(NotRunningError);
    writeFileSync(socketPath, '');
    await expect(callControl(path, 'status')).rejects.toThrow(NotRunningError);
    await listen({ status: async () => 'again' });
    expect(await callControl(socketPath, 'status')).toBe('again');
  });

  it('refuses to take the place of another that answers', async () => {
    await listen({});
    await expect(ControlServer.listen({ socketPath, methods: {}, peerUserId })).rejects.toThrow(
      AlreadyRunningError,
    );
    await expect(
      ControlServer.listen({ socketPath: join(folder, 'x'.repeat(120)), methods: {}, peerUserId }),
    ).rejects.toThrow('too long for a socket');
  });

  it('tells the method when the client hangs up', async () => {
    let aborted: () => void;
    const gone = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    await listen({
      drain: (_, { signal, progress }) => {
        signal.addEventListener('abort', () => aborted());
        progress('started');
        return new Promise(() => undefined);
      },
    });
    const stop = new AbortController();
    await expect(
      callControl(socketPath, 'drain', {}, { signal: stop.signal, onProgress: () => stop.abort() }),
    ).rejects.toThrow(CancelledError);
    await gone;
  });

  it('gives up on silence, and when the daemon dies', async () => {
    await listen({
      never: () => new Promise(() => undefined),
      die: async () => {
        void server?.close();
        return new Promise(() => undefined);
      },
    });
    await expect(callControl(socketPath, 'never', {}, { silenceMs: 50 })).rejects.toThrow(
      UnreadableSourceError,
    );
    await expect(callControl(socketPath, 'die')).rejects.toThrow(NotRunningError);
  });

  it('survives hostile input', async () => {
    await listen({ status: async () => 'fine' });
    const refused = ['hello\n', '[]\n', 'null\n', '{}\n', '{"id":1}\n', '{"id":1.5,"method":"status"}\n'];
    for (const line of refused) expect((await raw(line)).join()).toContain('bad control request');
    expect((await raw(Buffer.alloc(MAX_REQUEST_BYTES + 10, 65))).join()).toContain('longer than');
    expect((await raw(Buffer.from([0xff, 0xfe, 0, 10]))).join()).toContain('not JSON');
    expect((await raw('{"id":1,"method":"__proto__"}\n', 1)).join()).toContain('not-supported');
    expect(await callControl(socketPath, 'status')).toBe('fine');
  });

  it('bounds the requests of one connection', async () => {
    await listen({ wait: () => new Promise(() => undefined) });
    const lines = Array.from({ length: 20 }, (_, id) => `{"id":${id},"method":"wait"}\n`).join('');
    const replies = await raw(lines, 4);
    expect(replies.length).toBe(4);
    expect(replies.every((reply) => reply.includes('too many requests'))).toBe(true);
  });

  it('answers pieces and several requests on one connection', async () => {
    await listen({ echo: async (params) => params });
    const replies = await raw(
      '{"id":7,"method":"echo","params":"ü"}\n{"id":8,"method":"echo","params":2}\n',
      2,
    );
    expect(replies.map((reply) => JSON.parse(reply))).toEqual([
      { id: 7, result: 'ü' },
      { id: 8, result: 2 },
    ]);
  });
});

describe('lines of a stream', () => {
  it('are the same however the bytes are cut', () => {
    const bytes = Buffer.from('añb\n\nü€\nrest');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const splitter = new LineSplitter(100);
      const lines = [
        ...(splitter.push(bytes.subarray(0, cut)) ?? []),
        ...(splitter.push(bytes.subarray(cut)) ?? []),
      ];
      expect(lines).toEqual(['añb', '', 'ü€']);
    }
  });

  it('end at the limit', () => {
    expect(new LineSplitter(3).push(Buffer.from('abc\n'))).toEqual(['abc']);
    expect(new LineSplitter(3).push(Buffer.from('abcd'))).toBeUndefined();
    expect(new LineSplitter(3).push(Buffer.from('abcd\n'))).toBeUndefined();
  });
});
