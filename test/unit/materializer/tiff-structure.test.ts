import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadTiffError } from '../../../src/core/errors.ts';
import { planImage } from '../../../src/materializer/image-plan.ts';
import { readTiffFacts } from '../../../src/materializer/tiff-facts.ts';
import { readTiffStructure, type TiffStructure } from '../../../src/materializer/tiff-structure.ts';
import { smallTiff } from '../../interop/landing/small-tiff.ts';

function structureOf(bytes: Buffer): TiffStructure {
  return readTiffStructure({
    path: 'x.tif',
    sizeBytes: bytes.length,
    read: (offset, target) => {
      if (offset + target.length > bytes.length) throw new RangeError('past the end');
      target.set(bytes.subarray(offset, offset + target.length));
    },
  });
}

describe('the structure of a TIFF', () => {
  it('is read or refused by name, whatever the damage', () => {
    const base = smallTiff(16, 12, 1);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(180), fc.nat(255)), { maxLength: 8 }),
        fc.nat(base.length),
        (damage, length) => {
          const bytes = Buffer.from(base.subarray(0, length));
          for (const [at, value] of damage) if (at < length) bytes[at] = value;
          try {
            const plan = planImage(structureOf(bytes));
            expect(['string', 'object']).toContain(typeof plan);
          } catch (error) {
            expect(error).toBeInstanceOf(BadTiffError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('of pages that form a loop is refused', () => {
    const bytes = smallTiff(4, 4, 1);
    bytes.writeUInt32LE(8, 8 + 2 + 10 * 12);
    expect(() => structureOf(bytes)).toThrow(/loop/);
  });
});

const IX = resolve(import.meta.dirname, '../../../../shared/data/ix-exported-3434');
const planes = (() => {
  try {
    return readdirSync(IX, { recursive: true, encoding: 'utf8' }).filter((name) => /\.TIF$/.test(name));
  } catch {
    return [];
  }
})();

it.skipIf(planes.length === 0)('MetaMorph says pixel size and channel (needs ../shared/data)', () => {
  const [page] = structureOf(readFileSync(join(IX, planes[0] ?? ''))).pages;
  const facts = page && readTiffFacts(page);
  expect(facts?.pixelSizeUm?.x).toBeCloseTo(1.3672, 4);
  expect(facts?.channelName).toBeTruthy();
});

it('a size is never guessed from a printer’s resolution', () => {
  const [page] = structureOf(smallTiff(4, 4, 1)).pages;
  if (!page) throw new Error('no page');
  expect(readTiffFacts({ ...page, xResolution: 72, yResolution: 72, resolutionUnit: 2 })).toEqual({});
  expect(readTiffFacts({ ...page, xResolution: 20_000, yResolution: 10_000, resolutionUnit: 3 })).toEqual({
    pixelSizeUm: { x: 0.5, y: 1 },
  });
});
