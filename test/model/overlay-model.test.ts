import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { journalPath } from '../../src/overlay/open-overlay.ts';
import { Duel, pattern, type Step } from './duel.ts';
import { MemoryTree, type Seed } from './memory-tree.ts';

const BUDGET_BYTES = 96 * 1024;
const RUNS = Number(process.env['PLATEFS_MODEL_RUNS'] ?? 100);

const SEED: Seed = {
  images: { a: pattern(9000, 1), b: pattern(100, 2), c: pattern(0, 3) },
  stacks: { 'rendered-1': pattern(20_000, 4), deep: { a: pattern(10, 5), b: pattern(5000, 6) } },
  source: { a: pattern(50, 7), raw: { b: pattern(60, 8) } },
};

const treeOf = (folder: string): MemoryTree =>
  new MemoryTree(SEED, folder, (path, bytes) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  });

const name = fc.constantFrom('a', 'b', 'c', 'd', 'deep', 'rendered-1');
const top = fc.constantFrom('images', 'stacks', 'a', 'b', 'c', 'd');
/** Now and then into what must not change. */
const path = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(top) },
  { weight: 6, arbitrary: fc.tuple(top, name) },
  { weight: 2, arbitrary: fc.tuple(top, name, name) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('source'), name) },
);
const slot = fc.nat(8);
const seed = fc.nat(1000);
const offset = fc.oneof(fc.nat(100), fc.nat(30_000), fc.constantFrom(0, 4096, 8192, 40_000));
const size = fc.oneof(fc.nat(64), fc.nat(20_000), fc.constantFrom(1, 4096, 8192));
const flags = fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>;
const mode = fc.constantFrom(0o600, 0o644, 0o755);

const kinds: { weight: number; arbitrary: fc.Arbitrary<Step> }[] = [
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('create' as const), path, mode, exclusive: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('open' as const),
      path,
      access: fc.constantFrom('read' as const, 'write' as const, 'truncate' as const),
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('write' as const), slot, offset, size, seed }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('append' as const), slot, size, seed }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ftruncate' as const), slot, size }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('allocate' as const),
      slot,
      mode: fc.constantFrom(0, 1, 3, 16, 17) as fc.Arbitrary<0 | 1 | 3 | 16 | 17>,
      offset,
      size,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('copy' as const), from: slot, to: slot, offset, size }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('close' as const), slot }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('truncate' as const), path, size }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('mkdir' as const), path }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('unlink' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rmdir' as const), path }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('rename' as const), path, to: path, flags }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('symlink' as const), path, target: fc.string() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('link' as const), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tmpfile' as const), path: fc.tuple(top), mode }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('name' as const), slot, to: path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('chmod' as const), path, mode }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('utimes' as const),
      path,
      seconds: fc.integer({ min: 1, max: 2 ** 31 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('setxattr' as const),
      path,
      name: fc.constantFrom('user.x', 'user.y'),
      value: fc.string(),
      flags,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('removexattr' as const),
      path,
      name: fc.constantFrom('user.x', 'user.y'),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('begin-landing' as const), nth: fc.nat(10) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('end-landing' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      path,
      to: fc.oneof(fc.tuple(top), fc.tuple(top, name)),
      seed,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('begin-listing' as const),
      path: fc.oneof(fc.constant([]), fc.tuple(top)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('list' as const), room: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('spill' as const), slot }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('spill-resting' as const),
      pages: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fsync' as const), slot }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read-while-landing' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fchmod-old' as const), slot }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remount' as const) }) },
];

const steps = (die: fc.Arbitrary<number | undefined>): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.tuple(fc.oneof(...kinds), die).map(([step, passes]) => ({ ...step, die: passes }) as Step),
    { maxLength: 60, size: 'max' },
  );

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
