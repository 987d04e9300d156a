import { rmSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Durability } from '../../src/model/mount-definition.ts';
import { LosingStorage } from '../fixtures/losing-storage.ts';
import { pattern } from './duel.ts';
import { type DoubleHandle, KernelDouble } from './kernel-double.ts';
import { MemoryTree } from './memory-tree.ts';
import { overwritten, resized } from './reference-files.ts';

const O_RDWR = 2;
const RUNS = Number(process.env['PLATEFS_MODEL_RUNS'] ?? 60);
const NAMES = ['a', 'b', 'c', 'd'];

type Step =
  | { readonly do: 'create' | 'unlink' | 'reopen'; readonly name: number }
  | {
      readonly do: 'write';
      readonly slot: number;
      readonly at: number;
      readonly size: number;
      readonly seed: number;
    }
  | { readonly do: 'truncate'; readonly slot: number; readonly size: number }
  | { readonly do: 'fsync' | 'close' | 'spill'; readonly slot: number }
  | { readonly do: 'rename'; readonly name: number; readonly to: number };

const name = fc.nat(NAMES.length - 1);
const slot = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('create' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unlink' as const), name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reopen' as const), name }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      slot,
      at: fc.oneof(fc.nat(200), fc.nat(100_000)),
      size: fc.oneof(fc.nat(600), fc.nat(90_000)),
      seed: fc.nat(1000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('truncate' as const), slot, size: fc.nat(120_000) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('fsync' as const), slot }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('close' as const), slot }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('spill' as const), slot }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rename' as const), name, to: name }) },
);

/** A file as the program knows it. */
interface Known {
  bytes: Uint8Array;
  /** What it was when a call returned that promised to keep that. */
  promised: Uint8Array | undefined;
  /** What a call was to keep that the power took, or that another call replaced. */
  attempts: Uint8Array[];
  /** Bytes of it went to the disk by themselves: there, what was written later may be found. */
  hasSpilled: boolean;
}

interface Slot {
  readonly handle: DoubleHandle;
  readonly file: Known;
}

/** A program, and what it was promised. */
class Program {
  readonly kernel: KernelDouble;
  readonly #mode: Durability;
  readonly #slots: Slot[] = [];
  names = new Map<string, Known>();
  /** Every state of the names since they were last promised. */
  states: Map<string, Known>[] = [new Map()];

  constructor(kernel: KernelDouble, mode: Durability) {
    this.kernel = kernel;
    this.#mode = mode;
  }

  #named(): void {
    this.states.push(new Map(this.names));
  }

  #slot(index: number): Slot | undefined {
    return this.#slots.length === 0 ? undefined : this.#slots[index % this.#slots.length];
  }

  /** A call that promises to keep what is there. */
  #promising(file: Known, call: () => unknown): void {
    const { bytes } = file;
    file.attempts.push(bytes);
    call();
    file.promised = bytes;
    file.attempts = [];
    this.states = [new Map(this.names)];
  }

  take(wanted: Step): void {
    const { kernel, names } = this;
    if ('name' in wanted) {
      const from = NAMES[wanted.name] ?? '';
      const file = names.get(from);
      if (wanted.do === 'create') {
        if (file) return;
        const made: Known = { bytes: new Uint8Array(), promised: undefined, attempts: [], hasSpilled: false };
        names.set(from, made);
        this.#named();
        this.#slots.push({ handle: kernel.create([from], 0o644, O_RDWR), file: made });
      } else if (!file) return;
      else if (wanted.do === 'reopen') this.#slots.push({ handle: kernel.open([from], O_RDWR), file });
      else if (!('to' in wanted)) {
        names.delete(from);
        this.#named();
        kernel.request((front, context) => front.unlink(context, 1, from));
      } else {
        const to = NAMES[wanted.to] ?? '';
        if (to === from) return;
        names.delete(from);
        names.set(to, file);
        this.#named();
        kernel.request((front, context) => front.rename(context, 1, from, 1, to, 0));
      }
      return;
    }
    const slot = this.#slot(wanted.slot);
    if (!slot) return;
    const { handle, file } = slot;
    switch (wanted.do) {
      case 'write': {
        const data = pattern(wanted.size, wanted.seed);
        if (data.length === 0) return;
        file.bytes = overwritten(file.bytes, data, wanted.at);
        if (this.#mode === 'write') this.#promising(file, () => kernel.write(handle, wanted.at, data));
        else kernel.write(handle, wanted.at, data);
        return;
      }
      case 'truncate':
        file.bytes = resized(file.bytes, wanted.size);
        kernel.request((front, context) =>
          front.setattr(context, handle.node, { sizeBytes: wanted.size, throughHandle: true }),
        );
        return;
      case 'fsync':
        this.#promising(file, () => kernel.request((front, context) => front.fsync(context, handle.node)));
        return;
      case 'close':
        this.#slots.splice(this.#slots.indexOf(slot), 1);
        // A file that has no name any more is kept by nobody.
        if (this.#mode === 'fsync' || ![...this.names.values()].includes(file)) kernel.close(handle);
        else this.#promising(file, () => kernel.close(handle));
        return;
      case 'spill': {
        const inode = kernel.overlay.inode(handle.node);
        file.hasSpilled = true;
        if (inode && !inode.sealed) kernel.overlay.bytes.spill(inode, 4096 * (wanted.slot % 4));
      }
    }
  }

  /** What is wrong with what a machine found that went down, or undefined. */
  complaint(found: ReadonlyMap<string, Uint8Array>): string | undefined {
    const complaints = this.states.map((names) => complaintAt(names, found));
    return complaints.includes(undefined) ? undefined : complaints.at(-1);
  }
}

function complaintAt(
  names: ReadonlyMap<string, Known>,
  found: ReadonlyMap<string, Uint8Array>,
): string | undefined {
  for (const name of found.keys()) if (!names.has(name)) return `${name} should not be there`;
  for (const [name, { promised, attempts, hasSpilled }] of names) {
    const bytes = found.get(name);
    const allowed = [...(promised ? [promised] : []), ...attempts];
    if (!bytes) {
      if (promised) return `${name} was promised to last, and is gone`;
    } else if (hasSpilled ? allowed.length === 0 : !allowed.some((one) => Buffer.compare(one, bytes) === 0))
      return `${name} has ${bytes.length} bytes that it never had when it was synced`;
  }
  return undefined;
}

function play(mode: Durability, steps: readonly Step[], calls: number, seed: number): void {
  const kernel = new KernelDouble((folder) => new MemoryTree({}, folder, () => {}), 1 << 24);
  let disk: LosingStorage | undefined;
  try {
    kernel.durability = mode;
    kernel.remount();
    disk = new LosingStorage(kernel.folders.state);
    disk.failAfter(calls);
    const program = new Program(kernel, mode);
    try {
      for (const one of steps) program.take(one);
    } catch (error) {
      if (!disk.isDown) throw error;
    }
    let state = seed >>> 0;
    disk.lose((below) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    });
    disk.end();
    rmSync(kernel.folders.memory, { recursive: true });
    for (let start = 0; start < 2; start++) {
      kernel.remount();
      const { names } = kernel.list(1, 0, 100);
      const found = new Map(
        names.map((one) => [one, Uint8Array.from(kernel.read(kernel.open([one], 0), 0, 1 << 20))] as const),
      );
      expect(kernel.damaged).toEqual([]);
      expect(program.complaint(found)).toBeUndefined();
    }
  } finally {
    disk?.end();
    kernel.dispose();
  }
}

