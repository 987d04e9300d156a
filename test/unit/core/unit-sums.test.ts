import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedSum, crcOfUnits, damagedUnit, UNIT_BYTES, unitSum } from '../../../src/core/unit-sums.ts';

const noise = (size: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => Math.imul(i + seed, 2_654_435_761) >>> 23);

describe('the checksum of a stretch of 64 KiB', () => {
  it('follows from the sum before and what was replaced, and a file that grows by zeros keeps it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(UNIT_BYTES - 1), size: fc.nat(9000), seed: fc.nat(1000) }), {
          maxLength: 8,
        }),
        (writes) => {
          const unit = new Uint8Array(UNIT_BYTES);
          let sum = 0;
          for (const { at, size, seed } of writes) {
            const data = seed === 0 ? undefined : noise(Math.min(size, UNIT_BYTES - at), seed);
            const sizeBytes = data?.length ?? Math.min(size, UNIT_BYTES - at);
            sum = changedSum(sum, at, sizeBytes, unit.slice(at, at + sizeBytes), data);
            unit.set(data ?? new Uint8Array(sizeBytes), at);
          }
          const end = unit.findLastIndex((byte) => byte !== 0) + 1;
          expect(sum).toBe(unitSum(unit));
          expect(sum).toBe(unitSum(unit.subarray(0, end)));
        },
      ),
    );
  });

  it('tells the CRC-32 of units one after another', () => {
    for (const count of [0, 1, 2, 16, 17]) {
      const bytes = noise(count * UNIT_BYTES, count);
      const sums = Uint32Array.from({ length: count }, (_, i) =>
        unitSum(bytes.subarray(i * UNIT_BYTES, (i + 1) * UNIT_BYTES)),
      );
      expect(crcOfUnits(sums)).toBe(crc32(bytes));
    }
  });

  it('finds the unit of a file that is not what was written, wherever the read begins and ends', () => {
    const bytes = noise(3 * UNIT_BYTES + 500, 7);
    const sums = Uint32Array.from({ length: 4 }, (_, i) =>
      unitSum(bytes.subarray(i * UNIT_BYTES, (i + 1) * UNIT_BYTES)),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(bytes.length - 1), fc.nat(7), (flip, from, bit) => {
        const damaged = Uint8Array.from(bytes);
        damaged[flip] = (damaged[flip] ?? 0) ^ (1 << bit);
        const read = (at: number, into: Uint8Array): void => into.set(damaged.subarray(at, at + into.length));
        const firstUnit = Math.floor(from / UNIT_BYTES);
        const found = damagedUnit(
          { firstUnit, sums: sums.subarray(firstUnit) },
          damaged.subarray(from),
          from,
          damaged.length,
          read,
        );
        const unit = Math.floor(flip / UNIT_BYTES);
        expect(found).toBe(unit >= firstUnit ? unit : undefined);
      }),
    );
  });
});
