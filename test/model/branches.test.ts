import { rmSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { branchRecords } from '../../src/changes/branch-records.ts';
import { changesOf } from '../../src/changes/change-list.ts';
import { frozenState } from '../../src/changes/frozen-records.ts';
import { differencesOf, type WrittenView } from '../../src/changes/view-differences.ts';
import { writtenState } from '../../src/daemon/front-changes.ts';
import { Journal } from '../../src/journal/journal.ts';
import { journalPath } from '../../src/overlay/open-overlay.ts';
import { Duel, type Step } from './duel.ts';
import { BUDGET_BYTES, SEED, steps, treeOf } from './histories.ts';
import { landAll, shown } from './shown.ts';

const RUNS = Number(process.env['PLATEFS_MODEL_RUNS'] ?? 4);

/** A branch of a duel as it is now: of its files nothing is copied, of its reference everything. */
function branchOf(origin: Duel, number: number): Duel {
  const { kernel } = origin;
  origin.closeAll();
  landAll(origin);
  const frozen = frozenState(writtenState(kernel.overlay, kernel.tree), kernel.tree);
  expect(frozen.leftOut).toEqual([]);
  const branch = new Duel(SEED, treeOf, BUDGET_BYTES);
  const path = journalPath(branch.kernel.folders);
  rmSync(path);
  const { journal } = Journal.open(path, () => {});
  journal.rewrite(branchRecords(frozen.records, number));
  journal.close();
  // What a revision needs is kept, whatever becomes of the branch that it is of.
  branch.kernel.sharedBytes = new Map([...kernel.sharedBytes, [number, new Map(kernel.landedBytes)]]);
  branch.root.children.clear();
  for (const [name, child] of structuredClone(origin.root).children) branch.root.children.set(name, child);
  branch.kernel.remount();
  branch.compare();
  return branch;
}

const viewOf = ({ kernel: { overlay, tree } }: Duel): WrittenView => {
  const files = new Map(writtenState(overlay, tree).files.map((file) => [file.inode, file]));
  return {
    names: overlay.names,
    lower: tree,
    changes: changesOf(overlay.names, tree),
    fileOf: (inode) => files.get(inode),
  };
};

/** What is told of two branches is what differs in what they show. */
function compareTold(one: Duel, other: Duel): void {
  const [here, there] = [shown(one), shown(other)];
  const told = differencesOf(viewOf(one), viewOf(other), (path) => here.get(path) === there.get(path));
  const of = (kind: string): string[] => told.filter((row) => row.kind === kind).map(({ path }) => path);
  expect(of('added').sort()).toEqual([...here.keys()].filter((path) => !there.has(path)).sort());
  expect(of('deleted').sort()).toEqual([...there.keys()].filter((path) => !here.has(path)).sort());
  const changed = new Set(of('changed'));
  for (const [path, bytes] of here)
    if (there.has(path) && there.get(path) !== bytes) expect([path, changed.has(path)]).toEqual([path, true]);
  for (const { path, kind, attributesOnly } of told)
    if (kind === 'changed' && attributesOnly) expect(here.get(path)).toBe(there.get(path));
}

function play(before: readonly Step[], turns: readonly (readonly [number, Step])[]): void {
  const branches = [new Duel(SEED, treeOf, BUDGET_BYTES)];
  try {
    const main = branches[0] as Duel;
    for (const step of before) main.take(step);
    branches.push(branchOf(main, 0));
    for (const [i, [which, step]] of turns.entries()) {
      // A branch of the branch, made half way.
      if (i === Math.floor(turns.length / 2)) branches.push(branchOf(branches[1] as Duel, 1));
      const branch = branches[which % branches.length] as Duel;
      branch.take(step);
    }
    for (const branch of branches) branch.compare();
    for (const branch of branches) compareTold(branch, main);
    for (const branch of branches) {
      branch.remount();
      branch.compareLanded();
    }
  } finally {
    for (const branch of branches) branch.dispose();
  }
}

describe('branches of one plate', () => {
  it(
    'are what a model of files for each of them holds, after any history of any of them',
    () => {
      const none = fc.constant(undefined);
      const die = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined, freq: 2 });
      const turn = fc
        .tuple(fc.nat(2), steps(die))
        .map(([which, list]) => list.map((step) => [which, step] as const));
      const turns = fc.array(turn, { maxLength: 6, size: 'max' }).map((lists) => lists.flat());
      fc.assert(fc.property(steps(none), turns, play), { numRuns: RUNS });
    },
    60_000 + RUNS * 1500,
  );
});
