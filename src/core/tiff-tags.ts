/** Tags, by their numbers in TIFF 6.0 (Adobe, 1992), its Technical Notes 1 and 3, and BigTIFF. */
export const TAG = {
  newSubfileType: 254,
  imageWidth: 256,
  imageLength: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  imageDescription: 270,
  stripOffsets: 273,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  xResolution: 282,
  yResolution: 283,
  planarConfiguration: 284,
  t4Options: 292,
  t6Options: 293,
  resolutionUnit: 296,
  software: 305,
  predictor: 317,
  tileWidth: 322,
  tileLength: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  subIfds: 330,
  sampleFormat: 339,
  /** Tables that all strips and tiles of a JPEG-compressed page share. */
  jpegTables: 347,
  yCbCrSubSampling: 530,
  /** MetaMorph stack (`.stk`): its count is the number of planes behind one directory. */
  uic2: 33629,
  /** Version of LERC, and what its streams are compressed with once more. */
  lercParameters: 50674,
} as const;

/** Bytes of one value, by field type; TIFF 6.0 page 15, BigTIFF types 16 to 18, IFD (13) of Technical Note 1. */
const TYPE_SIZE_BYTES: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** Bytes of one value of a field type, 0 when the type is unknown. */
export function typeSizeBytes(type: number): number {
  return TYPE_SIZE_BYTES[type] ?? 0;
}

const COMPRESSION_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'none'],
  [2, 'ccitt-rle'],
  [3, 'ccitt-g3'],
  [4, 'ccitt-g4'],
  [5, 'lzw'],
  [6, 'old-jpeg'],
  [7, 'jpeg'],
  [8, 'deflate'],
  [32773, 'packbits'],
  [32946, 'deflate'],
  [34676, 'sgilog'],
  [34677, 'sgilog24'],
  [34712, 'jpeg2000'],
  [34887, 'lerc'],
  [34925, 'lzma'],
  [50000, 'zstd'],
  [50001, 'webp'],
  [50002, 'jpegxl'],
]);

/** `lzw`, or the number where it has no usual name. */
export function compressionName(compression: number): string {
  return COMPRESSION_NAMES.get(compression) ?? String(compression);
}
