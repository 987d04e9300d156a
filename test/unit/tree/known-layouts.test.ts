import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import imagejTiff from '../../../src/encoders/imagej-tiff.ts';
import omeTiff from '../../../src/encoders/ome-tiff.ts';
import png from '../../../src/encoders/png.ts';
import type { FileLayout, ImageEncoder } from '../../../src/encoders.ts';
import type { ImageInfo } from '../../../src/model/image.ts';
import { KnownLayouts } from '../../../src/tree/known-layouts.ts';
import { VirtualFile } from '../../conformance/virtual-file.ts';

const NODE = 7;
const imageOf = (planes: number, side: number): ImageInfo => ({
  name: 'A01_s001',
  shape: [1, 1, planes, side, side],
  dtype: 'uint16',
  channels: [{ name: 'DAPI' }],
});

function filled(known: KnownLayouts, offsetBytes: number, sizeBytes: number): Uint8Array | undefined {
  const target = new Uint8Array(sizeBytes).fill(0xee);
  const bytes = known.readLiteral(NODE, offsetBytes, target);
  return bytes === undefined ? undefined : target.subarray(0, bytes);
}

describe('known layouts', () => {
  it('answer exactly the ranges in which no pixel lies, with the bytes of the file', () => {
    const encoders: readonly ImageEncoder[] = [imagejTiff, omeTiff];
    fc.assert(
      fc.property(
        fc.constantFrom(...encoders),
        fc.integer({ min: 1, max: 200 }),
        fc.nat(100_000),
        fc.integer({ min: 1, max: 40_000 }),
        (encoder, planes, at, sizeBytes) => {
          const layout = encoder.layout(imageOf(planes, 16));
          let isTouched = false;
          using file = new VirtualFile(layout, (_, target) => {
            isTouched = true;
            target.fill(9);
          });
          const offsetBytes = at % layout.sizeBytes;
          const expected = file.read(offsetBytes, sizeBytes);
          const bytes = filled(new KnownLayouts(() => layout), offsetBytes, sizeBytes);
          expect(bytes && Buffer.from(bytes)).toEqual(isTouched ? undefined : Buffer.from(expected));
        },
      ),
    );
  });

  it('leave ranges with made bytes, past the end, and files nobody knows to a reader', () => {
    const made = png.layout({ ...imageOf(1, 8), dtype: 'uint8' });
    const known = new KnownLayouts(() => made);
    expect(filled(known, 0, 1)).toEqual(Uint8Array.of(0x89));
    expect(filled(known, 0, made.sizeBytes)).toBeUndefined();
    expect(filled(known, made.sizeBytes, 10)).toBeUndefined();
    expect(filled(new KnownLayouts(() => undefined), 0, 10)).toBeUndefined();
    const broken = new KnownLayouts(() => {
      throw new Error('unreadable');
    });
    expect(filled(broken, 0, 10)).toBeUndefined();
  });

  it('remember hundreds of small layouts, and one that is larger than all may be', () => {
    let found = 0;
    const headed = (bytes: number): FileLayout => ({
      sizeBytes: bytes,
      segments: () => [{ kind: 'bytes', offsetBytes: 0, bytes: new Uint8Array(bytes) }],
    });
    const small = new KnownLayouts((node) => {
      found++;
      return headed(1000 + node);
    });
    for (let round = 0; round < 3; round++) for (let node = 0; node < 500; node++) small.of(node);
    expect(found).toBe(500);
    found = 0;
    const huge = new KnownLayouts(() => {
      found++;
      return headed(64 * 1024 * 1024);
    });
    for (let round = 0; round < 5; round++) huge.of(NODE);
    expect(found).toBe(1);
    huge.clear();
    huge.of(NODE);
    expect(found).toBe(2);
  });
});
