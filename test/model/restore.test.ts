import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesOf } from '../../src/changes/change-list.ts';
import { isAtOrBelow } from '../../src/changes/chosen-changes.ts';
import { frozenState } from '../../src/changes/frozen-records.ts';
import { restorePaths, restoringPath, writtenState } from '../../src/daemon/front-changes.ts';
import { Namespace } from '../../src/overlay/namespace.ts';
import { Duel, type Step } from './duel.ts';
import { BUDGET_BYTES, SEED, steps, treeOf } from './histories.ts';
import { landAll, shown } from './shown.ts';

const RUNS = Number(process.env['PLATEFS_MODEL_RUNS'] ?? 20);

function play(before: readonly Step[], after: readonly Step[], which: number, die: number | undefined): void {
  const duel = new Duel(SEED, treeOf, BUDGET_BYTES);
  try {
    for (const step of before) duel.take(step);
    const { kernel } = duel;
    landAll(duel);
    const expected = shown(duel);
    const frozen = frozenState(writtenState(kernel.overlay, kernel.tree), kernel.tree);
    const landed = new Map(kernel.landedBytes);
    for (const step of after) duel.take(step);
    landAll(duel);
    const tree = Object.assign(kernel.tree, {
      namesIn: () => {
        const names = new Namespace(kernel.tree);
        for (const record of frozen.records) names.apply(record);
        return names;
      },
    });
    const present = changesOf(kernel.overlay.names, kernel.tree);
    const earlier = changesOf(tree.namesIn(), kernel.tree);
    const paths = ['', ...[...present, ...earlier].map(({ path }) => path)];
    // Everything every other time.
    const path = which % 2 === 0 ? '' : (paths[which % paths.length] ?? '');
    const was = shown(duel);
    const staged: number[] = [];
    let answer: ReturnType<typeof restorePaths> | undefined;
    if (die !== undefined) kernel.dieAfter(die);
    for (let tries = 0; tries < 8; tries++) {
      answer = kernel.inside(() =>
        restorePaths(kernel.overlay, tree, kernel.folders.state, {
          revision: 1,
          paths: [path],
          force: true,
          staged,
        }),
      );
      kernel.stayAlive();
      // A daemon that died took what was staged along.
      if (!answer) staged.length = 0;
      else if (answer.needed.length === 0) break;
      for (const { inode, record } of answer?.needed ?? []) {
        const staging = restoringPath(kernel.folders.state, 1, inode);
        mkdirSync(dirname(staging), { recursive: true });
        writeFileSync(staging, landed.get(String(record['id'])) ?? '');
        staged.push(inode);
      }
    }
    const got = shown(duel);
    if (!answer || answer.kept.length > 0) {
      expect(path).not.toBe('');
      expect(got).toEqual(was);
      return;
    }
    const isLeft = (one: string): boolean => frozen.leftOut.some((left) => isAtOrBelow(one, left));
    const part = (all: Map<string, string>) =>
      [...all].filter(([one]) => isAtOrBelow(one, path) && !isLeft(one)).sort();
    expect(part(got)).toEqual(part(expected));
    kernel.resume();
    expect(shown(duel)).toEqual(got);
    kernel.remount();
    expect(shown(duel)).toEqual(got);
  } finally {
    duel.dispose();
  }
}

describe('restoring a revision', () => {
  it(
    'brings back what was there, after any history and through a daemon that dies, or changes nothing',
    () => {
      const history = steps(fc.constant(undefined));
      const die = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined });
      fc.assert(fc.property(history, history, fc.nat(1000), die, play), { numRuns: RUNS });
    },
    60_000 + RUNS * 600,
  );
});
