import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryWatch, type FollowedDirectory } from '../../../src/watch/directory-watch.ts';
import { networkDiskKind } from '../../../src/watch/disk-kind.ts';

const DEADLINE_MS = 60_000;

let folder = '';
const watches: DirectoryWatch[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-watch-'));
});
afterEach(() => {
  for (const watch of watches.splice(0)) watch[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const asSeen = (path: string): FollowedDirectory => {
  const { ino, mtimeNs } = statSync(path, { bigint: true });
  return { path, inode: ino, mtimeMs: Number(mtimeNs) / 1e6 };
};

function watching(events: boolean, pollMs: number): { watch: DirectoryWatch; hinted: string[] } {
  const hinted: string[] = [];
  const watch = new DirectoryWatch({
    events,
    pollMs,
    onHint: ({ path }) => hinted.push(path),
    onNoEvents: (error) => {
      throw error;
    },
  });
  watches.push(watch);
  return { watch, hinted };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`did not happen: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

describe('a file that is followed', () => {
  it('is hinted at when it is written in place, without events', async () => {
    const path = join(folder, 'grows');
    writeFileSync(path, 'x');
    const { watch, hinted } = watching(false, 20);
    const asRead = (): void => {
      const { size, mtimeNs } = statSync(path, { bigint: true });
      watch.follow([asSeen(folder)], [{ path, sizeBytes: Number(size), mtimeMs: Number(mtimeNs) / 1e6 }]);
    };
    asRead();
    for (const text of ['xy', 'xyz']) {
      hinted.length = 0;
      writeFileSync(path, text);
      await until(`a hint of ${text}`, () => hinted.includes(folder));
      asRead();
    }
    watch.follow([asSeen(folder)]);
    hinted.length = 0;
    writeFileSync(path, 'no more');
    rmSync(path);
    await until('a hint of the folder', () => hinted.length > 0);
    expect(new Set(hinted)).toEqual(new Set([folder]));
  });
});

describe('a watched directory', () => {
  it.each([
    ['by events', true, 1_000_000],
    ['by polling alone', false, 20],
  ])('is hinted at when an entry comes, goes or is renamed, %s', async (_how, events, pollMs) => {
    const { watch, hinted } = watching(events, pollMs);
    watch.follow([asSeen(folder)]);
    for (const change of [
      () => writeFileSync(join(folder, 'a'), 'x'),
      () => renameSync(join(folder, 'a'), join(folder, 'b')),
      () => rmSync(join(folder, 'b')),
      () => mkdirSync(join(folder, 'c')),
    ]) {
      hinted.length = 0;
      // A change within the tick of the clock in which the last one was seen leaves no other mtime.
      const before = statSync(folder).mtimeMs;
      await until('the clock has ticked', () => Date.now() > before + 20);
      change();
      await until('a hint', () => hinted.includes(folder));
    }
  });

  it('that is not what it was when it was read is hinted at at once', async () => {
    const { watch, hinted } = watching(true, 1_000_000);
    watch.follow([{ ...asSeen(folder), mtimeMs: 1 }]);
    await until('a hint', () => hinted.includes(folder));
  });

  it('that goes, and one that is followed no longer', async () => {
    const [kept, dropped] = ['kept', 'dropped'].map((name) => join(folder, name)) as [string, string];
    for (const path of [kept, dropped]) mkdirSync(path);
    const { watch, hinted } = watching(false, 20);
    watch.follow([asSeen(kept), asSeen(dropped)]);
    watch.follow([asSeen(kept)]);
    writeFileSync(join(dropped, 'x'), '');
    rmSync(kept, { recursive: true });
    await until('a hint', () => hinted.includes(kept));
    expect(hinted).not.toContain(dropped);
  });

  it('lies on a local disk or on a network disk', () => {
    expect(networkDiskKind(folder)).toBeUndefined();
    expect(() => networkDiskKind(join(folder, 'none'))).toThrow();
  });
});
