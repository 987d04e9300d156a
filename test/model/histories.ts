/** What random histories of a mount are made of. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as fc from 'fast-check';
import { pattern, type Step } from './duel.ts';
import { MemoryTree, type Seed } from './memory-tree.ts';

export const BUDGET_BYTES = 96 * 1024;

export const SEED: Seed = {
  images: { a: pattern(9000, 1), b: pattern(100, 2), c: pattern(0, 3) },
  stacks: { 'rendered-1': pattern(20_000, 4), deep: { a: pattern(10, 5), b: pattern(5000, 6) } },
  source: { a: pattern(50, 7), raw: { b: pattern(60, 8) } },
};

export const treeOf = (folder: string): MemoryTree =>
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
  { weight: 1, arbitrary: fc.record({ do: fc.constant('discard' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remount' as const) }) },
];

/** Random histories; `die` says at which fault point of a step the daemon dies. */
export const steps = (die: fc.Arbitrary<number | undefined>): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.tuple(fc.oneof(...kinds), die).map(([step, passes]) => ({ ...step, die: passes }) as Step),
    { maxLength: 60, size: 'max' },
  );
