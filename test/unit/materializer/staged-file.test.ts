import { closeSync, fstatSync, ftruncateSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createStaged, writeSparsely, writeStaged } from '../../../src/materializer/staged-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-staged-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function written(pieces: readonly Buffer[]): { bytes: Buffer; allocatedBytes: number } {
  const path = join(folder, 'file');
  const descriptor = createStaged(path);
  try {
    let at = 0;
    for (const piece of pieces) {
      writeSparsely(descriptor, piece, at);
      at += piece.length;
    }
    ftruncateSync(descriptor, at);
    return { bytes: readFileSync(path), allocatedBytes: fstatSync(descriptor).blocks * 512 };
  } finally {
    closeSync(descriptor);
  }
}

describe('a staged file', () => {
  it('holds the bytes it was given, whatever runs of zeros are in them', () => {
    const run = fc.record({ value: fc.constantFrom(0, 0, 7), length: fc.integer({ min: 0, max: 150_000 }) });
    fc.assert(
      fc.property(fc.array(fc.array(run, { maxLength: 4 }), { maxLength: 3 }), (runs) => {
        const pieces = runs.map((piece) =>
          Buffer.concat(piece.map(({ value, length }) => Buffer.alloc(length, value))),
        );
        expect(written(pieces).bytes.equals(Buffer.concat(pieces))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('takes no room on disk for zeros', () => {
    const { bytes, allocatedBytes } = written([Buffer.alloc(8 << 20), Buffer.from('end')]);
    expect(bytes.length).toBe((8 << 20) + 3);
    expect(allocatedBytes).toBeLessThan(1 << 20);
  });

  it('has its folder made again when that is gone since the last one', () => {
    const path = join(folder, 'a', 'b', 'c', 'file');
    writeStaged(path, Buffer.from('one'));
    rmSync(join(folder, 'a'), { recursive: true });
    writeStaged(path, Buffer.from('two'));
    expect(readFileSync(path, 'utf8')).toBe('two');
  });
});
