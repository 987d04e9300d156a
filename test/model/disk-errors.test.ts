import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Failure, withFailures } from '../fixtures/failing-storage.ts';
import { LosingStorage } from '../fixtures/losing-storage.ts';
import { pattern } from './duel.ts';
import { type DoubleHandle, KernelDouble, Refused } from './kernel-double.ts';
import { MemoryTree } from './memory-tree.ts';

const O_RDWR = 2;
const BUDGET_BYTES = 64 * 1024;
let kernel: KernelDouble;

beforeEach(() => {
  kernel = new KernelDouble((folder) => new MemoryTree({}, folder, () => {}), BUDGET_BYTES);
  kernel.isTolerant = true;
});
afterEach(() => kernel.dispose());

const fsync = ({ node }: DoubleHandle): unknown =>
  kernel.request((front, context) => front.fsync(context, node));
const errnoOf = (work: () => unknown): number => {
  try {
    work();
    return 0;
  } catch (error) {
    if (error instanceof Refused) return error.errno;
    throw error;
  }
};

/** All died, and memory with it. */
function losePower(): void {
  rmSync(join(kernel.folders.memory, 'data'), { recursive: true });
  rmSync(join(kernel.folders.memory, 'power'));
  kernel.remount();
}
const read = (name: string): Uint8Array => kernel.read(kernel.open([name], 0), 0, 1 << 20);

const later = pattern(3000, 2);

describe('a disk that refuses what the kernel writes to it by itself', () => {
  it.each([
    ['of a log that was begun ahead of a close', 'close', 30_000, 'durable/'],
    ['of a file that has gone to disk', 'fsync', 3 * BUDGET_BYTES, 'spill/'],
  ] as const)(
    'is told at the next fsync, and what is safe after the one after that is: %s',
    (_, mode, size, part) => {
      kernel.durability = mode;
      kernel.remount();
      const disk = new LosingStorage(kernel.folders.state);
      try {
        const handle = kernel.create(['a'], 0o644, O_RDWR);
        const bytes = pattern(size, 3);
        kernel.write(handle, 0, bytes);
        // Somebody waits for the disk, which has begun with the file before.
        const other = kernel.create(['b'], 0o644, O_RDWR);
        kernel.write(other, 0, later);
        fsync(other);
        expect(disk.refuseWriteOut(part)).toBeGreaterThan(0);
        expect(errnoOf(() => fsync(handle))).toBe(5);
        expect(errnoOf(() => fsync(handle))).toBe(0);
        disk.lose(() => 1);
        disk.end();
        rmSync(kernel.folders.memory, { recursive: true });
        kernel.remount();
        expect(Buffer.compare(read('a'), bytes)).toBe(0);
        expect(kernel.damaged).toEqual([]);
      } finally {
        disk.end();
      }
    },
  );
});

describe('an error from the disk', () => {
  const file = pattern(20_000, 1);

  it.each<[string, Failure, number]>([
    ['a log that can’t be begun', { call: 'open', part: 'durable/', code: 'ENOSPC' }, 28],
    ['a log that can’t be written', { call: 'write', part: 'durable/', code: 'EIO' }, 5],
    ['a quota that is used up', { call: 'write', part: 'durable/', code: 'EDQUOT', nth: 2 }, 122],
    ['a log that can’t be synced', { call: 'syncData', part: 'durable/', code: 'EIO' }, 5],
    ['a folder that can’t be synced', { call: 'sync', part: 'durable', code: 'EIO' }, 5],
    ['a journal that can’t be synced', { call: 'syncData', part: 'journal', code: 'EIO' }, 5],
  ])('reaches the program at fsync: %s; the next fsync makes it good', (_what, failure, errno) => {
    const handle = kernel.create(['a'], 0o644, O_RDWR);
    kernel.write(handle, 0, file);
    expect(withFailures([failure], () => expect(errnoOf(() => fsync(handle))).toBe(errno))).toBe(1);
    expect(kernel.reports).toHaveLength(1);
    kernel.write(handle, 10_000, later);
    fsync(handle);
    kernel.close(handle);
    losePower();
    expect(kernel.lost).toEqual([]);
    const expected = Uint8Array.from(file);
    expected.set(later, 10_000);
    expect(Buffer.compare(read('a'), expected)).toBe(0);
  });

  it('takes nothing with it that had been synced before', () => {
    const handle = kernel.create(['a'], 0o644, O_RDWR);
    kernel.write(handle, 0, file);
    fsync(handle);
    kernel.write(handle, 0, later);
    withFailures([{ call: 'syncData', part: 'durable/', code: 'EIO' }], () => errnoOf(() => fsync(handle)));
    losePower();
    expect([...read('a').subarray(3000)]).toEqual([...file.subarray(3000)]);
  });

  it('is not forgotten: a journal that could not be synced is written anew, and only then said to be safe', () => {
    const handle = kernel.create(['a'], 0o644, O_RDWR);
    const failing: Failure[] = [
      { call: 'syncData', part: 'journal', code: 'EIO' },
      { call: 'sync', part: 'journal.new', code: 'EIO' },
    ];
    expect(
      withFailures(failing, () => {
        expect(errnoOf(() => fsync(handle))).toBe(5);
        expect(errnoOf(() => fsync(handle))).toBe(5);
        fsync(handle);
      }),
    ).toBe(2);
  });

  it('at a change of names is told at once, and nothing has changed', () => {
    kernel.create(['a'], 0o644, O_RDWR);
    for (const code of ['ENOSPC', 'EIO'] as const)
      withFailures([{ call: 'write', part: 'journal', code }], () =>
        expect(errnoOf(() => kernel.create([`b${code}`], 0o644, O_RDWR))).toBe(code === 'EIO' ? 5 : 28),
      );
    const half: Failure[] = [
      { call: 'write', part: 'journal', code: 'SHORT' },
      { call: 'write', part: 'journal', code: 'EIO' },
      { call: 'truncate', part: 'journal', code: 'EIO' },
    ];
    withFailures(half, () => expect(errnoOf(() => kernel.create(['c'], 0o644, O_RDWR))).toBe(5));
    kernel.create(['d'], 0o644, O_RDWR);
    kernel.remount();
    const { names } = kernel.list(1, 0, 100);
    expect(names.sort()).toEqual(['a', 'd']);
  });

  it('where written bytes go reaches the write; short writes are taken up again', () => {
    const handle = kernel.create(['a'], 0o644, O_RDWR);
    const big = pattern(3 * BUDGET_BYTES, 4);
    withFailures([{ call: 'write', part: 'spill', code: 'EIO' }], () =>
      expect(errnoOf(() => kernel.write(handle, 0, big))).toBe(5),
    );
    withFailures([{ call: 'write', part: '', code: 'SHORT', times: 5 }], () => {
      expect(kernel.write(handle, 0, big)).toBe(big.length);
      fsync(handle);
    });
    kernel.close(handle);
    expect(Buffer.compare(read('a'), big)).toBe(0);
    losePower();
    expect(Buffer.compare(read('a'), big)).toBe(0);
  });
});
