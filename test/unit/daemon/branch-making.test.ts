import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkBranchName, parseOrigin } from '../../../src/changes/branch-name.ts';
import { type Branch, type BranchPlace, BranchStore, homeOf } from '../../../src/changes/branch-store.ts';
import { RevisionStore } from '../../../src/changes/revision-store.ts';
import { type FaultPoint, hearFaultPoints } from '../../../src/core/fault-points.ts';
import { storage, useStorage } from '../../../src/core/storage.ts';
import { deleteBranch, makeBranch, renameBranch } from '../../../src/daemon/branch-making.ts';
import { dropRevisions } from '../../../src/daemon/drop-revision.ts';
import { lockState } from '../../../src/daemon/state-lock.ts';

describe("a branch's name", () => {
  it.each(['otsu', 'Otsu 2', 'ünïcode', '3rd', 'a'.repeat(255), 'results.v2'])('may be %j', (name) => {
    expect(checkBranchName(name, 'branch')).toBe(name);
  });

  it.each([
    ...['', 'a/b', '..', 'a..b', '.hidden', '-x', ' a', 'a ', '12', 'main', 'Main', 'a@1', 'a\nb', 'a\u0000'],
    ...['\u0007', '\u009b', '\u2028', 'é'.repeat(128), '\ud800'],
  ])('is not %j', (name) => {
    expect(() => checkBranchName(name, 'branch')).toThrow(/another name/);
  });

  it('stands before a revision, or alone', () => {
    expect(parseOrigin('3', '--from')).toEqual({ branch: 'main', revision: 3 });
    expect(parseOrigin('otsu', '--from')).toEqual({ branch: 'otsu' });
    expect(parseOrigin('otsu@12', '--from')).toEqual({ branch: 'otsu', revision: 12 });
    for (const bad of ['', '@1', 'otsu@', 'otsu@0', 'otsu@x', '0'])
      expect(() => parseOrigin(bad, '--from')).toThrow(/no revision and no branch/);
  });
});

