import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { BadTiffError, UnsupportedTiffError } from '../../core/errors.ts';
import { compressionName, TAG } from '../../core/tiff-tags.ts';
import { decodeLzw } from './tiff-lzw.ts';
import { decodePackBits } from './tiff-packbits.ts';

/**
 * The most bytes one stored byte can become: LZW's strings grow by one byte per code of up to 12 bits until the table is full; deflate's 258
 * bytes in two bits; PackBits' 128 bytes in two; zstd's 128 KiB block in four bytes; a block of 64 JPEG samples takes
 * two bits, and may stand for four times as many; LERC has constant blocks, once more compressed; a
 * white row of any length is one bit of CCITT's. A file that claims more
 * lies, and is refused before memory is taken for it.
 */
const MOST_BYTES_PER_STORED_BYTE: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 1024],
  [3, 65536],
  [4, 65536],
  [5, 1400],
  [7, 1024],
  [8, 1100],
  [32773, 64],
  [32946, 1100],
  [34887, 65536],
  [50000, 65536],
]);

/** @throws UnsupportedTiffError naming tag and value when the codec isn't one we decode. */
export function mostBytesPerStoredByte(path: string, compression: number): number {
  const most = MOST_BYTES_PER_STORED_BYTE.get(compression);
  if (most === undefined) {
    const name = compressionName(compression);
    throw new UnsupportedTiffError(
      path,
      `tag ${TAG.compression} has value ${compression}${name === String(compression) ? '' : ` (${name})`}`,
      { advice: 'convert the file to LZW, deflate, zstd or no compression' },
    );
  }
  return most;
}

/**
 * Fills `target` with one decompressed strip or tile. `mostBytes` is how long the stored segment may really
 * be (a last strip may be stored full).
 * @throws BadTiffError when it holds less than `target` or is damaged; UnsupportedTiffError
 */
export function decompressInto(
  path: string,
  compression: number,
  stored: Uint8Array,
  target: Uint8Array,
  mostBytes: number,
): void {
  let got: number;
  switch (compression) {
    case 1:
      got = Math.min(stored.length, target.length);
      target.set(stored.length === got ? stored : stored.subarray(0, got));
      break;
    case 5:
      // LZW of before TIFF 6.0, least significant bit first, starts with a clear code in that order.
      if (stored[0] === 0 && ((stored[1] ?? 0) & 1) === 1) {
        throw new UnsupportedTiffError(
          path,
          `tag ${TAG.compression} has value 5 in the form of before 1992 (LZW, least significant bit first)`,
        );
      }
      got = decodeLzw(stored, target);
      if (got === -1) throw new BadTiffError(path, 'LZW data holds an impossible code');
      break;
    case 32773:
      got = decodePackBits(stored, target);
      break;
    case 8:
    case 32946:
    case 50000: {
      const options = { maxOutputLength: mostBytes, chunkSize: Math.max(64, mostBytes) };
      let bytes: Uint8Array;
      try {
        bytes = compression === 50000 ? zstdDecompressSync(stored, options) : inflateSync(stored, options);
      } catch (cause) {
        throw new BadTiffError(path, `${compressionName(compression)} data is damaged`, { cause });
      }
      got = Math.min(bytes.length, target.length);
      target.set(bytes.length === got ? bytes : bytes.subarray(0, got));
      break;
    }
    default:
      mostBytesPerStoredByte(path, compression);
      throw new UnsupportedTiffError(path, `tag ${TAG.compression} has value ${compression}`);
  }
  if (got < target.length) {
    throw new BadTiffError(
      path,
      `a strip or tile holds ${got} bytes of pixels, but ${target.length} are needed`,
    );
  }
}
