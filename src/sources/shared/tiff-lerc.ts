import { createRequire } from 'node:module';
import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { type BadTiffError, UnsupportedTiffError } from '../../core/errors.ts';
import type { Dtype } from '../../core/nd-array.ts';
import { TAG } from '../../core/tiff-tags.ts';
import type { TiffPage } from './tiff-page.ts';
import { swapBytes } from './tiff-predictor.ts';

/** What is used of Esri's decoder. */
interface LercDecoder {
  decode(
    input: ArrayBuffer,
    options: { readonly returnPixelInterleavedDims: boolean },
  ): { readonly pixels: readonly (ArrayBufferView | undefined)[] };
}

/** Types of LERC's samples by their number in the stream's header. */
const DTYPES: readonly Dtype[] = [
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'float32',
  'float64',
];
/** The latest version of the format that the decoder knows. */
const LAST_VERSION = 4;
/** LERC's header is 66 bytes of version 4; a stream of one value has little more. */
const HEADER_BYTES = 50;
const SLACK_BYTES = 4096;

let decoder: LercDecoder | undefined;

/** Loaded when the first such file is read: hardly anybody has one. */
function lerc(): LercDecoder {
  const require = createRequire(import.meta.url);
  decoder ??= require('lerc') as LercDecoder;
  return decoder;
}

/** @throws UnsupportedTiffError for what no LERC stream of a TIFF can be here */
export function checkLerc(page: TiffPage): void {
  const extra = page.lercExtraCompression();
  if (extra > 2)
    throw new UnsupportedTiffError(
      page.path,
      `tag ${TAG.lercParameters} has value ${extra} (LERC once more compressed)`,
    );
  if (page.fillOrder !== 1)
    throw new UnsupportedTiffError(page.path, `tag ${TAG.fillOrder} has value ${page.fillOrder} with LERC`);
  // Its decoder of 3.0 fails on blocks of unsigned 32-bit samples with an offset that needs them all.
  if (!page.byteAligned || !DTYPES.includes(page.dtype) || page.dtype === 'uint32') {
    throw new UnsupportedTiffError(
      page.path,
      `${page.dtype} samples with LERC (tag ${TAG.compression} has value 34887)`,
    );
  }
}

/**
 * A strip or tile of compression 34887: a LERC2 stream (https://github.com/Esri/lerc, doc/lerc_spec), by itself or
 * compressed once more. Streams that leave pixels out are refused: a TIFF has no word for them.
 * @throws BadTiffError, UnsupportedTiffError
 */
export function decodeLercSegment(page: TiffPage, stored: Uint8Array, target: Uint8Array): void {
  const bytes = expanded(page, stored, target.length);
  const rows = target.length / page.segmentRowBytes;
  checkHeader(page, bytes, rows);
  let pixels: ArrayBufferView | undefined;
  try {
    // A copy: the decoder takes whole buffers.
    const { buffer } = Uint8Array.from(bytes);
    [pixels] = lerc().decode(buffer, { returnPixelInterleavedDims: true }).pixels;
  } catch (cause) {
    // It throws texts, too.
    throw page.bad(`LERC data is damaged: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (pixels === undefined || pixels.byteLength !== target.length)
    throw page.bad(`LERC data has ${pixels?.byteLength} bytes of pixels, but ${target.length} are needed`);
  target.set(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
  // In a big-endian file libtiff compresses samples whose bytes it swapped before, and swaps them when it reads (seen
  // with 4.5).
  if (!page.littleEndian) swapBytes(target, page.bitsPerSample / 8);
}

function expanded(page: TiffPage, stored: Uint8Array, plainBytes: number): Uint8Array {
  const extra = page.lercExtraCompression();
  if (extra === 0) return stored;
  const options = { maxOutputLength: 2 * plainBytes + SLACK_BYTES };
  try {
    return extra === 1 ? inflateSync(stored, options) : zstdDecompressSync(stored, options);
  } catch (cause) {
    throw page.bad(`what LERC data is compressed with is damaged: ${String(cause)}`);
  }
}

/** Whether the stream is of the segment's size and kind, before the decoder takes memory for it. */
function checkHeader(page: TiffPage, bytes: Uint8Array, rows: number): void {
  const bad = (detail: string): BadTiffError => page.bad(`LERC data: ${detail}`);
  const unsupported = (detail: string): UnsupportedTiffError =>
    new UnsupportedTiffError(page.path, `tag ${TAG.compression} has value 34887: ${detail}`);
  if (bytes.length < HEADER_BYTES) throw bad(`${bytes.length} bytes are too few`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, 6));
  if (magic !== 'Lerc2 ') throw unsupported(`a stream that begins with '${magic.replace(/[^ -~]/g, '?')}'`);
  const version = view.getInt32(6, true);
  if (version < 1 || version > LAST_VERSION) throw unsupported(`LERC 2 of version ${version}`);
  let at = version >= 3 ? 14 : 10;
  const next = (): number => {
    at += 4;
    return view.getInt32(at - 4, true);
  };
  const [height, width] = [next(), next()];
  const samples = version >= 4 ? next() : 1;
  const valid = next();
  at += 8;
  const type = next();
  if (width !== page.segmentWidth || height !== rows || samples !== page.samplesTogether)
    throw bad(
      `${width} by ${height} pixels of ${samples} samples for ${page.segmentWidth} by ${rows} of ${page.samplesTogether}`,
    );
  if (DTYPES[type] !== page.dtype) throw bad(`samples of type ${DTYPES[type] ?? type} for ${page.dtype}`);
  if (valid !== width * height)
    throw unsupported(`a LERC stream with ${width * height - valid} pixels left out`);
}
