import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { placementLimits } from '../../../src/overlay/file-placement.ts';
import { KernelDouble } from '../../model/kernel-double.ts';
import { MemoryTree } from '../../model/memory-tree.ts';

const MIB = 2 ** 20;
const O_RDWR = 2;
const BUDGET = 128 * MIB;

const kernel = (): KernelDouble =>
  new KernelDouble(
    (folder) => new MemoryTree({}, folder, (path, bytes) => writeFileSync(path, bytes)),
    BUDGET,
  );

const block = (number: number): Buffer => Buffer.alloc(MIB, number + 1);

describe('where files go while they are written', () => {
  it('limits follow from the budget where nothing is said, and a small file is never larger than a large one', () => {
    expect(placementLimits(4096 * MIB)).toEqual({ smallBytes: 16 * MIB, largeBytes: 512 * MIB });
    expect(placementLimits(BUDGET)).toEqual({ smallBytes: 16 * MIB, largeBytes: 64 * MIB });
    expect(placementLimits(BUDGET, { largeFileBytes: MIB })).toEqual({ smallBytes: MIB, largeBytes: MIB });
  });

  it('a large file goes to disk, what it began with follows, and every byte of it is read back', () => {
    const double = kernel();
    try {
      const file = double.create(['large.bin'], 0o644, O_RDWR);
      for (let number = 0; number < 100; number++) {
        double.write(file, number * MIB, block(number));
        expect(double.overlay.store.reservedBytes).toBeLessThanOrEqual(64 * MIB);
        if (number === 63) expect(double.overlay.store.reservedBytes).toBe(64 * MIB);
      }
      expect(double.overlay.store.reservedBytes).toBe(4096);
      expect(double.overlay.inode(file.node)?.splitAt).toBe(4096);
      for (let number = 0; number < 100; number++)
        expect(Buffer.compare(double.read(file, number * MIB, MIB), block(number))).toBe(0);
    } finally {
      double.dispose();
    }
  });

  it('above the high mark only small files stay in memory', () => {
    const double = kernel();
    try {
      for (let number = 0; number < 5; number++) {
        const file = double.create([`${number}.bin`], 0o644, O_RDWR);
        for (let part = 0; part < 20; part++) double.write(file, part * MIB, block(part));
      }
      const { store } = double.overlay;
      expect(store.reservedBytes).toBe(100 * MIB);
      const medium = double.create(['medium.bin'], 0o644, O_RDWR);
      for (let part = 0; part < 20; part++) double.write(medium, part * MIB, block(part));
      expect(double.overlay.inode(medium.node)?.splitAt).toBe(16 * MIB);
      expect(store.reservedBytes).toBe(116 * MIB);
      const small = double.create(['small.bin'], 0o644, O_RDWR);
      for (let part = 0; part < 6; part++) double.write(small, part * MIB, block(part));
      expect(double.overlay.inode(small.node)?.splitAt).toBe(Number.POSITIVE_INFINITY);
    } finally {
      double.dispose();
    }
  });
});
