import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAtOrBelow } from '../../src/changes/chosen-changes.ts';
import { frozenState } from '../../src/changes/frozen-records.ts';
import { RevisionStore } from '../../src/changes/revision-store.ts';
import { VERSIONS_NODE, VersionNodes } from '../../src/changes/version-nodes.ts';
import { VersionedTree } from '../../src/changes/versioned-tree.ts';
import { writtenState } from '../../src/daemon/front-changes.ts';
import { Duel, type Step } from './duel.ts';
import { BUDGET_BYTES, SEED, steps, treeOf } from './histories.ts';
import { landAll, shown } from './shown.ts';

const RUNS = Number(process.env['PLATEFS_MODEL_RUNS'] ?? 20);

/** As {@link shown}, of a revision. */
function shownIn(
  tree: VersionedTree,
  node: number,
  bytesOf: (node: number) => string,
  path = '',
): Map<string, string> {
  const all = new Map<string, string>();
  const seen = new Set<string>();
  for (let entry = tree.entryAfter(node, 0); entry; entry = tree.entryAfter(node, entry.cookie)) {
    expect(seen.has(entry.name)).toBe(false);
    seen.add(entry.name);
    expect(tree.lookup(node, entry.name)).toBe(entry.node);
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    expect(tree.pathOf(entry.node)).toBe(`.platefs/versions/1/${below}`);
    const target = tree.linkTarget(entry.node);
    if (target !== undefined) all.set(below, `→${target}`);
    else if (tree.isDirectory(entry.node)) {
      all.set(below, '/');
      for (const inner of shownIn(tree, entry.node, bytesOf, below)) all.set(...inner);
    } else all.set(below, bytesOf(entry.node));
  }
  return all;
}

function play(before: readonly Step[], after: readonly Step[]): void {
  const duel = new Duel(SEED, treeOf, BUDGET_BYTES);
  const state = mkdtempSync(join(tmpdir(), 'platefs-revisions-'));
  try {
    for (const step of before) duel.take(step);
    const { kernel } = duel;
    landAll(duel);
    const expected = shown(duel);
    const frozen = frozenState(writtenState(kernel.overlay, kernel.tree), kernel.tree);
    const landed = new Map(kernel.landedBytes);
    const ids = new Map(
      frozen.records.flatMap((record) =>
        record.op === 'landed' ? [[record.inode, String(record.record['id'])] as const] : [],
      ),
    );
    const store = new RevisionStore(state);
    const { records, ...facts } = frozen;
    store.add({ at: '', reason: 'snapshot', ...facts }, records);
    new VersionNodes(state).assign([1], [0], true);
    for (const step of after) duel.take(step);
    const nodes = new VersionNodes(state);
    const tree = new VersionedTree(kernel.tree, store, nodes);
    const root = tree.lookup(VERSIONS_NODE, '1') ?? 0;
    const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('latin1');
    const bytesOf = (node: number): string => {
      const own = tree.baseOf(node);
      if (own !== undefined) return textOf(kernel.tree.bytesOf(own));
      const bytes = textOf(landed.get(ids.get(nodes.placeOf(node)?.node ?? 0) ?? ''));
      expect(tree.attributes(node)?.sizeBytes).toBe(bytes.length);
      return bytes;
    };
    // What was being written is in it as it was before, or not at all.
    const isWhole = ([path]: readonly [string, string]): boolean =>
      !frozen.leftOut.some((left) => isAtOrBelow(path, left));
    const got = [...shownIn(tree, root, bytesOf)].filter(isWhole).sort();
    expect(got).toEqual([...expected].filter(isWhole).sort());
  } finally {
    duel.dispose();
    rmSync(state, { recursive: true, force: true });
  }
}

describe('a revision', () => {
  it(
    'shows everything as it was, whatever happens afterwards',
    () => {
      const histories = [steps(fc.constant(undefined)), steps(fc.constant(undefined))] as const;
      fc.assert(fc.property(...histories, play), { numRuns: RUNS });
    },
    60_000 + RUNS * 600,
  );

  it('is whole or not there, and its number is never given again', () => {
    const state = mkdtempSync(join(tmpdir(), 'platefs-revisions-'));
    try {
      const store = new RevisionStore(state);
      const facts = {
        at: '',
        reason: 'snapshot',
        files: 0,
        sizeBytes: 0,
        digest: '',
        leftOut: [],
        landings: [],
      } as const;
      expect(store.add(facts, []).number).toBe(1);
      expect(store.add(facts, []).number).toBe(2);
      mkdirSync(join(store.folder, '.new-3'));
      expect(store.drop(2)).toBe(true);
      expect(store.drop(2)).toBe(false);
      expect(store.add(facts, []).number).toBe(3);
      expect(store.list().map(({ number }) => number)).toEqual([1, 3]);
    } finally {
      rmSync(state, { recursive: true, force: true });
    }
  });
});
