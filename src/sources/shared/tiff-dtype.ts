import { UnsupportedTiffError } from '../../core/errors.ts';
import type { Dtype } from '../../core/nd-array.ts';
import { TAG } from '../../core/tiff-tags.ts';

/**
 * What a sample becomes in memory (SampleFormat, TIFF 6.0 page 80). Odd widths (1 to 7, 9 to 15, 17 to 31 bits) are
 * unpacked into the next wider unsigned type with their values unchanged.
 * @throws UnsupportedTiffError naming tag and value.
 */
export function tiffDtype(path: string, sampleFormat: number, bits: number): Dtype {
  switch (sampleFormat) {
    case 1:
      if (bits >= 1 && bits <= 8) return 'uint8';
      if (bits > 8 && bits <= 16) return 'uint16';
      if (bits > 16 && bits <= 32) return 'uint32';
      if (bits === 64) return 'uint64';
      break;
    case 2:
      if (bits === 8) return 'int8';
      if (bits === 16) return 'int16';
      if (bits === 32) return 'int32';
      if (bits === 64) return 'int64';
      break;
    case 3:
      if (bits === 16) return 'float16';
      if (bits === 32) return 'float32';
      if (bits === 64) return 'float64';
      break;
    default: {
      const what = sampleFormat === 5 || sampleFormat === 6 ? ': complex numbers' : '';
      throw new UnsupportedTiffError(path, `tag ${TAG.sampleFormat} has value ${sampleFormat}${what}`);
    }
  }
  throw new UnsupportedTiffError(path, `tag ${TAG.bitsPerSample} has value ${bits}`);
}
