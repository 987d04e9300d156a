import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Change, changesOf } from '../../src/changes/change-list.ts';
import { isAtOrBelow } from '../../src/changes/chosen-changes.ts';
import { discardPaths } from '../../src/daemon/front-changes.ts';
import { ROOT_NODE } from '../../src/tree/tree.ts';
import { Duel, type Step } from './duel.ts';
import { BUDGET_BYTES, SEED, steps, treeOf } from './histories.ts';
import { shown } from './shown.ts';

const RUNS = Number(process.env['PLATEFS_MODEL_RUNS'] ?? 25);

const changes = ({ kernel }: Duel): Change[] => changesOf(kernel.overlay.names, kernel.tree);

/** Every file of the source is shown exactly once, as it is, but for those that a change accounts for. */
function accountForAll(duel: Duel): void {
  const { kernel } = duel;
  const visible = shown(duel);
  const accounted = new Set(
    changes(duel).flatMap(({ kind, inode, tree, covers }) => [
      ...(tree !== undefined && (kind === 'deleted' || inode !== undefined) ? [tree] : []),
      ...(covers === undefined ? [] : [covers]),
    ]),
  );
  const missing: string[] = [];
  const walk = (node: number): void => {
    for (const name of kernel.tree.names(node)) {
      const child = kernel.tree.lookup(node, name) ?? 0;
      if (kernel.tree.isDirectory(child)) walk(child);
      else if (!accounted.has(child)) {
        const bytes = Buffer.from(kernel.tree.bytesOf(child)).toString('latin1');
        if (visible.get(kernel.overlay.names.pathOf(child) ?? '') !== bytes)
          missing.push(kernel.tree.pathOf(child));
      }
    }
  };
  walk(ROOT_NODE);
  expect(missing).toEqual([]);
}

function play(history: readonly Step[], which: number): void {
  const duel = new Duel(SEED, treeOf, BUDGET_BYTES);
  try {
    for (const step of history) duel.take(step);
    const all = changes(duel);
    const chosen = all[which % Math.max(1, all.length)];
    accountForAll(duel);
    if (!chosen) return;
    const before = shown(duel);
    const { kernel } = duel;
    const { discarded, kept } = discardPaths(kernel.overlay, kernel.tree, [chosen.path], true);
    const after = shown(duel);
    if (kept.length > 0) {
      expect(after).toEqual(before);
      return;
    }
    expect(discarded.map(({ path }) => path)).toContain(chosen.path);
    accountForAll(duel);
    const gone = new Set(discarded.map(({ kind, path }) => `${kind} ${path}`));
    const left = changes(duel).filter(({ kind, path }) => gone.has(`${kind} ${path}`));
    expect(left).toEqual([]);
    // What has nothing to do with it is as it was.
    const isTouched = (path: string): boolean =>
      discarded.some(
        (one) => isAtOrBelow(path, one.path) || (one.from !== undefined && isAtOrBelow(path, one.from)),
      );
    const calm = (tree: Map<string, string>) => [...tree].filter(([path]) => !isTouched(path)).sort();
    expect(calm(after)).toEqual(calm(before));
    duel.kernel.resume();
    expect(shown(duel)).toEqual(after);
    duel.kernel.remount();
    expect(shown(duel)).toEqual(after);
  } finally {
    duel.dispose();
  }
}

describe('discarding a path', () => {
  it(
    'brings back exactly what it says, after any history, or refuses and changes nothing',
    () => {
      const history = steps(fc.constant(undefined));
      fc.assert(fc.property(history, fc.nat(1000), play), { numRuns: RUNS });
    },
    60_000 + RUNS * 300,
  );
});
