import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sourceIdentity } from '../../../src/core/source-look.ts';
import { FileWatch } from '../../../src/watch/file-watch.ts';

const DEADLINE_MS = 60_000;
/** Longer than a test takes. */
const NEVER_MS = 600_000;

let folder = '';
let watches: FileWatch[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-files-'));
});
afterEach(() => {
  for (const watch of watches) watch[Symbol.dispose]();
  watches = [];
  rmSync(folder, { recursive: true });
});

const identity = (path: string, mayGrow = false): string =>
  sourceIdentity(statSync(path, { bigint: true, throwIfNoEntry: false }), mayGrow);

function watching(events: boolean, pollMs: number, polledFiles = 8) {
  const changed: number[] = [];
  const watch = new FileWatch({ events, pollMs, polledFiles, onChange: (nodes) => changed.push(...nodes) });
  watches.push(watch);
  const follow = (path: string, node: number): void => watch.follow(path, identity(path), node);
  return { watch, changed, follow };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`did not happen: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

function put(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe.each([
  ['events', true, NEVER_MS],
  ['polling', false, 10],
])('a file that is followed by %s', (_, events, pollMs) => {
  it('is noticed when it is rewritten, replaced, removed and made again', async () => {
    const { changed, follow } = watching(events, pollMs);
    const path = put(join(folder, 'deep/er/chunk'), 'a');
    follow(path, 5);
    const noticed = async (what: string, change: () => void): Promise<void> => {
      const before = changed.length;
      change();
      // Of each change it is told twice.
      await until(what, () => changed.length >= before + 2);
      changed.length = 0;
    };
    await noticed('it is rewritten', () => put(path, 'bb'));
    const other = put(join(folder, 'other'), 'ccc');
    await noticed('it is replaced', () => renameSync(other, path));
    await noticed('it is removed', () => rmSync(path));
    await noticed('it is there again', () => put(path, 'd'));
  });

  it('is noticed when it comes, with the folders above it', async () => {
    const { changed, follow } = watching(events, pollMs);
    const path = join(folder, 'c/0/1/2');
    follow(path, 9);
    put(path, 'here');
    await until('it is there', () => changed.includes(9));
    const count = changed.length;
    put(path, 'rewritten');
    // The second time of the first change may be among them.
    await until('it is rewritten', () => changed.length >= count + 2);
  });
});

describe('following files', () => {
  it('tells what was read of them before a reader saw another state', async () => {
    const { watch, changed } = watching(false, NEVER_MS);
    watch.follow('/x', 'old', 1);
    watch.follow('/x', 'new', 2);
    await until('it is told, and once more', () => changed.length === 2);
    expect(changed).toEqual([1, 1]);
  });

  it('takes a file that may grow for the same while it does', async () => {
    const { watch, changed, follow } = watching(false, 10);
    const growing = put(join(folder, 'grows'), 'a');
    watch.follow(growing, identity(growing, true), 1);
    const other = put(join(folder, 'other'), 'a');
    follow(other, 2);
    put(growing, 'longer');
    put(other, 'longer');
    await until('the other is noticed', () => changed.includes(2));
    expect(changed).not.toContain(1);
    renameSync(other, growing);
    await until('it is replaced', () => changed.includes(1));
  });

  it('comes to every file in turn, and forgets those of longest ago', async () => {
    const { watch, changed, follow } = watching(false, 1, 4);
    const paths = Array.from({ length: 40 }, (_, i) => put(join(folder, `${i}`), 'a'));
    for (const [i, path] of paths.entries()) follow(path, i);
    for (const path of paths) put(path, 'longer');
    await until('all are noticed', () => new Set(changed).size === paths.length);
    for (let i = 0; i < 20_000; i++) watch.follow(`/none/${i}`, 'absent', i);
    expect(watch.count).toBe(16_384);
  });
});
