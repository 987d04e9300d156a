import { describe, expect, it } from 'vitest';
import { WholeReads } from '../../../src/daemon/whole-reads.ts';

const MIB = 2 ** 20;

function watching(sizes: Readonly<Record<number, number>>): { reads: WholeReads; whole: number[] } {
  const whole: number[] = [];
  const reads = new WholeReads({
    sizeOf: (node) => sizes[node],
    limitBytes: 16 * MIB,
    onWhole: (node) => void whole.push(node),
  });
  return { reads, whole };
}

describe('files that are read whole', () => {
  it('are told once all of them was asked for, in whatever order, and again when they are read again', () => {
    const { reads, whole } = watching({ 1: 4 * MIB, 2: 4 * MIB });
    for (const at of [3, 0, 2]) reads.noted(1, at * MIB, MIB);
    reads.noted(2, 0, MIB);
    expect(whole).toEqual([]);
    reads.noted(1, MIB, MIB);
    expect(whole).toEqual([1]);
    reads.noted(1, 0, 4 * MIB);
    expect(whole).toEqual([1, 1]);
  });

  it('are none of which the same part is read over and over, nor small, huge or unknown ones', () => {
    const { reads, whole } = watching({ 1: 4 * MIB, 2: MIB / 2, 3: 17 * MIB });
    for (let i = 0; i < 100; i++) reads.noted(1, 0, 2 * MIB);
    for (const node of [2, 3, 4]) reads.noted(node, 0, 32 * MIB);
    expect(whole).toEqual([]);
  });

  it('may lack a little at the end', () => {
    const { reads, whole } = watching({ 1: 8 * MIB });
    reads.noted(1, 0, 8 * MIB - 200_000);
    expect(whole).toEqual([1]);
  });
});
