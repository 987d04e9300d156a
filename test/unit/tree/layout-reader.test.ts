import { mkdtempSync, readSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { BytePipe } from '../../../src/core/byte-pipe.ts';
import { SourceChangedError, UnreadableSourceError } from '../../../src/core/errors.ts';
import type { Region } from '../../../src/core/region.ts';
import type { FileLayout, Segment } from '../../../src/encoders.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import type { ByteWindow } from '../../../src/sources.ts';
import { LayoutReader, type PixelAccess } from '../../../src/tree/layout-reader.ts';
import { SourceFiles } from '../../../src/tree/source-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-layout-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const HEADER = Uint8Array.from({ length: 10 }, (_, i) => i);
const PLANE_BYTES = 24;
const PLANES = 5;

/** A header of ten bytes and five planes of 4 × 6 bytes. */
const layout: FileLayout = {
  sizeBytes: HEADER.length + PLANES * PLANE_BYTES,
  segments(offset, size) {
    const all: Segment[] = [{ kind: 'bytes', offsetBytes: 0, bytes: HEADER }];
    for (let z = 0; z < PLANES; z++) {
      const region = { start: [0, 0, z, 0, 0], shape: [1, 1, 1, 4, 6] };
      all.push({ kind: 'pixels', offsetBytes: 10 + z * PLANE_BYTES, sizeBytes: PLANE_BYTES, region });
    }
    const end = (s: Segment) => s.offsetBytes + (s.kind === 'bytes' ? s.bytes.length : s.sizeBytes);
    return all.filter((s) => s.offsetBytes < offset + size && end(s) > offset);
  },
};
const pixel = (z: number, i: number): number => 100 + z * 24 + i;
const whole = Buffer.concat([
  HEADER,
  Buffer.from(Array.from({ length: PLANES * PLANE_BYTES }, (_, i) => pixel(0, i) & 255)),
]);

const sourcePath = join(folder, 'source.bin');
const fresh = (): void => writeFileSync(sourcePath, Buffer.concat([Buffer.alloc(7), whole.subarray(10)]));

/** Reads with planes for which `verbatim` says yes served from a file; counts what is decoded. */
function reader(limitBytes: number, verbatim: (z: number) => boolean, file = layout) {
  const decoded: number[] = [];
  const planes = new ByteCache(limitBytes);
  const files = new SourceFiles(2);
  const zOf = (region: Region): number => region.start[2] ?? 0;
  const made = new LayoutReader({
    layout: file,
    cacheKey: 'a',
    planes,
    files,
    pixels: {
      window: (region): ByteWindow | undefined =>
        verbatim(zOf(region))
          ? { path: sourcePath, offsetBytes: 7 + zOf(region) * PLANE_BYTES, sizeBytes: PLANE_BYTES }
          : undefined,
      readPixels: (region, target) => {
        decoded.push(zOf(region));
        for (let i = 0; i < target.length; i++) target[i] = pixel(zOf(region), i);
      },
    },
  });
  return { made, decoded, planes, files };
}

/** A pipe that takes `stepBytes` of a file at a time. */
class Poured implements BytePipe {
  pieces = 0;
  readonly #parts: Uint8Array[] = [];
  readonly #stepBytes: number;
  #left = 0;

  constructor(stepBytes: number) {
    this.#stepBytes = stepBytes;
  }

  all(): Buffer {
    return Buffer.concat(this.#parts);
  }

  bytes(bytes: Uint8Array): boolean {
    this.pieces++;
    this.#parts.push(bytes);
    return true;
  }

  file(fd: number, offsetBytes: number, sizeBytes: number): number {
    if (this.#left === 0) {
      this.pieces++;
      this.#left = sizeBytes;
    }
    const part = Buffer.alloc(Math.min(this.#stepBytes, sizeBytes));
    const got = readSync(fd, part, 0, part.length, offsetBytes);
    this.#parts.push(part.subarray(0, got));
    this.#left -= got;
    return got;
  }
}

describe('layout reader', () => {
  it('fills any range, wherever it cuts planes, from windows and decoded planes alike', () => {
    fresh();
    fc.assert(
      fc.property(fc.nat(200), fc.nat(200), fc.nat(100), fc.nat(31), (offset, length, limit, mask) => {
        const { made, files } = reader(limit, (z) => ((mask >> z) & 1) === 1);
        using _ = files;
        const target = new Uint8Array(length).fill(255);
        const got = made.read(offset, target);
        const expected = whole.subarray(offset, offset + length);
        expect(got).toBe(expected.length);
        expect(Buffer.compare(target.subarray(0, got), expected)).toBe(0);
      }),
    );
  });

  it('gives the same bytes to a pipe, where none has to be decoded', () => {
    fresh();
    fc.assert(
      fc.property(fc.nat(200), fc.nat(200), fc.nat(31), (offset, length, mask) => {
        const verbatim = (z: number): boolean => ((mask >> z) & 1) === 1;
        const { made, files, decoded } = reader(0, verbatim);
        using _ = files;
        const expected = whole.subarray(offset, offset + length);
        const body = made.pourable(offset, length);
        const touched = Array.from({ length: PLANES }, (_, z) => z).filter(
          (z) => offset < 10 + (z + 1) * PLANE_BYTES && offset + length > 10 + z * PLANE_BYTES && length > 0,
        );
        expect(body !== undefined).toBe(expected.length > 0 && touched.every(verbatim));
        if (body === undefined) return;
        expect(body.sizeBytes).toBe(expected.length);
        const poured = new Poured(7);
        expect(body.pourInto(poured)).toBe(true);
        expect(Buffer.compare(poured.all(), expected)).toBe(0);
        expect(poured.pieces).toBe(body.pieces);
        expect(decoded).toEqual([]);
      }),
    );
  });

  it('never decodes a plane outside the range, and one cut into pieces only once', () => {
    const { made, decoded } = reader(1000, () => false);
    made.read(10 + 24, new Uint8Array(24));
    expect(decoded).toEqual([1]);
    for (let at = 10 + 48; at < 10 + 72; at += 5) made.read(at, new Uint8Array(Math.min(5, 82 - at)));
    expect(decoded).toEqual([1, 2]);
    made.read(0, new Uint8Array(10));
    expect(decoded).toEqual([1, 2]);
  });

  it('makes what is made of pixels once, verbatim ones and decoded ones alike', () => {
    fresh();
    let derived = 0;
    const sums: FileLayout = {
      sizeBytes: 2,
      segments: () => [
        {
          kind: 'derived',
          offsetBytes: 0,
          sizeBytes: 2,
          region: { start: [0, 0, 0, 0, 0], shape: [1, 1, 2, 4, 6] },
          derive(read) {
            derived += 1;
            const plane = new Uint8Array(PLANE_BYTES);
            return Uint8Array.from([0, 1], (z) => {
              read({ start: [0, 0, z, 0, 0], shape: [1, 1, 1, 4, 6] }, plane);
              return plane[3] ?? 0;
            });
          },
        },
      ],
    };
    const { made, decoded, files } = reader(1000, (z) => z === 1, sums);
    const target = new Uint8Array(1);
    expect(made.read(1, target)).toBe(1);
    expect(target[0]).toBe(pixel(1, 3));
    made.read(0, target);
    expect(target[0]).toBe(pixel(0, 3));
    expect([derived, decoded]).toEqual([1, [0]]);
    expect(made.pourable(0, 2)).toBeUndefined();
    files[Symbol.dispose]();
  });

  it('makes a piece of rows, where planes can be had whole only, and anew when their pixels changed', () => {
    fresh();
    let version = 'one';
    const rows: FileLayout = {
      sizeBytes: 4,
      segments: () => [
        {
          kind: 'derived',
          offsetBytes: 0,
          sizeBytes: 4,
          region: { start: [0, 0, 2, 0, 0], shape: [1, 1, 1, 4, 6] },
          derive: (read) =>
            Uint8Array.from([0, 1, 2, 3], (y) => {
              const row = new Uint8Array(6);
              read({ start: [0, 0, 2, y, 0], shape: [1, 1, 1, 1, 6] }, row);
              return row[5] ?? 0;
            }),
        },
      ],
    };
    const last = Uint8Array.from([5, 11, 17, 23], (i) => pixel(2, i));
    const window = { path: sourcePath, offsetBytes: 7 + 2 * PLANE_BYTES, sizeBytes: PLANE_BYTES };
    const whole: Region[] = [];
    const boxes: number[] = [];
    const kinds: Record<string, Pick<PixelAccess, 'window' | 'parts'>> = {
      verbatim: { window: () => window },
      parts: {
        parts: () => ({
          key: `plane ${version}`,
          height: 4,
          width: 6,
          itemBytes: 1,
          readBox: ({ y, x, height, width }, into) => {
            expect([x, height, width]).toEqual([0, 1, 6]);
            boxes.push(y);
            for (let i = 0; i < 6; i += 1) into[i] = pixel(2, y * 6 + i);
          },
        }),
      },
      zeros: { parts: () => 'zeros' },
      decoded: {},
    };
    for (const [kind, access] of Object.entries(kinds)) {
      const files = new SourceFiles(2);
      using _ = files;
      const made = new LayoutReader({
        layout: rows,
        cacheKey: kind,
        planes: new ByteCache(1000),
        files,
        pixels: {
          planeHeight: 4,
          version: () => version,
          readPixels: (region, target) => {
            whole.push(region);
            for (let i = 0; i < target.length; i += 1) target[i] = pixel(2, i);
          },
          ...access,
        },
      });
      const target = new Uint8Array(4);
      made.read(0, target);
      made.read(0, target);
      expect([kind, target]).toEqual([kind, kind === 'zeros' ? new Uint8Array(4) : last]);
      if (kind !== 'decoded') continue;
      version = 'two';
      made.read(0, target);
    }
    expect(boxes).toEqual([0, 1, 2, 3]);
    const plane = { start: [0, 0, 2, 0, 0], shape: [1, 1, 1, 4, 6] };
    expect(whole).toEqual([plane, plane]);
  });

  it('refuses a piece of another size than the layout promises', () => {
    const wrong: FileLayout = {
      sizeBytes: 4,
      segments: () => [
        {
          kind: 'derived',
          offsetBytes: 0,
          sizeBytes: 4,
          region: { start: [0, 0, 0, 0, 0], shape: [1, 1, 1, 4, 6] },
          derive: () => new Uint8Array(3),
        },
      ],
    };
    expect(() => reader(1000, () => false, wrong).made.read(0, new Uint8Array(4))).toThrow('3 bytes');
  });

  it('says so when a source has shrunk or gone, and serves nothing in its place', () => {
    fresh();
    const { made, files } = reader(100, () => true);
    made.read(0, new Uint8Array(50));
    truncateSync(sourcePath, 20);
    expect(() => made.read(0, new Uint8Array(200))).toThrow(SourceChangedError);
    expect(() => made.pourable(0, 200)?.pourInto(new Poured(100))).toThrow(SourceChangedError);
    rmSync(sourcePath);
    files.forget(sourcePath);
    expect(() => made.read(0, new Uint8Array(50))).toThrow(UnreadableSourceError);
    files[Symbol.dispose]();
  });
});
