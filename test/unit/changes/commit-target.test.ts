import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommitTarget } from '../../../src/changes/commit-target.ts';
import type { FileBytes } from '../../../src/changes/written-bytes.ts';
import { setTimes, setXattr } from '../../../src/fuse/syscalls.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-commit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const target = (calls = { setTimes, setXattr }): CommitTarget => new CommitTarget(folder, calls);
const bytesOf = (text: string): FileBytes => ({
  sizeBytes: text.length,
  read: (at, into) => void into.set(Buffer.from(text).subarray(at, at + into.length)),
  [Symbol.dispose]: () => {},
});
const { signal } = new AbortController();
const marks = { mode: 0o640, mtimeNs: 1_600_000_000_123_456_789n };

describe('a folder that changes are written to', () => {
  it('gets bytes, rights and times, and leaves nothing else', async () => {
    const outcome = await target().writeFile('a/b.txt', bytesOf('hello'), marks, { replace: false, signal });
    expect(outcome).toBe('written');
    const path = join(folder, 'a/b.txt');
    expect(readFileSync(path, 'utf8')).toBe('hello');
    const stat = statSync(path, { bigint: true });
    expect([stat.mode & 0o777n, stat.mtimeNs]).toEqual([0o640n, marks.mtimeNs]);
    expect(readdirSync(join(folder, 'a'))).toEqual(['b.txt']);
  });

  it('is left as it is where exactly these bytes lie, and where others do', async () => {
    writeFileSync(join(folder, 'same'), 'hello');
    writeFileSync(join(folder, 'other'), 'HELLO');
    const one = target();
    const inode = statSync(join(folder, 'same')).ino;
    expect(await one.writeFile('same', bytesOf('hello'), marks, { replace: false, signal })).toBe('present');
    expect(statSync(join(folder, 'same')).ino).toBe(inode);
    await expect(
      one.writeFile('other', bytesOf('hello'), marks, { replace: false, signal }),
    ).rejects.toMatchObject({ tag: 'entry-exists' });
    expect(readdirSync(folder).sort()).toEqual(['other', 'same']);
    expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('HELLO');
    expect(await one.writeFile('other', bytesOf('hello'), marks, { replace: true, signal })).toBe('written');
    expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('hello');
  });

  it('takes away what a run that was killed left half written', async () => {
    const failing = { ...bytesOf('hello'), read: () => void process.kill(0, 'SIGNONE' as NodeJS.Signals) };
    await expect(target().writeFile('x', failing, marks, { replace: false, signal })).rejects.toThrow();
    expect(readdirSync(folder)).toEqual([]);
    await target().writeFile('x', bytesOf('1'), marks, { replace: false, signal });
    expect(readdirSync(folder)).toEqual(['x']);
  });

  it('takes away what a run left that was killed when the file was in place already', async () => {
    let aside = '';
    const hello = bytesOf('hello');
    const seen = {
      ...hello,
      read: (at: number, into: Uint8Array) => {
        aside = readdirSync(folder).find((name) => name.endsWith('.part')) ?? '';
        hello.read(at, into);
      },
    };
    await target().writeFile('x', seen, marks, { replace: false, signal });
    linkSync(join(folder, 'x'), join(folder, aside));
    expect(await target().writeFile('x', hello, marks, { replace: false, signal })).toBe('present');
    expect(readdirSync(folder)).toEqual(['x']);
    rmSync(join(folder, 'x'));
    target().writeLink('x', 'away', false);
    writeFileSync(join(folder, aside), '');
    expect(target().writeLink('x', 'away', false)).toBe('present');
    expect(readdirSync(folder)).toEqual(['x']);
  });

  it('is never left through a link', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'platefs-outside-'));
    try {
      symlinkSync(outside, join(folder, 'way'));
      await expect(
        target().writeFile('way/x', bytesOf('1'), marks, { replace: true, signal }),
      ).rejects.toMatchObject({ tag: 'not-a-directory' });
      writeFileSync(join(outside, 'kept'), 'kept');
      symlinkSync(join(outside, 'kept'), join(folder, 'link'));
      await target().writeFile('link', bytesOf('new'), marks, { replace: true, signal });
      expect(readFileSync(join(outside, 'kept'), 'utf8')).toBe('kept');
      expect(readdirSync(outside)).toEqual(['kept']);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  it('counts marks that it cannot keep, and has the bytes all the same', async () => {
    const refuse = (): never => {
      throw Object.assign(new Error('no'), { code: 'EOPNOTSUPP' });
    };
    const one = target({ setTimes, setXattr: refuse });
    const xattrs = new Map([['user.a', Buffer.from('1')]]);
    await one.writeFile('x', bytesOf('1'), { ...marks, xattrs }, { replace: false, signal });
    expect([...one.unkept]).toEqual([['xattrs', 1]]);
    expect(existsSync(join(folder, 'x'))).toBe(true);
  });

  it('stops between two pieces of a file when asked', async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(
      target().writeFile('x', bytesOf('1'), marks, { replace: false, signal: stop.signal }),
    ).rejects.toMatchObject({ tag: 'cancelled' });
    expect(readdirSync(folder)).toEqual([]);
    mkdirSync(join(folder, 'x'));
    await expect(
      target().writeFile('x', bytesOf('1'), marks, { replace: false, signal }),
    ).rejects.toMatchObject({ tag: 'entry-exists' });
  });
});
