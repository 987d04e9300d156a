import { BadZarrError, UnsupportedZarrError } from '../../core/errors.ts';
import { blockKernels } from './block-kernels.ts';

/** numcodecs' LZ4: the decoded size in four little-endian bytes lies before the raw LZ4 block. */
const PREFIX_BYTES = 4;
/** The kernels' memory, 4 GiB, holds the chunk three times and what it is packed to. */
const MAX_LZ4_CHUNK_BYTES = 2 ** 29;

/**
 * Compresses `chunk` to what numcodecs' LZ4 reads, and decodes it again. The result is valid until this thread next
 * encodes or decodes.
 * @throws BadZarrError naming `path` when what was packed does not decode to the chunk; UnsupportedZarrError for
 * chunks above 512 MiB.
 */
export function encodeLz4(chunk: Uint8Array, path: string): Buffer {
  const sizeBytes = chunk.length;
  if (sizeBytes > MAX_LZ4_CHUNK_BYTES)
    throw new UnsupportedZarrError(path, `a chunk of ${sizeBytes} bytes is too large for LZ4`, {
      advice: 'land it with another codec: blosc-lz4, zstd',
    });
  const kernels = blockKernels();
  kernels.trim();
  // The packed block has its own size before it, in the place of the decoded size.
  const output = kernels.reservePacked(sizeBytes, PREFIX_BYTES + sizeBytes);
  const written = kernels.pack(chunk, 1, 1, 0);
  if (written === undefined)
    throw new BadZarrError(path, 'the encoded pixels do not decode to what they were');
  const isStored = written === PREFIX_BYTES + sizeBytes;
  const encoded = isStored ? storedBlock(chunk) : output.subarray(0, written);
  encoded.writeUInt32LE(sizeBytes, 0);
  return encoded;
}

/** Bytes that don't become smaller, as one run of literals (lz4 `lz4_Block_format.md`), behind the prefix. */
function storedBlock(chunk: Uint8Array): Buffer {
  const sizeBytes = chunk.length;
  const isLong = sizeBytes >= 15;
  const lengthBytes = isLong ? Math.floor((sizeBytes - 15) / 255) + 1 : 0;
  const encoded = Buffer.allocUnsafeSlow(PREFIX_BYTES + 1 + lengthBytes + sizeBytes);
  const literalsAt = PREFIX_BYTES + 1 + lengthBytes;
  encoded[PREFIX_BYTES] = (isLong ? 15 : sizeBytes) << 4;
  if (isLong) {
    encoded.fill(255, PREFIX_BYTES + 1, literalsAt - 1);
    encoded[literalsAt - 1] = (sizeBytes - 15) % 255;
  }
  encoded.set(chunk, literalsAt);
  return encoded;
}
