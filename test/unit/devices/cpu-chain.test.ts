import { afterEach, describe, expect, it, vi } from 'vitest';
import type { NdArray } from '../../../src/core/nd-array.ts';
import { runChain } from '../../../src/devices/shared/cpu-chain.ts';
import { KERNELS } from '../../../src/devices/shared/kernels.ts';

const input = (): NdArray => ({ dtype: 'uint16', shape: [16, 16], data: new Uint16Array(256).fill(7) });
const isHeld = ({ data }: NdArray): boolean => data.length > 0;

/** Counts, at each step of a chain, the results of earlier steps that are still in memory. */
function watched(): { readonly made: NdArray[]; readonly heldBefore: number[] } {
  const made: NdArray[] = [];
  const heldBefore: number[] = [];
  for (const operation of ['gaussian', 'median', 'otsu', 'threshold', 'label'] as const) {
    const kernel = KERNELS[operation];
    vi.spyOn(KERNELS as Record<string, NonNullable<typeof kernel>>, operation).mockImplementation(
      (...args) => {
        heldBefore.push(made.filter(isHeld).length);
        const result = kernel?.(...args) ?? {};
        if (result.array) made.push(result.array);
        return result;
      },
    );
  }
  return { made, heldBefore };
}

const steps = (...kept: readonly number[]) => [
  { operation: 'gaussian', params: { sigma: 1 }, keep: kept.includes(0) },
  { operation: 'median', params: { shape: 'box', radius: 1 }, keep: kept.includes(1) },
  { operation: 'otsu', params: {}, keep: kept.includes(2) },
  { operation: 'label', params: { connectivity: 8 }, keep: kept.includes(3) },
];

describe('intermediate results of a chain', () => {
  afterEach(() => vi.restoreAllMocks());

  it('are one at a time, and none when it is done: there is nothing that memory could be taken from', () => {
    const { made, heldBefore } = watched();
    const results = runChain({ input: input(), steps: steps(3) });
    expect(heldBefore).toEqual([0, 1, 1, 1]);
    expect(made.filter(isHeld)).toEqual([results[3]?.array]);
  });

  it('are what is asked for and no more, where results of steps are wanted', () => {
    const { made } = watched();
    const results = runChain({ input: input(), steps: steps(1) });
    expect(made.filter(isHeld)).toEqual([results[1]?.array]);
    expect(results[1]?.array?.data.length).toBe(256);
  });

  it('are gone when a step fails', () => {
    const { made } = watched();
    const chain = [...steps().slice(0, 2), { operation: 'no such one', params: {}, keep: true }];
    expect(() => runChain({ input: input(), steps: chain })).toThrow(/no such one/);
    expect(made.filter(isHeld)).toEqual([]);
  });

  it('are never what somebody else has: a step that gives back what it was given takes nothing away', () => {
    vi.spyOn(
      KERNELS as Record<string, NonNullable<(typeof KERNELS)[string]>>,
      'threshold',
    ).mockImplementation((array) => ({ array }));
    const plane = input();
    const threshold = { operation: 'threshold', params: {}, keep: false };
    const [first] = runChain({ input: plane, steps: [{ ...threshold, keep: true }, threshold, threshold] });
    expect(first?.array?.data.length).toBe(256);
    expect(plane.data.length).toBe(256);
  });
});
