import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateCorruptError } from '../../src/core/errors.ts';
import { UNIT_BYTES } from '../../src/core/unit-sums.ts';
import { durableFolder, journalPath } from '../../src/overlay/open-overlay.ts';
import { pattern } from './duel.ts';
import { type DoubleHandle, KernelDouble, Refused } from './kernel-double.ts';
import { MemoryTree } from './memory-tree.ts';

const O_RDWR = 2;
let kernel: KernelDouble;

beforeEach(() => {
  kernel = new KernelDouble((folder) => new MemoryTree({}, folder, () => {}), 16 * UNIT_BYTES);
  kernel.isTolerant = true;
});
afterEach(() => kernel.dispose());

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

const dataPath = ({ node }: DoubleHandle, folder = join(kernel.folders.memory, 'data')): string =>
  join(folder, node.toString(16));
const written = pattern(4 * UNIT_BYTES + 100, 1);

function make(name: string): DoubleHandle {
  const handle = kernel.create([name], 0o644, O_RDWR);
  kernel.write(handle, 0, written);
  return handle;
}

/** The bytes of a stretch, or the errno. */
function read(handle: DoubleHandle, from: number, size: number): Uint8Array | number {
  try {
    return kernel.read(handle, from, size);
  } catch (error) {
    if (error instanceof Refused) return error.errno;
    throw error;
  }
}

/** Only unit 2 of the file is damaged; everything else, and every other file, is there. */
function expectUnitTwoLost(handle: DoubleHandle, other: DoubleHandle): void {
  expect(read(handle, 2 * UNIT_BYTES + 10, 10)).toBe(5);
  expect(read(handle, 0, written.length)).toBe(5);
  expect(read(handle, 0, 2 * UNIT_BYTES)).toEqual(written.subarray(0, 2 * UNIT_BYTES));
  expect(read(handle, 3 * UNIT_BYTES, 9)).toEqual(written.subarray(3 * UNIT_BYTES, 3 * UNIT_BYTES + 9));
  expect(read(other, 0, written.length)).toEqual(written);
}

describe('a bit that flips', () => {
  it('in memory is EIO with the file’s name, not wrong bytes, also for the next daemon, until it is written over', () => {
    const other = make('other');
    const handle = make('a');
    kernel.write(other, 0, written);
    flip(dataPath(handle), 2 * UNIT_BYTES + 5000);
    expectUnitTwoLost(handle, other);
    expect(kernel.reports.at(-1) ?? kernel.lastError).toMatch(
      /a: bytes 131072 to 196608 are not what was written/,
    );
    kernel.resume();
    expectUnitTwoLost(handle, other);
    // Part of it written anew does not make the rest right.
    kernel.write(handle, 2 * UNIT_BYTES, written.subarray(0, 100));
    expect(read(handle, 2 * UNIT_BYTES, 10)).toBe(5);
    kernel.write(handle, 2 * UNIT_BYTES, written.subarray(0, UNIT_BYTES));
    expect(read(handle, 2 * UNIT_BYTES, UNIT_BYTES)).toEqual(written.subarray(0, UNIT_BYTES));
  });

  it('in the part that lies on disk is EIO too', () => {
    const handle = make('a');
    const other = make('other');
    const inode = kernel.overlay.inode(handle.node);
    if (inode) kernel.overlay.bytes.spill(inode, UNIT_BYTES);
    flip(dataPath(handle, join(kernel.folders.state, 'spill')), 2 * UNIT_BYTES + 5000);
    expectUnitTwoLost(handle, other);
    expect(kernel.reports.at(-1)).toMatch(/bytes 131072 to 196608 are not what was written/);
  });

  it('fails fsync rather than being made to last', () => {
    const handle = make('a');
    flip(dataPath(handle), 2 * UNIT_BYTES + 5000);
    expect(() => kernel.request((front, context) => front.fsync(context, handle.node))).toThrow(Refused);
    expect(kernel.reports).toHaveLength(1);
  });

  it('in what was synced is EIO after a power loss', () => {
    const handle = make('a');
    const other = make('other');
    for (const { node } of [handle, other]) kernel.request((front, context) => front.fsync(context, node));
    const [log = ''] = readdirSync(durableFolder(kernel.folders)).sort();
    flip(join(durableFolder(kernel.folders), log), 48 + 5000);
    rmSync(join(kernel.folders.memory, 'data'), { recursive: true });
    rmSync(join(kernel.folders.memory, 'power'));
    kernel.remount();
    expect(kernel.damaged).toEqual([`a: bytes 0 to ${written.length}`]);
    expect(read(kernel.open(['a'], 0), 0, 10)).toBe(5);
    expect(read(kernel.open(['other'], 0), 0, written.length)).toEqual(written);
  });

  it('in the sums themselves is told, and no file is lost by it', () => {
    const handle = make('a');
    flip(join(kernel.folders.memory, 'sums'), 30);
    kernel.resume();
    expect(kernel.damaged).toHaveLength(1);
    expect(read(handle, 0, written.length)).toEqual(written);
  });

  it('in the handle log is told, and costs no more than what that record said', () => {
    const handle = make('a');
    flip(join(kernel.folders.memory, 'handles'), 8);
    kernel.resume();
    expect(kernel.damaged).toHaveLength(1);
    expect(read(handle, 0, written.length)).toEqual(written);
  });

  it('anywhere in the journal is refused: neither skipped nor taken for a torn tail', () => {
    for (const name of ['a', 'b', 'c']) make(name);
    const path = journalPath(kernel.folders);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 31) {
      // What says how long the last record is can't be told from the beginning of a record that was cut off.
      const isLengthOfLast = at >= whole.lastIndexOf('PFJ1') + 4 && at < whole.lastIndexOf('PFJ1') + 8;
      if (isLengthOfLast) continue;
      flip(path, at);
      expect(() => kernel.remount()).toThrow(StateCorruptError);
      writeFileSync(path, whole);
    }
    kernel.remount();
    expect(Uint8Array.from(kernel.read(kernel.open(['c'], 0), 0, written.length))).toEqual(written);
  });
});
