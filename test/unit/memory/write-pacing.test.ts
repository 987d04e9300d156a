import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritePacer } from '../../../src/memory/write-pacing.ts';

const MIB = 2 ** 20;
/** The high mark is at 80 MiB. */
const BUDGET = 100 * MIB;
const inMemory = { memoryBytes: MIB, diskBytes: 0 };

describe('writers that are slowed down', () => {
  it('nobody waits below the marks', () => {
    const pacer = new WritePacer();
    for (let written = 0; written < 80; written++)
      expect(pacer.wait(inMemory, written * MIB, BUDGET)).toBe(0);
    pacer.spilled(60 * MIB);
    expect(pacer.wait({ memoryBytes: 0, diskBytes: MIB }, 0, BUDGET)).toBe(0);
  });

  it('each byte waits the longer the less room is left, and no write longer than a quarter of a second', () => {
    const waits = [85, 90, 95, 100, 200].map((held) => new WritePacer().wait(inMemory, held * MIB, BUDGET));
    expect(waits).toEqual(waits.toSorted((one, other) => one - other));
    expect(waits[0]).toBeGreaterThan(5);
    expect(waits[3]).toBe(200);
    expect(waits[4]).toBe(200);
    expect(new WritePacer().wait({ memoryBytes: 64 * MIB, diskBytes: 0 }, BUDGET, BUDGET)).toBe(250);
  });

  it('what goes to disk waits for the disk, not for memory', () => {
    const pacer = new WritePacer();
    const toDisk = { memoryBytes: 0, diskBytes: MIB };
    expect(pacer.wait(toDisk, BUDGET, BUDGET)).toBe(0);
    pacer.spilled(128 * MIB);
    expect(pacer.wait(toDisk, 0, BUDGET)).toBe(200);
    pacer.flushed(128 * MIB);
    expect(pacer.wait(toDisk, 0, BUDGET)).toBe(0);
  });

  it('many small writes wait as long as few large ones', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 82, max: 100 }),
        fc.constantFrom(4096, 65_536, MIB),
        (held, stepBytes) => {
          const pacer = new WritePacer();
          const large = new WritePacer().wait(inMemory, held * MIB, BUDGET);
          let waited = 0;
          for (let at = 0; at < 16 * MIB; at += stepBytes) {
            const wait = pacer.wait({ memoryBytes: stepBytes, diskBytes: 0 }, held * MIB, BUDGET);
            expect(wait === 0 || wait >= 2).toBe(true);
            waited += wait;
          }
          expect(Math.abs(waited - 16 * large)).toBeLessThanOrEqual(2 + 16 * 2);
        },
      ),
    );
  });

  it('room settles where as much goes as comes', () => {
    const pacer = new WritePacer();
    const drainMibPerMs = 0.05;
    let [heldMib, nowMs] = [0, 0];
    for (let written = 0; written < 4000; written++) {
      heldMib += 1;
      const waitMs = 1 + pacer.wait(inMemory, heldMib * MIB, BUDGET);
      nowMs += waitMs;
      heldMib = Math.max(0, heldMib - waitMs * drainMibPerMs);
    }
    expect(heldMib).toBeGreaterThan(80);
    expect(heldMib).toBeLessThan(95);
    expect(4000 / nowMs).toBeCloseTo(drainMibPerMs, 1);
  });
});