describe('a machine that loses power at any call to its disk', () => {
  it.each<Durability>(['fsync', 'close', 'write'])(
    'finds what --durability %s promised, nothing of a file half, and no name that never was',
    (mode) => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 40, size: 'max' }),
          fc.oneof(fc.nat(60), fc.nat(400), fc.constant(1_000_000)),
          fc.nat(),
          (steps, calls, seed) => play(mode, steps, calls + 1, seed),
        ),
        { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 300,
  );

  /** Histories that chance meets too seldom. */
  it.each<[string, Durability, readonly Step[], number]>([
    [
      'a file is synced, cut, synced, and written behind its end',
      'write',
      [
        { do: 'create', name: 0 },
        { do: 'write', slot: 0, at: 0, size: 1, seed: 0 },
        { do: 'truncate', slot: 0, size: 0 },
        { do: 'fsync', slot: 0 },
        { do: 'write', slot: 0, at: 1, size: 1, seed: 0 },
      ],
      1_000_000,
    ],
    [
      'a file that was synced is written and closed while the disk has begun with it',
      'close',
      [
        { do: 'create', name: 0 },
        { do: 'fsync', slot: 0 },
        { do: 'write', slot: 0, at: 0, size: 20_000, seed: 0 },
        { do: 'close', slot: 0 },
      ],
      1_000_000,
    ],
    [
      'the disk has begun with a file that was synced and cut, and that then grows past a hole',
      'close',
      [
        { do: 'create', name: 0 },
        { do: 'write', slot: 0, at: 0, size: 20_001, seed: 0 },
        { do: 'fsync', slot: 0 },
        { do: 'truncate', slot: 0, size: 0 },
        { do: 'write', slot: 0, at: 0, size: 20_000, seed: 0 },
        { do: 'write', slot: 0, at: 20_001, size: 1, seed: 0 },
        { do: 'close', slot: 0 },
      ],
      1_000_000,
    ],
    ...Array.from({ length: 24 }, (_, calls): [string, Durability, readonly Step[], number] => [
      `a file on disk is synced, the power going at call ${calls + 1}`,
      'fsync',
      [
        { do: 'create', name: 0 },
        { do: 'spill', slot: 0 },
        { do: 'write', slot: 0, at: 0, size: 1, seed: 0 },
        { do: 'spill', slot: 1 },
        { do: 'fsync', slot: 0 },
      ],
      calls + 1,
    ]),
  ])('is right when %s', (_what, mode, steps, calls) => play(mode, steps, calls, 0));
});