describe('branches', () => {
  let folder = '';
  let home: BranchPlace = { state: '', output: '' };
  let store = new BranchStore(home);
  const notMounted = (): Promise<'not-mounted'> => Promise.resolve('not-mounted');
  const make = (name: string): Promise<unknown> => makeBranch(home, name, undefined, notMounted);
  const names = (): string[] => store.list().map(({ name }) => name);
  const revision = (state: string): number =>
    new RevisionStore(state).add(
      { at: '', reason: 'snapshot', files: 0, sizeBytes: 0, digest: '', leftOut: [], landings: [] },
      [],
    ).number;
  /** One that began with a revision of another. */
  const on = (branch: number, number: number, name: string): Branch =>
    store.add(
      { name, at: '', folder: store.freeFolder(name), origin: { branch, revision: number } },
      () => {},
    );

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'platefs-branches-'));
    home = { state: join(folder, 'state'), output: join(folder, 'output') };
    store = new BranchStore(home);
  });
  afterEach(() => {
    hearFaultPoints(undefined);
    useStorage(undefined);
    rmSync(folder, { recursive: true, force: true });
  });

  it('are found again by what lies in their places', async () => {
    await make('otsu');
    const place = store.placeOf(1);
    expect([homeOf(place), homeOf(home)]).toEqual([home, home]);
    expect(place.output).toBe(join(home.output, 'branches/otsu'));
    expect(() => store.demand('otsy')).toThrow(/there is no branch 'otsy'/);
  });

  it('have names of their own, also where a file system takes them for the same', async () => {
    await make('Otsu');
    for (const name of ['Otsu', 'otsu', 'OTSU']) await expect(make(name)).rejects.toThrow(/'Otsu' already/);
    await make('é');
    await expect(make('e\u0301')).rejects.toThrow(/already/);
    await make('other');
    await expect(renameBranch(home, 'other', 'OTSU')).rejects.toThrow(/'Otsu' already/);
    expect((await renameBranch(home, 'Otsu', 'otsu')).name).toBe('otsu');
  });

  it('leave alone what lies among their results already', async () => {
    mkdirSync(join(home.output, 'branches/otsu'), { recursive: true });
    await make('otsu');
    expect(store.placeOf(1).output).toBe(join(home.output, 'branches/otsu~2'));
  });

  it('are there whole or not at all when their making is cut off, and no number is given twice', async () => {
    hearFaultPoints((point: FaultPoint) => {
      if (point === 'branch.before-name') throw new Error('killed');
    });
    await expect(make('otsu')).rejects.toThrow('killed');
    hearFaultPoints(undefined);
    expect(names()).toEqual([]);
    await make('otsu');
    expect(store.list().map(({ number }) => number)).toEqual([2]);
    expect(existsSync(join(home.state, 'branches/.new-1'))).toBe(false);
  });

  it('are gone once they are deleted, with all they had, also when that is cut off', async () => {
    await make('otsu');
    const { state, output } = store.placeOf(1);
    mkdirSync(join(output, 'results.ome.zarr'), { recursive: true });
    writeFileSync(join(state, 'journal'), '');
    hearFaultPoints((point: FaultPoint) => {
      if (point === 'branch.deleted-not-cleared') throw new Error('killed');
    });
    await expect(deleteBranch(home, 'otsu')).rejects.toThrow('killed');
    hearFaultPoints(undefined);
    expect([names(), existsSync(state), existsSync(output)]).toEqual([[], false, true]);
    // One of the same name has nothing of it.
    await make('otsu');
    expect([existsSync(output), names()]).toEqual([false, ['otsu']]);
    expect(store.list()[0]?.number).toBe(2);
  });

  it('have one name and all their results wherever a rename is cut off', async () => {
    await make('old');
    const before = store.placeOf(1).output;
    mkdirSync(before, { recursive: true });
    writeFileSync(join(before, 'table.csv'), 'one');
    const disk = storage;
    for (let syncs = 1; ; syncs++) {
      let left = syncs;
      useStorage({
        ...disk,
        sync: (fd) => {
          if (--left === 0) throw new Error('killed');
          disk.sync(fd);
        },
      });
      const [from = ''] = names();
      const to = from === 'old' ? 'new' : 'old';
      const wasCut = await renameBranch(home, from, to).then(
        () => false,
        () => true,
      );
      useStorage(undefined);
      const [name = ''] = names();
      expect(['old', 'new']).toContain(name);
      expect(readFileSync(join(store.placeOf(1).output, 'table.csv'), 'utf8')).toBe('one');
      if (!wasCut) {
        expect([name, store.placeOf(1).output]).toEqual([to, join(home.output, 'branches', to)]);
        break;
      }
      expect(syncs).toBeLessThan(20);
    }
  });

  it('keep what others began with', async () => {
    await make('otsu');
    const { state } = store.placeOf(1);
    revision(state);
    revision(state);
    on(1, 1, 'third');
    await expect(deleteBranch(home, 'otsu')).rejects.toThrow(/'third'/);
    const place = store.placeOf(1);
    await expect(dropRevisions(place, [2, 1])).rejects.toThrow(/revision 1: third/);
    expect(new RevisionStore(state).list().map(({ number }) => number)).toEqual([1, 2]);
    await dropRevisions(place, [2]);
    await deleteBranch(home, 'third');
    await dropRevisions(place, [1]);
    await deleteBranch(home, 'otsu');
    expect(names()).toEqual([]);
  });

  it('stay as they are while they, or branches that read their files, are mounted', async () => {
    await make('otsu');
    on(1, 1, 'third');
    on(2, 1, 'fourth');
    const unlock = lockState(store.stateOf(3));
    await expect(renameBranch(home, 'otsu', 'new')).rejects.toThrow(/'fourth' is mounted/);
    await expect(deleteBranch(home, 'fourth')).rejects.toThrow(/'fourth' is mounted/);
    unlock();
    await renameBranch(home, 'otsu', 'new');
    await expect(deleteBranch(home, 'main')).rejects.toThrow(/it stays/);
    await expect(renameBranch(home, 'main', 'x')).rejects.toThrow(/it stays/);
  });

  it('do not begin with what is not there', async () => {
    const from = (branch: string, number?: number): Promise<unknown> =>
      makeBranch(home, 'x', { branch, ...(number === undefined ? {} : { revision: number }) }, notMounted);
    await expect(from('otsu')).rejects.toThrow(/no branch 'otsu'/);
    await expect(from('main', 3)).rejects.toThrow(/main has no revision 3/);
    // Nothing was ever written to it.
    await from('main');
    expect([names(), store.list()[0]?.origin]).toEqual([['x'], undefined]);
  });
});
