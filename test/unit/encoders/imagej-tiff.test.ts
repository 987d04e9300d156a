import { describe, expect, it } from 'vitest';
import imagejTiff from '../../../src/encoders/imagej-tiff.ts';
import tiff from '../../../src/encoders/tiff.ts';
import { encoderConformance, imageOf } from '../../conformance/encoders.ts';

encoderConformance(imagejTiff, {
  takes: ['uint8', 'uint16', 'int16', 'uint32', 'int32', 'float32'],
  widens: ['int8', 'float16'],
  refuses: ['uint64', 'int64', 'float64'],
});

describe('ImageJ TIFF of one directory', () => {
  it('holds any size in a small header', () => {
    const layout = imagejTiff.layout(imageOf([100, 2, 50, 2048, 2048], 'uint16'));
    expect(layout.sizeBytes).toBe(4096 + 100 * 2 * 50 * 2048 * 2048 * 2);
    const front = Buffer.from((layout.segments(0, 1)[0] as { bytes: Uint8Array }).bytes);
    expect([front.readUInt16LE(2), front.readUInt32LE(4)]).toEqual([42, 8]);
    // No further directory.
    expect(front.readUInt32LE(8 + 2 + front.readUInt16LE(8) * 12)).toBe(0);
  });

  it('has the labels and colours that the usual one has', () => {
    const image = imageOf([1, 2, 3, 4, 5], 'uint8', {
      channels: [
        { name: 'DAPI', color: '0000FF' },
        { name: 'GFP', color: '00ff00' },
      ],
    });
    const bytesOf = (encoder: typeof tiff): Buffer =>
      Buffer.concat(
        encoder
          .layout(image)
          .segments(0, 4096)
          .flatMap((segment) => (segment.kind === 'bytes' ? [segment.bytes] : [])),
      );
    for (const encoder of [tiff, imagejTiff]) {
      const text = bytesOf(encoder).toString('latin1');
      expect(text).toContain('JIJIlbal\u0006\0\0\0stul\u0002\0\0\0');
      expect(text).toContain(Buffer.from('DAPIGFPDAPIGFP', 'utf16le').toString('latin1'));
    }
  });
});
