import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { journalPath } from '../../src/overlay/open-overlay.ts';
import { Duel, type Step } from './duel.ts';
import { BUDGET_BYTES, SEED, steps, treeOf } from './histories.ts';

const RUNS = Number(process.env['PLATEFS_MODEL_RUNS'] ?? 100);

function play(history: readonly Step[]): void {
  const duel = new Duel(SEED, treeOf, BUDGET_BYTES);
  try {
    for (const [i, step] of history.entries()) {
      duel.take(step);
      if (i % 7 === 6) duel.compare();
    }
    duel.compare();
    duel.kernel.resume();
    duel.compare();
    duel.remount();
    duel.compare();
    duel.compareLanded();
    duel.remount();
    duel.compare();
  } finally {
    duel.dispose();
  }
}

/** Histories that chance meets too seldom. */
const TRAPS: Readonly<Record<string, readonly Step[]>> = {
  'a reader of a plane changes its rights after somebody else wrote it': [
    { do: 'open', path: ['images', 'a'], access: 'read' },
    { do: 'open', path: ['images', 'a'], access: 'write' },
    { do: 'write', slot: 1, offset: 10, size: 500, seed: 1 },
    { do: 'fchmod-old', slot: 0 },
  ],
  'a file lands and is written anew while somebody reads it past the daemon': [
    { do: 'create', path: ['x'], mode: 0o644, exclusive: true },
    { do: 'write', slot: 0, offset: 0, size: 3000, seed: 2 },
    { do: 'close', slot: 0 },
    { do: 'open', path: ['x'], access: 'read' },
    { do: 'begin-landing', nth: 0 },
    { do: 'end-landing' },
    { do: 'open', path: ['x'], access: 'truncate' },
    { do: 'write', slot: 1, offset: 0, size: 4000, seed: 3 },
    { do: 'resume' },
    { do: 'open', path: ['x'], access: 'read' },
  ],
  'an empty file that was given a time is moved to disk': [
    { do: 'create', path: ['d'], mode: 0o600, exclusive: false },
    { do: 'utimes', path: ['d'], seconds: 1 },
    { do: 'spill', slot: 0 },
  ],
  'a written file that was given a time is moved to disk': [
    { do: 'create', path: ['d'], mode: 0o600, exclusive: false },
    { do: 'write', slot: 0, offset: 0, size: 9000, seed: 1 },
    { do: 'utimes', path: ['d'], seconds: 1 },
    { do: 'spill', slot: 0 },
  ],
  'a daemon dies while it notes a landing': [
    { do: 'create', path: ['images', 'deep'], mode: 0o600, exclusive: false },
    { do: 'close', slot: 0 },
    { do: 'begin-landing', nth: 0 },
    { do: 'end-landing', die: 2 },
    { do: 'begin-landing', nth: 0 },
  ],
  'a file that has room past its end is moved to disk': [
    { do: 'create', path: ['x'], mode: 0o644, exclusive: true },
    { do: 'allocate', slot: 0, mode: 1, offset: 0, size: 9000 },
    { do: 'spill-resting', pages: 1 },
  ],
  'a daemon dies while it moves part of a file to disk, and the file shrinks and grows again': [
    { do: 'create', path: ['x'], mode: 0o644, exclusive: true },
    { do: 'write', slot: 0, offset: 0, size: 20_000, seed: 4 },
    { do: 'spill-resting', pages: 1 },
    { do: 'spill-resting', pages: 2, die: 1 },
    { do: 'ftruncate', slot: 0, size: 3000 },
    { do: 'ftruncate', slot: 0, size: 30_000 },
    { do: 'spill-resting', pages: 2 },
    { do: 'spill', slot: 0 },
  ],
  'a daemon dies while it moves a file to disk, and the file is begun anew': [
    { do: 'create', path: ['x'], mode: 0o644, exclusive: true },
    { do: 'write', slot: 0, offset: 0, size: 9000, seed: 4 },
    { do: 'spill', slot: 0, die: 1 },
    { do: 'ftruncate', slot: 0, size: 0 },
    { do: 'write', slot: 0, offset: 2 * BUDGET_BYTES, size: 100, seed: 5 },
  ],
};

describe('a daemon', () => {
  it('holds nothing open of the daemons before it, and only a few files of its own', () => {
    const duel = new Duel(SEED, treeOf, BUDGET_BYTES);
    try {
      for (const name of ['a', 'b', 'c'])
        for (const step of TRAPS['a daemon dies while it moves a file to disk, and the file is begun anew'] ??
          [])
          duel.take('path' in step ? { ...step, path: [name] } : step);
      duel.kernel.resume();
      const afterOne = duel.kernel.openFiles().size;
      for (let i = 0; i < 5; i++) duel.kernel.resume();
      expect(duel.kernel.openFiles().size).toBe(afterOne);
      duel.remount();
      expect([...duel.kernel.openFiles().values()]).toEqual(
        expect.arrayContaining([
          join(duel.kernel.folders.memory, 'handles'),
          journalPath(duel.kernel.folders),
        ]),
      );
    } finally {
      duel.dispose();
    }
    expect(duel.kernel.openFiles()).toEqual(new Map());
  });
});

describe('what was written', () => {
  it.each(Object.keys(TRAPS))('is right when %s', (name) => play(TRAPS[name] ?? []));

  it(
    'is what a simple model of files holds, after any history',
    () => {
      fc.assert(fc.property(steps(fc.constant(undefined)), play), { numRuns: RUNS });
    },
    60_000 + RUNS * 300,
  );

  it(
    'survives the death of the daemon at any point of any step, which the client never notices',
    () => {
      const die = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined, freq: 2 });
      fc.assert(fc.property(steps(die), play), { numRuns: RUNS });
    },
    60_000 + RUNS * 300,
  );
});
