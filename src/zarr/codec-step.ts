import { BadZarrError, UnsupportedZarrError } from '../core/errors.ts';
import { bloscDecodedBytes, decodeBlosc } from './codec/blosc-decode.ts';
import { decodeBloscPart, type EncodedChunk } from './codec/blosc-part.ts';
import { byteUnshuffle } from './codec/byte-shuffle.ts';
import { adler32, crc32 } from './codec/checksums.ts';
import { crc32c } from './codec/crc32c.ts';
import { decodeStream, type StreamFormat } from './codec/deflate-zstd.ts';
import { inflate } from './codec/inflate.ts';
import { decodeLz4Block } from './codec/lz4-block.ts';
import { swapItems } from './codec/swap-items.ts';

/** What a step must decode to. */
export interface Expected {
  /** The file, for messages. */
  readonly path: string;
  /** The exact size, where the steps before it let it be known. */
  readonly sizeBytes: number | undefined;
  /** Never more than this. */
  readonly maxBytes: number;
  /** Memory of exactly `sizeBytes` to decode into; the step need not use it. */
  readonly into?: Uint8Array;
}

/** One codec of a chunk: from bytes to bytes. */
export interface CodecStep {
  /** As the metadata spells it, for people. */
  readonly name: string;
  /** Size of the encoded form of `decodedBytes`, or undefined when it depends on the content. */
  encodedBytes(decodedBytes: number): number | undefined;
  /**
   * Undoes the codec. `encoded` belongs to the step: it may be changed and returned. Where the size is known, the result
   * may lie in memory of this thread that is good until the next chunk.
   * @throws BadZarrError naming the file; UnsupportedZarrError
   */
  decode(encoded: Buffer, expected: Expected): Uint8Array;
  /**
   * Decodes bytes `fromBytes … fromBytes + output.length` of the `decodedBytes` that a chunk decodes to, reading little
   * more of it than holds them; they are whole elements. Absent where nothing less than all can be decoded.
   * @returns bytes decoded. @throws as `decode`
   */
  decodePart?(chunk: EncodedChunk, decodedBytes: number, fromBytes: number, output: Uint8Array): number;
}

const varies = (): undefined => undefined;

/** Memory for `sizeBytes`: the caller's where there is some. */
export function room(sizeBytes: number, { into }: Expected): Uint8Array {
  return into?.length === sizeBytes ? into : new Uint8Array(sizeBytes);
}

/** `bytes` as a Buffer of the same memory. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function checkedSize(claimedBytes: number, { path, sizeBytes, maxBytes }: Expected): number {
  if (sizeBytes !== undefined && claimedBytes !== sizeBytes)
    throw new BadZarrError(path, `decodes to ${claimedBytes} bytes instead of ${sizeBytes}`);
  if (claimedBytes > maxBytes)
    throw new BadZarrError(path, `decodes to ${claimedBytes} bytes, more than ${maxBytes}`);
  return claimedBytes;
}

/** zlib, gzip (RFC 1950, 1952) or zstd (RFC 8878) streams. */
export function streamStep(format: StreamFormat): CodecStep {
  return {
    name: format,
    encodedBytes: varies,
    decode(encoded, expected) {
      const { sizeBytes } = expected;
      if (sizeBytes !== undefined && (format === 'zlib' || format === 'gzip')) {
        const inflated = inflate(format, encoded, sizeBytes);
        if (inflated) return inflated;
      }
      let decoded: Buffer;
      try {
        decoded = decodeStream(format, encoded, expected.sizeBytes ?? expected.maxBytes);
      } catch (cause) {
        throw new BadZarrError(expected.path, `a damaged ${format} stream`, { cause });
      }
      checkedSize(decoded.length, expected);
      return decoded;
    },
  };
}

export const BLOSC: CodecStep = {
  name: 'blosc',
  encodedBytes: varies,
  decode(encoded, expected) {
    const output = room(checkedSize(bloscDecodedBytes(encoded, expected.path), expected), expected);
    decodeBlosc(encoded, output, expected.path);
    return output;
  },
  decodePart: decodeBloscPart,
};

/** numcodecs' LZ4: the decoded size in four little-endian bytes, then one raw LZ4 block. */
export const LZ4: CodecStep = {
  name: 'lz4',
  encodedBytes: varies,
  decode(encoded, expected) {
    if (encoded.length < 5) throw new BadZarrError(expected.path, `${encoded.length} bytes are no LZ4 chunk`);
    const output = room(checkedSize(encoded.readUInt32LE(0), expected), expected);
    if (!decodeLz4Block(encoded.subarray(4), output))
      throw new BadZarrError(expected.path, 'a damaged lz4 stream');
    return output;
  },
};

/** Four bytes of checksum before or behind the content. */
function checksumStep(name: string, atStart: boolean, checksum: (bytes: Uint8Array) => number): CodecStep {
  return {
    name,
    encodedBytes: (decodedBytes) => decodedBytes + 4,
    decode(encoded, { path }) {
      if (encoded.length < 4)
        throw new BadZarrError(path, `${encoded.length} bytes hold no ${name} checksum`);
      const content = atStart ? encoded.subarray(4) : encoded.subarray(0, -4);
      const stored = encoded.readUInt32LE(atStart ? 0 : encoded.length - 4);
      if (checksum(content) !== stored) throw new BadZarrError(path, `the ${name} checksum is wrong`);
      return content;
    },
  };
}

/** Zarr v3's `crc32c`: the checksum lies behind. */
export const CRC32C = checksumStep('crc32c', false, crc32c);
/** numcodecs' checksums lie in front. */
export const CRC32 = checksumStep('crc32', true, crc32);
export const ADLER32 = checksumStep('adler32', true, adler32);

/** numcodecs' Shuffle: the bytes of elements of `elementSizeBytes` regrouped. */
export function shuffleStep(elementSizeBytes: number): CodecStep {
  return {
    name: 'shuffle',
    encodedBytes: (decodedBytes) => decodedBytes,
    decode(encoded, expected) {
      if (elementSizeBytes <= 1) return encoded;
      const output = room(encoded.length, expected);
      byteUnshuffle(encoded, elementSizeBytes, output);
      return output;
    },
  };
}

/** Big-endian items of `itemBytes`. */
export function swapStep(itemBytes: number): CodecStep {
  return {
    name: 'big-endian',
    encodedBytes: (decodedBytes) => decodedBytes,
    decode(encoded) {
      swapItems(encoded, itemBytes);
      return encoded;
    },
    decodePart(chunk, decodedBytes, fromBytes, output) {
      if (chunk.sizeBytes !== decodedBytes)
        throw new BadZarrError(chunk.path, `${chunk.sizeBytes} bytes instead of ${decodedBytes}`);
      chunk.readInto(output, fromBytes);
      swapItems(bufferOf(output), itemBytes);
      return output.length;
    },
  };
}

/** A codec that is known and not decoded here. */
export function unsupported(name: string, path: string): UnsupportedZarrError {
  const shown = JSON.stringify(name.slice(0, 60));
  return new UnsupportedZarrError(path, `codec ${shown}`, {
    advice: 'the file is reachable under source/; rewrite the array with blosc, zstd, gzip, zlib or lz4',
  });
}
