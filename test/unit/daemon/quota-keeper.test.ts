import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BranchStore } from '../../../src/changes/branch-store.ts';
import { type RevisionReason, RevisionStore } from '../../../src/changes/revision-store.ts';
import { dropRevisions } from '../../../src/daemon/drop-revision.ts';
import { QuotaKeeper } from '../../../src/daemon/quota-keeper.ts';

describe('a running mount', () => {
  let folder = '';
  let store: RevisionStore;
  const place = () => ({ state: join(folder, 'state'), output: join(folder, 'output') });
  const said: string[] = [];

  /** A revision of a file of 1000 bytes that only it has. */
  const add = (reason: RevisionReason, message?: string): number => {
    const landing = `1-1000-0000000${store.list().length}`;
    const told = message === undefined ? {} : { message };
    const facts = {
      at: '',
      files: 1,
      sizeBytes: 1000,
      digest: '',
      leftOut: [],
      landings: [landing],
      ...told,
    };
    const { number } = store.add({ reason, ...facts }, []);
    const path = store.keptPath(landing);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.alloc(1000));
    return number;
  };
  const keeper = (quotaBytes: number): QuotaKeeper =>
    new QuotaKeeper({
      ...{ store, place: place(), quotaBytes },
      drop: (numbers) => dropRevisions(place(), numbers),
      log: (message) => void said.push(`log: ${message}`),
      warn: (message) => void said.push(`warn: ${message}`),
    });
  const numbers = (): number[] => store.list().map(({ number }) => number);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'platefs-quota-'));
    mkdirSync(place().state);
    store = new RevisionStore(place().state);
    said.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('drops the oldest revisions that nobody named when more is kept than may be, and says so', async () => {
    add('unmount');
    add('snapshot', 'mine');
    add('commit');
    add('unmount');
    await keeper(4000).hold();
    expect([numbers(), said]).toEqual([[1, 2, 3, 4], []]);
    await keeper(2500).hold();
    expect([numbers(), store.keptBytes()]).toEqual([[2, 4], 2000]);
    expect(said).toEqual([
      expect.stringMatching(/^log: revisions 1, 3 are dropped: more than 2.4 KiB was kept$/),
    ]);
  });

  it('keeps what was named and what branches began with, and says once that it is too much', async () => {
    add('unmount');
    add('unmount');
    add('snapshot');
    add('unmount');
    new BranchStore(place()).add(
      { name: 'b', at: '', folder: 'b', origin: { branch: 0, revision: 2 } },
      () => {},
    );
    const quota = keeper(100);
    await quota.hold();
    expect(numbers()).toEqual([2, 3, 4]);
    expect(said.at(-1)).toMatch(
      /^warn: 2.9 KiB are kept for revisions, more than 100 B; .*platefs history --drop/,
    );
    const { length } = said;
    await quota.hold();
    expect(said.length).toBe(length);
  });
});
