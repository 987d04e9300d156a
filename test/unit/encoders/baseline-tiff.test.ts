import { describe, expect, it } from 'vitest';
import baselineTiff from '../../../src/encoders/baseline-tiff.ts';
import { encoderConformance, imageOf } from '../../conformance/encoders.ts';

encoderConformance(baselineTiff, {
  takes: ['uint8', 'uint16', 'int16', 'uint32', 'int32', 'float32'],
  widens: ['int8', 'float16'],
  refuses: ['uint64', 'int64', 'float64'],
});

function tagsOf(dtype: 'uint16' | 'int16'): number[] {
  const layout = baselineTiff.layout(
    imageOf([1, 1, 1, 4, 5], dtype, {
      channels: [{ name: 'DAPI' }],
      pixelSizeUm: { x: 0.5, y: 0.5 },
      acquiredAtMs: Date.UTC(2026, 1, 3, 4, 5, 6),
    }),
  );
  const front = Buffer.from((layout.segments(0, 1)[0] as { bytes: Uint8Array }).bytes);
  expect(front.includes('2026:02:03 04:05:06\0')).toBe(true);
  return Array.from({ length: front.readUInt16LE(8) }, (_, i) => front.readUInt16LE(10 + 12 * i));
}

describe('baseline TIFF', () => {
  it('has tags of TIFF 6.0 part 1 alone, in order', () => {
    const tags = tagsOf('uint16');
    expect(tags).toEqual([254, 256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 282, 283, 284, 296, 306]);
    expect(tagsOf('int16')).toEqual([...tags, 339]);
  });
});
