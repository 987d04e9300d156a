import { describe, expect, it } from 'vitest';
import { FsRefusal } from '../../../src/core/errors.ts';
import tiff from '../../../src/encoders/tiff.ts';
import type { ImageInfo } from '../../../src/model/image.ts';
import { encoderConformance, imageOf } from '../../conformance/encoders.ts';

encoderConformance(tiff, {
  takes: ['uint8', 'uint16', 'int16', 'uint32', 'int32', 'float32'],
  widens: ['int8', 'float16'],
  refuses: ['uint64', 'int64', 'float64'],
});

const descriptionOf = (image: ImageInfo): string => {
  const [front] = tiff.layout(image).segments(0, 8);
  if (front?.kind !== 'bytes') throw new Error('no header');
  const text = Buffer.from(front.bytes).toString('latin1');
  const start = text.indexOf('ImageJ=');
  return text.slice(start, text.indexOf('\0', start));
};

describe('ImageJ TIFF', () => {
  it('calls only what has two axes a hyperstack, and a single plane none', () => {
    expect(descriptionOf(imageOf([1, 1, 1, 4, 5], 'uint8'))).toBe('ImageJ=1.53t\n');
    expect(descriptionOf(imageOf([1, 1, 3, 4, 5], 'uint8'))).toBe(
      'ImageJ=1.53t\nimages=3\nslices=3\nloop=false\n',
    );
    expect(descriptionOf(imageOf([2, 1, 3, 4, 5], 'uint8'))).toContain(
      'images=6\nslices=3\nframes=2\nhyperstack=true\n',
    );
    expect(descriptionOf(imageOf([1, 2, 1, 4, 5], 'uint8'))).toContain('channels=2\nmode=composite\n');
  });

  it('writes calibration that is known and no other', () => {
    const known = { pixelSizeUm: { x: 0.65, y: 0.65 }, zSpacingUm: 2.5, timeIntervalS: 30 };
    expect(descriptionOf(imageOf([2, 1, 3, 4, 5], 'uint8', known))).toContain(
      'unit=micron\nspacing=2.5\nfinterval=30\n',
    );
    expect(descriptionOf(imageOf([2, 1, 3, 4, 5], 'uint8'))).not.toMatch(/unit|spacing|finterval/);
    expect(descriptionOf(imageOf([1, 1, 3, 4, 5], 'uint8', { zSpacingUm: 2.5 }))).not.toMatch(/unit|spacing/);
    const none = tiff.layout(imageOf([1, 1, 1, 4, 5], 'uint8'));
    const some = tiff.layout(imageOf([1, 1, 1, 4, 5], 'uint8', { pixelSizeUm: { x: 1, y: 1 } }));
    expect(some.sizeBytes).toBe(none.sizeBytes);
    expect(() => tiff.layout(imageOf([1, 1, 1, 4, 5], 'uint8', { pixelSizeUm: { x: 0, y: 1 } }))).toThrow(
      FsRefusal,
    );
  });

  it('refuses 4 GiB and takes a little less', () => {
    const plane = 4096 * 4096 * 2;
    expect(tiff.layout(imageOf([1, 1, 127, 4096, 4096], 'uint16')).sizeBytes).toBeGreaterThan(127 * plane);
    expect(() => tiff.layout(imageOf([1, 1, 128, 4096, 4096], 'uint16'))).toThrow(FsRefusal);
  });
});
